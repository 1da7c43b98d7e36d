// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// cutter breaks the connection at the next COMMIT that comes by.
type cutter struct{ next atomic.Int64 } // a testenv.ProxyAct

func (c *cutter) watch(block []byte) testenv.ProxyAct {
	if !bytes.Contains(block, []byte("commit\x00")) {
		return testenv.ProxyPass
	}
	return testenv.ProxyAct(c.next.Swap(int64(testenv.ProxyPass)))
}

// doubter is a client whose every change is cut off once, before or after the database saw
// the COMMIT in turns, and made again under the same [gatehouse.Once].
type doubter struct {
	*testing.T
	*house
	cutter cutter
	ledger *ledger

	cuts, landed int // and how many of those after the COMMIT had happened
}

// TestAmbiguousCommits cuts 204 commits off, of four nodes that add to one chain. Whoever
// asked is told ErrUnavailable, and asks again: the change happened wholly or not at all, and
// not twice.
func TestAmbiguousCommits(t *testing.T) {
	t.Parallel()
	const nodes, lives = 4, 17
	url := testenv.Postgres(t)
	proxies, urls := make([]*testenv.Proxy, nodes), make([]string, nodes)
	for i := range proxies {
		proxies[i] = testenv.NewProxy(t, hostOf(t, url))
		urls[i] = through(t, url, proxies[i].Addr())
	}
	all := houses(t, urls...)
	var book ledger
	doubters := make([]*doubter, nodes)
	var tasks sync.WaitGroup
	for i := range doubters {
		d := &doubter{T: t, house: all[i], ledger: &book}
		doubters[i] = d
		proxies[i].Watch(d.cutter.watch)
		tasks.Go(func() {
			for n := 0; n < lives && !t.Failed(); n++ {
				d.live(label(i, n))
			}
		})
	}
	tasks.Wait()
	cuts, landed := 0, 0
	for _, d := range doubters {
		cuts, landed = cuts+d.cuts, landed+d.landed
	}
	t.Logf("%d commits cut off, half of them after they were passed on; %d changes had happened", cuts, landed)
	if landed == 0 || landed == cuts {
		t.Error("the test tests one side only")
	}
	book.audit(t, all[0], url)
}

// live walks one key through its life.
func (d *doubter) live(name string) {
	d.ledger.note(name, fate{})
	made := d.twice(name, func(actor gatehouse.Actor) error {
		_, err := d.Create(d.Context(), actor, newKey(name))
		return err
	}, func() bool {
		found, err := d.db.FindKeys(d.Context(), gatehouse.KeySearch{Tenant: gatehouse.DefaultTenant, Metadata: gatehouse.Metadata{"name": name}, Limit: 2})
		if err != nil || len(found) > 1 {
			d.Errorf("%s: found %d keys, %v", name, len(found), err)
		}
		return len(found) > 0
	})
	version := func(v int64) func() bool {
		return func() bool {
			k, err := d.Get(d.Context(), operator, made.Subject)
			if err != nil {
				d.Errorf("%s: %v", name, err)
			}
			return k.Version == v
		}
	}
	f := fate{id: made.Subject, now: name, verbs: []string{"key.create", "key.rotate", "key.revoke"}, state: gatehouse.StateRevoked}
	d.ledger.note(name, f)
	first := d.unread(&made)
	d.granted("the first secret", first, true)

	turned := d.twice(name+", next", func(actor gatehouse.Actor) error {
		_, err := d.Rotate(d.Context(), actor, f.id, 0, "")
		return err
	}, version(2))
	second := d.unread(&turned)
	d.granted("the first secret after a rotation", first, false)
	d.granted("the second secret", second, true)

	d.twice(name+", end", func(actor gatehouse.Actor) error {
		_, err := d.Revoke(d.Context(), actor, f.id, "")
		return err
	}, version(3))
	d.granted("the secret of a revoked key", second, false)
}

// twice makes a change whose first COMMIT is cut off, makes it again, and returns its
// receipt. happened looks whether it has been made.
func (d *doubter) twice(id string, change func(gatehouse.Actor) error, happened func() bool) gatehouse.Receipt {
	actor := operator
	actor.Once = &gatehouse.Once{ID: id, Request: []byte(id)}
	act := testenv.ProxyCutBefore
	if d.cuts%2 == 1 {
		act = testenv.ProxyCutAfter
	}
	d.cuts++
	d.cutter.next.Store(int64(act))
	if err := change(actor); !errors.Is(err, gatehouse.ErrUnavailable) || d.cutter.next.Load() != int64(testenv.ProxyPass) {
		d.Errorf("%s: %v when the commit was cut off", id, err)
	}
	if act == testenv.ProxyCutBefore && happened() {
		d.Errorf("%s: happened without a COMMIT", id)
	}
	// The server may be about to commit: whether it had then is what this says.
	switch err := change(actor); {
	case errors.Is(err, gatehouse.ErrRepeated):
		d.landed++
	case err != nil:
		d.Errorf("%s: once more: %v", id, err)
	}
	if !happened() {
		d.Errorf("%s: did not happen, or more than once", id)
	}
	r, err := d.db.Receipt(d.Context(), actor.Tenant, id)
	if err != nil {
		d.Errorf("%s: %v", id, err)
	}
	return r
}

