// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// TestClusterTells: how old the feed is where there is one, and of the rules where a file has
// them.
func TestClusterTells(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(file, []byte("[rules]\n\"/\" = { key = true }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alone := wire(t, settings(t, map[string]string{"gate.listen": "127.0.0.1:0", "gate.rules_file": file}))
	if c := alone.cluster(t.Context()); c.Rules == nil || c.Rules.Kind != "file" || !c.Rules.OK || c.FeedAge != 0 || c.Store.Kind != "sqlite" || len(c.Nodes) != 0 {
		t.Errorf("alone %+v", c)
	}
	shared := wire(t, settings(t, map[string]string{"database_url": testenv.Postgres(t)}))
	if c := shared.cluster(t.Context()); c.Rules != nil || c.FeedAge < 1 || c.Node == "" || len(c.Nodes) != 1 || c.Nodes[0].ID != c.Node {
		t.Errorf("shared %+v", c)
	}
}
