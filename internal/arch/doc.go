// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package arch proves that the source of the module keeps the shape of the house.
//
// rules.txt says which package may import which. The tests read the .go files of the module themselves
// and report each broken rule in one plain sentence: imports, doc comments, sizes and habits. They do
// not ask the go command, because go test keeps a result as long as the files that the test itself read
// are unchanged, and would keep an answer of go list for ever.
package arch
