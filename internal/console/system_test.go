// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

// ring is the keyring as the API sees it. Pages only read it.
type ring struct {
	rest.Keyring
	keeper *seal.Keeper
}

// List implements [rest.Keyring].
func (r ring) List(ctx context.Context) (out []api.KeyringKey, unreadable int, err error) {
	infos, unreadable, err := r.keeper.List(ctx)
	for _, k := range infos {
		rank := "active"
		if k.Primary {
			rank = "primary"
		}
		out = append(out, api.KeyringKey{ID: k.ID, Kind: k.Kind, Algorithm: k.Algorithm, Source: k.Source, Rank: rank, Created: k.Created, DataKeys: k.DataKeys, Records: k.Records})
	}
	return out, unreadable, err
}

// Progress implements [rest.Keyring].
func (r ring) Progress() api.Rewrap {
	p := r.keeper.Progress()
	out := api.Rewrap{State: "done", KEK: p.KEK, Done: p.Done, Total: p.Total, Sealed: p.Sealed, Broken: p.Broken, Problem: p.Problem}
	switch {
	case p.Running:
		out.State = "running"
	case p.KEK == "":
		out.State = "none"
	}
	return out
}

// tells makes the API tell of the cluster.
func (h *house) tells(c *api.Cluster) {
	h.t.Helper()
	h.cluster = func(context.Context) api.Cluster { return *c }
	h.mount(memory.NewLimiter(0, h.now))
}

// well is a part that stands well.
func well(kind string) api.Part { return api.Part{Kind: kind, OK: true} }

func alone() *api.Cluster {
	return &api.Cluster{
		Store: well("sqlite"), Feed: well("none"), Nonces: well("files"), Limits: well("files"), Keyring: well("file"), Nodes: []api.Node{},
	}
}

// One process on SQLite has no neighbours, which is nothing that is missing.
func TestSystemOfOneProcess(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tells(alone())
	_, b := h.administrator(email)
	p := b.get("/operate/system")
	p.expect(t, 200, "This process is alone", "sqlite", "There is no other node to hear of.", "the keyring file", "seals secrets", "goes into digests", ">primary<", "gatehouse keyring list")
	for _, bad := range []string{"not well", "Runs since", "Rules file", "rewrap", "cannot be read"} {
		if strings.Contains(p.text, bad) {
			t.Errorf("says %q", bad)
		}
	}
}

// What several nodes and their parts say is shown, and what of it is not well.
func TestSystemOfNodes(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, start := alone(), time.Now().Add(-3*time.Hour)
	c.Node, c.Store, c.Feed, c.FeedAge = "n1", well("postgresql"), well("poll"), 120
	c.Nonces, c.Limits = api.Part{Kind: "redis", Problem: "dial db.internal:6379"}, api.Part{Kind: "redis", Problem: "dial db.internal:6379"}
	c.Rules = new(well("file"))
	c.Nodes = []api.Node{
		{ID: "n1", Name: "east <1>", Version: "1.2.3", Lease: 1000, Started: start, Seen: time.Now(), Shares: "redis"},
		{ID: "n2", Name: "west", Version: "1.2.4", Started: start, Seen: start.Add(time.Hour), Shares: "redis", Silent: 7_200_000},
	}
	h.tells(c)
	_, b := h.administrator(email)
	p := b.get("/operate/system")
	p.expect(t, 200, "east &lt;1&gt;", "this one", "1.2.3", "1.2.4", ">1s</td>", "none: it reads the database each time", "silent for 120 minutes", "Read 120ms ago.", "2 hours ago",
		"While Redis is away each node admits its share", "not well", "the server&#39;s log says what", "Rules file")
	if strings.Contains(p.text, "db.internal") || strings.Contains(p.text, "is alone") || strings.Count(p.text, "this one") != 1 {
		t.Errorf("%v", p)
	}
	if !strings.Contains(h.log.String(), "db.internal:6379") {
		t.Error("the log does not say what")
	}
	c.FeedAge, c.Feed = 4200, api.Part{Kind: "poll", Problem: "not read for 4.2s; every request reads the database"}
	b.get("/operate/system").expect(t, 200, "Read 4.2s ago.", "not read for 4.2s")
}

// The keyring tells what refers to its keys, and how a rewrap goes.
func TestSystemOfTheKeyring(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator(email)
	b.get("/keys/new")
	b.post("/keys", "name", "k", "scheme", "barong", "expiry", "never").expect(t, 201)
	b.get("/operate/system").expect(t, 200, " data keys, ", "0 digests")
	operator := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	added, err := h.keeper.Add(t.Context(), operator, seal.NewKey{Primary: true})
	h.must(err)
	p := b.get("/operate/system")
	p.expect(t, 200, added.ID, "0 data keys, 0 secrets", ">active<", ">primary<")
	if _, err := h.keeper.Rewrap(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	h.rewrapped()
	b.get("/operate/system").expect(t, 200, "rewrap done", "sealed again under <code>"+added.ID)
}

// rewrapped waits for the rewrap to end.
func (h *house) rewrapped() {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); h.keeper.Progress().Running; {
		if time.Now().After(end) {
			h.t.Fatal("the rewrap does not end")
		}
		<-time.After(time.Millisecond)
	}
}

// Who may not know how the whole stands is told in words, and leaves no denial behind.
func TestSystemOfAnAdmin(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tells(alone())
	admin := h.person("admin@example.com", "admin")
	b := h.signIn("admin@example.com", password)
	p := b.get("/operate/system")
	p.expect(t, 200, "It takes the role superadmin", "gatehouse cluster status", "Version")
	for _, bad := range []string{"sqlite", "seals secrets", "RS256"} {
		if strings.Contains(p.text, bad) {
			t.Errorf("tells of %q", bad)
		}
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, ActorID: admin.ID})
	h.must(err)
	if slices.ContainsFunc(events, func(e gatehouse.Event) bool { return e.Outcome == gatehouse.OutcomeDenied }) {
		t.Errorf("events %v", verbsOf(events))
	}
}
