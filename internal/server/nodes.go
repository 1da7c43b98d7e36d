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
	"slices"
	"strings"
	"sync"
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
	store, keyring, nonces := p.askAll(ctx)
	out := api.Cluster{
		Store: part("sqlite", store), Feed: api.Part{Kind: "none", OK: true},
		Nonces: api.Part{Kind: p.shared.kind, OK: true}, Limits: api.Part{Kind: p.shared.kind, OK: true},
		Keyring: part("file", keyring), Nodes: []api.Node{},
	}
	if err := nonces; err != nil {
		out.Nonces, out.Limits = part(p.shared.kind, err), part(p.shared.kind, err)
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

// askAll asks everything that decisions rest on, side by side: what is slow must not make
// another look ill.
func (p *parts) askAll(ctx context.Context) (store, keyring, nonces error) {
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { store = p.ping(ctx) })
	wg.Go(func() { keyring = p.openSomething(ctx) })
	if p.shared.ping != nil {
		wg.Go(func() { nonces = p.shared.ping(ctx) })
	}
	wg.Wait()
	return store, keyring, nonces
}

// longestAsk is how long a look at everything takes at most.
const longestAsk = 2 * time.Second

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
	type named struct {
		name string
		api.Part
	}
	all := []named{{"store", c.Store}, {"keyring", c.Keyring}, {"feed", c.Feed}, {"nonces", c.Nonces}, {"limits", c.Limits}}
	if c.Rules != nil {
		all = append(all, named{"rules", *c.Rules})
	}
	for _, part := range all {
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
