// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
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
	s.Nodes = slices.DeleteFunc(s.Nodes, func(n postgres.Node) bool { return silence(&n) > 0 })
	return observe.NodeStatus{Nodes: max(1, len(s.Nodes)), Leased: s.Leased, PollAge: s.PollAge, Losses: s.Losses, Hits: hits, Misses: misses}
}

// cluster tells how this process and its neighbours stand.
func (p *parts) cluster(ctx context.Context) api.Cluster {
	s := p.askAll(ctx)
	return p.tell(&s)
}

// tell is what cluster tells of a look at everything.
func (p *parts) tell(asked *standing) api.Cluster {
	out := api.Cluster{
		Store: part("sqlite", asked.store), Feed: api.Part{Kind: "none", OK: true},
		Nonces: part(p.shared.kind, asked.nonces), Limits: part(p.shared.kind, asked.nonces),
		Keyring: asked.ring(p.sealer.InVault()), Nodes: []api.Node{},
	}
	if asked.nonces != nil {
		out.Nonces.Problem += "; requests that are signed with a nonce are refused"
		if p.shared.kind == "redis" {
			out.Limits.Problem += "; each process admits its share of every limit"
		}
	}
	if rules := p.gates.rules; rules != nil {
		out.Rules = new(part("file", rules.problem()))
	}
	db := p.nodes.db.Load()
	if db == nil {
		return out
	}
	s, _, _ := db.Sharing()
	out.Node, out.Store.Kind, out.Feed = s.ID, "postgresql", feed(s.Lease, s.Leased, s.PollAge)
	if s.PollAge >= 0 {
		out.FeedAge = max(1, s.PollAge.Milliseconds())
	}
	for _, n := range s.Nodes {
		out.Nodes = append(out.Nodes, api.Node{ID: n.ID, Name: n.Name, Version: n.Version, Shares: n.Shares, Lease: n.Lease.Milliseconds(), Started: n.Started, Seen: n.Seen, Silent: silence(&n)})
	}
	return out
}

// silence is for how many milliseconds a node was not heard of, where that is longer than
// its lease.
func silence(n *postgres.Node) int64 {
	if n.Silent <= max(n.Lease, time.Second)+n.Lease/4 {
		return 0
	}
	return n.Silent.Milliseconds()
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

// tendShared looks after what keeps nonces and limits.
func (p *process) tendShared(ctx context.Context) {
	if err := p.shared.tend(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("what keeps nonces and limits does not answer", "error", err)
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
