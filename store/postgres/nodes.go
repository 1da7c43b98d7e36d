// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import "github.com/seed14544106/gatehouse/store/internal/lease"

// Node is a process that shares the database, as [DB.Sharing] tells of it.
type Node = lease.Node
