// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package testenv

// raceFlag makes Binary look for races when the tests do.
const raceFlag = "-race=false"

// Race reports whether the tests run under the race detector.
const Race = false