// unread is the token that the one who asked never saw.
func (d *doubter) unread(r *gatehouse.Receipt) gatehouse.Secret {
	_, token, err := d.Unread(d.Context(), r)
	if err != nil || token.Empty() {
		d.Errorf("%s: the receipt holds no token: %v", r.ID, err)
	}
	return token
}

func (d *doubter) granted(what string, token gatehouse.Secret, want bool) {
	if got, err := d.use(d.Context(), token); err != nil || got.Granted != want {
		d.Errorf("%s: granted %v, %v, %v", what, got.Granted, got.Reason, err)
	}
}

// TestCancelledContexts reads many different records, half of them with contexts that end at
// random in mid-query: no answer is another one's (CVE-2025-47907 was such a fault), and who
// waits gets one. Events are added in the same manner, and the chain is whole.
func TestCancelledContexts(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	proxy := testenv.NewProxy(t, hostOf(t, url))
	h := houses(t, through(t, url, proxy.Addr()))[0]
	const keys = 40
	for i := range keys {
		k := gatehouse.Key{
			ID: fmt.Sprint("key-", i), Tenant: gatehouse.DefaultTenant, Principal: "owner", State: gatehouse.StateActive, Version: 1,
			Name: fmt.Sprint("name-", i), Metadata: gatehouse.Metadata{"name": fmt.Sprint(i)},
			Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialDigest, Data: fmt.Append(nil, "digest-", i)}},
		}
		if err := h.db.InsertKey(t.Context(), &k, event(k.ID)); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Delay(delay)
	var answered, ended atomic.Int64
	var tasks sync.WaitGroup
	for worker := range 8 {
		tasks.Go(func() {
			for n := range 60 {
				ctx, cancel := t.Context(), func() {}
				ends := n/4%2 == 0
				if ends {
					ctx, cancel = context.WithTimeout(ctx, rand.N(8*delay))
				}
				switch err := h.readOrAdd(ctx, t, (worker*60+n*7)%keys, n); {
				case err == nil:
					answered.Add(1)
				case ends && errors.Is(err, gatehouse.ErrUnavailable):
					ended.Add(1)
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	tasks.Wait()
	proxy.Delay(0)
	t.Logf("%d answered, %d ended", answered.Load(), ended.Load())
	if answered.Load() == 0 || ended.Load() == 0 {
		t.Error("the test tests one side only")
	}
	chain, _, err := gatehouse.VerifyChain(t.Context(), h.db, gatehouse.DefaultTenant, gatehouse.ChainPoint{}, chainKey)
	if err != nil || !chain.Sound() {
		t.Errorf("the chain: %v, %v", chain.Faults, err)
	}
}

const delay = 2 * time.Millisecond // of an answer

// readOrAdd reads key i in one of several ways, or adds an event, and wants what it reads to
// be of that key.
func (h *house) readOrAdd(ctx context.Context, t *testing.T, i, n int) error {
	id, name := fmt.Sprint("key-", i), fmt.Sprint("name-", i)
	whole := func(how string, k *gatehouse.Key) {
		if k.ID != id || k.Name != name || k.Metadata["name"] != fmt.Sprint(i) || len(k.Materials) > 0 && string(k.Materials[0].Data) != fmt.Sprint("digest-", i) {
			t.Errorf("%s: asked for %s and read %s, %q", how, id, k.ID, k.Name)
		}
	}
	switch n % 4 {
	case 0:
		return h.db.AppendEvent(ctx, event(id))
	case 1:
		k, err := h.db.GetKey(ctx, gatehouse.DefaultTenant, id)
		if err == nil {
			whole("get", &k)
		}
		return err
	case 2:
		found, err := h.db.FindKeys(ctx, gatehouse.KeySearch{Tenant: gatehouse.DefaultTenant, Metadata: gatehouse.Metadata{"name": fmt.Sprint(i)}, Limit: 3})
		if err == nil && len(found) != 1 {
			t.Errorf("found %d keys with the name of %s", len(found), id)
		}
		for i := range found {
			whole("find", &found[i].Key)
		}
		return err
	}
	r, err := h.db.Lookup(ctx, id)
	if err == nil {
		whole("look up", &r.Key)
	}
	return err
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
