// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

// TestClusterTellsOfSilence: a node that is cut off from the database is there, and silent.
func TestClusterTellsOfSilence(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	link := testenv.NewProxy(t, u.Host)
	u.Host = link.Addr()
	one, two := settings(t, map[string]string{"database_url": address, "node": "one"}), settings(t, map[string]string{"database_url": u.String(), "node": "two"})
	p := wire(t, one)
	keyring, err := os.ReadFile(filepath.Join(one.Data, "keyring"))
	if err := errors.Join(err, os.Mkdir(two.Data, 0o700), os.WriteFile(filepath.Join(two.Data, "keyring"), keyring, 0o600)); err != nil {
		t.Fatal(err)
	}
	wire(t, two)
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		if !within(10*time.Second, func() bool { // then a silent node is removed
			got = nil
			for _, n := range p.cluster(t.Context()).Nodes {
				got = append(got, fmt.Sprint(n.Name, " silent ", n.Silent > 0))
			}
			return slices.Equal(got, want)
		}) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("both run", "one silent false", "two silent false")
	link.Cut()
	expect("one is cut off", "one silent false", "two silent true")
}
