// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testenv

import "syscall"

// dieWithParent does nothing: only Linux ends a child with its parent. Main still ends it.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
