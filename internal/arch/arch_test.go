// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch_test

import (
	_ "embed"
	"os"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse/internal/arch"
)

//go:embed rules.txt
var rulesText string

// source is the module itself. It is read through package os, so that go test keeps no result of these
// tests after a file of the module has changed.
var source = sync.OnceValues(func() (*arch.Tree, error) { return arch.Load(os.DirFS("../..")) })

func load(t *testing.T) *arch.Tree {
	t.Helper()
	tree, err := source()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func report(t *testing.T, sentences []string) {
	t.Helper()
	for _, s := range sentences {
		t.Error(s)
	}
}

func TestImports(t *testing.T) {
	rules, err := arch.ParseRules(rulesText)
	if err != nil {
		t.Fatal(err)
	}
	report(t, rules.Imports(load(t)))
}

func TestDocs(t *testing.T) { report(t, arch.Docs(load(t))) }

func TestSizes(t *testing.T) { report(t, arch.Sizes(load(t))) }

func TestHabits(t *testing.T) { report(t, arch.Habits(load(t))) }
