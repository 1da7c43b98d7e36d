// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
)

// verified starts the server on c, checks its log, and stops it. It returns the starts, too.
func verified(t *testing.T, c config.Config, more func(cl *client.Client)) (api.Chain, []api.Event) {
	t.Helper()
	_, stop := run(t, c)
	cl := client.Socket(filepath.Join(c.Data, api.SocketName))
	if more != nil {
		more(cl)
	}
	var starts []api.Event
	for e, err := range cl.Events(t.Context(), client.EventQuery{Verbs: []string{"system.start"}}) {
		if err != nil {
			t.Fatal(err)
		}
		starts = append(starts, e)
	}
	chain, err := cl.VerifyChain(t.Context(), api.VerifyChain{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return chain, starts
}

func problems(c *api.Chain) []string {
	var out []string
	for _, f := range c.Faults {
		out = append(out, f.Problem)
	}
	return out
}

// Every start is an event, and a log that was cut or emptied between two starts is told,
// whatever the next start writes.
func TestStartsAndCutLogs(t *testing.T) {
	t.Parallel()
	for what, row := range map[string]struct {
		texts  []string
		starts int
		want   []string
	}{
		"untouched":                {nil, 2, nil},
		"the end and the head cut": {[]string{"DELETE FROM events WHERE tenant = 'default' AND seq = (SELECT max(seq) FROM events WHERE tenant = 'default')", "DELETE FROM chains"}, 2, []string{gatehouse.FaultUnvouched}},
		"emptied":                  {[]string{"DELETE FROM events", "DELETE FROM chains"}, 1, []string{gatehouse.FaultUntold}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := settings(t, map[string]string{"admin.email": adminEmail, "admin.password": adminPassword})
			first, starts := verified(t, c, func(cl *client.Client) {
				if _, err := cl.CreateTenant(t.Context(), api.NewTenant{Name: "shop"}); err != nil {
					t.Fatal(err)
				}
			})
			if !first.Sound || first.Since != 1 || len(starts) != 1 || starts[0].Subject != "v9" || starts[0].Actor != "system" {
				t.Fatalf("fresh: %+v, %+v", first, starts)
			}
			edit(t, c, row.texts)
			second, starts := verified(t, c, func(cl *client.Client) {
				shop, err := cl.InTenant("shop").VerifyChain(t.Context(), api.VerifyChain{})
				if err != nil || !shop.Sound {
					t.Errorf("a tenant that has done nothing yet: %+v, %v", shop, err)
				}
			})
			if diff := cmp.Diff(row.want, problems(&second)); diff != "" || second.Sound != (row.want == nil) || len(starts) != row.starts {
				t.Errorf("%d starts, %+v (-want +got):\n%s", len(starts), second, diff)
			}
		})
	}
}

// edit changes the database of a server that is not running.
func edit(t *testing.T, c config.Config, texts []string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(c.Data, "gatehouse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, text := range texts {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}
