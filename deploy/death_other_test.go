// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package deploy_test

import "syscall"

// dieWithParent does nothing: only Linux ends a child with its parent.
func dieWithParent(*syscall.SysProcAttr) {}
