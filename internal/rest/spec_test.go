// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// The documentation lists every management scope, in order, and no other.
func TestSpecListsTheScopes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec/api.md")
	if err != nil {
		t.Fatal(err)
	}
	table := "| scope | allows to |\n|---|---|\n"
	for _, m := range gatehouse.ManagementScopes() {
		table += "| `" + string(m.Scope) + "` | " + m.Text + " |\n"
	}
	if !strings.Contains(string(text), "\n"+table+"\n") {
		t.Errorf("the table of scopes is to be:\n%s", table)
	}
}
