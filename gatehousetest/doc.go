// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package gatehousetest holds one suite of tests for each interface of the package
// gatehouse. A suite is the meaning of its interface: every filling runs it, and a
// mistake found in one filling becomes a row for all. It is imported by tests only.
package gatehousetest
