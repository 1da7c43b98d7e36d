// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package testenv

// Race reports whether the tests run under the race detector.
const Race = true
