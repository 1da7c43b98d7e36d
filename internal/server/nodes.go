// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// nodes is this process among those that share its database.
type nodes struct {
	db      atomic.Pointer[postgres.DB] // nil: it is alone, or not open yet
	signing atomic.Pointer[assertion.Keys]
}

// heard is told what was changed, here or elsewhere. It may be called before all parts are
// there.
func (p *parts) heard(notices []gatehouse.Notice) {
	for i := range notices {
		if k := p.nodes.signing.Load(); k != nil && (notices[i].Kind == gatehouse.NoticeSigning || notices[i].Kind == gatehouse.NoticeAll) {
			k.Hear()
			return
		}
	}
}

// nodeStatus is for metrics.
func (p *parts) nodeStatus() observe.NodeStatus {
	db := p.nodes.db.Load()
	if db == nil {
		return observe.NodeStatus{Nodes: 1, PollAge: -1}
	}
	s, hits, misses := db.Sharing()
	return observe.NodeStatus{Nodes: len(s.Nodes), Leased: s.Leased, PollAge: s.PollAge, Losses: s.Losses, Hits: hits, Misses: misses}
}

// cluster tells how this process and its neighbours stand.
func (p *parts) cluster(ctx context.Context) api.Cluster {
	out := api.Cluster{
		Store: part("sqlite", p.ping(ctx)), Feed: api.Part{Kind: "none", OK: true},
		Nonces: api.Part{Kind: p.shared.kind, OK: true}, Limits: api.Part{Kind: p.shared.kind, OK: true},
		Keyring: part("file", p.openSomething(ctx)), Nodes: []api.Node{},
	}
	if p.shared.ping != nil {
		err := p.shared.ping(ctx)
		out.Nonces, out.Limits = part(p.shared.kind, err), part(p.shared.kind, err)
		if err != nil {
			out.Nonces.Problem += "; requests that are signed with a nonce are refused"
		}
		if err != nil && p.shared.kind == "redis" {
			out.Limits.Problem += "; each process admits its share of every limit"
		}
	}
	db := p.nodes.db.Load()
	if db == nil {
		return out
	}
	s, _, _ := db.Sharing()
	out.Node, out.Store.Kind, out.Feed = s.ID, "postgresql", feed(s.Lease, s.Leased, s.PollAge)
	for _, n := range s.Nodes {
		out.Nodes = append(out.Nodes, api.Node{ID: n.ID, Name: n.Name, Version: n.Version, Lease: n.Lease.Milliseconds(), Started: n.Started, Seen: n.Seen})
	}
	return out
}

func part(kind string, err error) api.Part {
	if err != nil {
		return api.Part{Kind: kind, Problem: err.Error()}
	}
	return api.Part{Kind: kind, OK: true}
}

func feed(lease time.Duration, leased bool, age time.Duration) api.Part {
	out := api.Part{Kind: "poll", OK: leased || lease == 0}
	if !out.OK && age < 0 {
		out.Problem = "not read yet; every request reads the database"
	}
	if !out.OK && age >= 0 {
		out.Problem = fmt.Sprintf("not read for %v; every request reads the database", age.Round(time.Millisecond))
	}
	return out
}

// openSomething opens what it has just sealed: so the keyring, or what holds it, is there.
func (p *parts) openSomething(ctx context.Context) error {
	b := gatehouse.Binding{Purpose: "key-secret", Tenant: p.tenant, ID: "readiness", Version: 1}
	sealed, err := p.sealer.Seal(ctx, b, []byte("ready"))
	if err == nil {
		_, err = p.sealer.Open(ctx, b, sealed)
	}
	return err
}

// readyz says whether requests can be decided here and now, and how what decisions rest on
// stands. It is ready without nonces and without the feed: what rests on them is refused, or
// slower, and elsewhere it would be no better.
func (p *process) readyz(w http.ResponseWriter, r *http.Request) {
	if !p.ready.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	c := p.cluster(r.Context())
	lines := []string{"ready"}
	for _, part := range []struct {
		name string
		api.Part
	}{{"store", c.Store}, {"keyring", c.Keyring}, {"feed", c.Feed}, {"nonces", c.Nonces}, {"limits", c.Limits}} {
		state := "ok"
		if !part.OK {
			state = "unavailable"
			p.log.WarnContext(r.Context(), "not well", "part", part.name, "problem", part.Problem)
		}
		lines = append(lines, part.name+": "+state)
	}
	status := http.StatusOK
	if !c.Store.OK || !c.Keyring.OK {
		status, lines[0] = http.StatusServiceUnavailable, "not ready"
	}
	say(w, status, strings.Join(lines, "\n"))
}

// purgeShared deletes what nonces and limits have left behind.
func (p *process) purgeShared(ctx context.Context) {
	if err := p.shared.purge(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("nonces and limits not purged", "error", err)
	}
}

// Migrate brings the database of a configuration up to this version of the program, and says
// so on out.
func Migrate(ctx context.Context, c config.Config, out io.Writer) error {
	if c.DatabaseURL == "" {
		return errors.New("database_url: is empty; a database in the data directory is brought up by serve")
	}
	p := &parts{metrics: observe.New("")}
	db, err := postgres.Open(ctx, c.DatabaseURL, postgres.Options{AllowUnsafe: c.Database.Unsafe})
	if err != nil {
		return err
	}
	p.store = db
	defer func() { _ = db.Close() }()
	if c.RedisURL == "" {
		defer p.close()
		if err := p.openState(ctx, &c, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, "The database is up to date.")
	return err
}
