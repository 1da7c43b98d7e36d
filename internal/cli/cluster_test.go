// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

// The exit code says whether all is well, and the error what is not: a part, or a node of which
// nothing is heard.
func TestClusterStatus(t *testing.T) {
	t.Parallel()
	good := api.Part{Kind: "postgresql", OK: true}
	node := api.Node{ID: "d93ce6afaac5bb8e", Name: "one", Version: "v9", Lease: 1000, Started: time.Date(2026, 11, 22, 9, 4, 5, 0, time.UTC)}
	silent := node
	silent.ID, silent.Name, silent.Silent = "0a1b2c3d4e5f6071", "two", 2345
	away := api.Part{Kind: "vault", Problem: "Vault answers 503; a start fails"}
	for _, row := range []struct {
		name    string
		nodes   []api.Node
		keyring api.Part
		out     []string // fields of lines
		err     string   // empty: all is well
	}{
		{"all is well", []api.Node{node}, good, []string{"keyring postgresql ok", "d93ce6afaac5bb8e * one v9 1s 2026-11-22T09:04:05Z ok"}, ""},
		{"a silent node", []api.Node{node, silent}, good, []string{
			"d93ce6afaac5bb8e * one v9 1s 2026-11-22T09:04:05Z ok", "0a1b2c3d4e5f6071 two v9 1s 2026-11-22T09:04:05Z silent for 2.3s",
		}, "node 0a1b2c3d4e5f6071 (two) is silent for 2.3s"},
		{"a part that is away", []api.Node{node}, away, []string{"keyring vault " + away.Problem}, "keyring: " + away.Problem},
	} {
		answer, err := json.Marshal(api.Cluster{Node: node.ID, Store: good, Feed: good, Nonces: good, Limits: good, Keyring: row.keyring, Nodes: row.nodes})
		if err != nil {
			t.Fatal(err)
		}
		s := stub(t, http.StatusOK, string(answer))
		code := exitDone
		if row.err != "" {
			code = exitFailed
		}
		for _, format := range []string{"table", "json"} {
			got := command("", withToken, "--server", s.URL, "cluster", "status", "--format", format)
			if got.code != code || !strings.Contains(got.err, row.err) || (got.err == "") != (row.err == "") {
				t.Errorf("%s as %s: %+v, want %d with %q", row.name, format, got, code, row.err)
			}
			for _, want := range row.out {
				if format == "table" && !strings.Contains(strings.Join(strings.Fields(got.out), " "), want) {
					t.Errorf("%s: printed\n%swant %q", row.name, got.out, want)
				}
			}
		}
	}
}
