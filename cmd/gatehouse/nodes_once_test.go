// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// nonceRounds is how many batches each key signs. Half of them have to fit into the window of
// a nonce.
var nonceRounds = sized(10, 20)

const (
	signers    = 10
	perBatch   = 10  // signed requests of a key in one call
	limitCount = 100 // what a limit admits
	limitAsked = 1000

	// A slow machine must not make a replay stale.
	longWindow = "GATEHOUSE_BARONG_NONCE_WINDOW=60s"
	longAhead  = 40 * time.Second
)

// signedBatch makes requests that a key signed, each with a nonce of its own. Their time is
// ahead of now: a node that forgets must not be saved by their age.
func (f *fleet) signedBatch(k api.CreatedKey) api.Checks {
	var in api.Checks
	for range perBatch {
		f.lastNonce = max(f.lastNonce+1, time.Now().Add(f.ahead).UnixMilli())
		nonce := strconv.FormatInt(f.lastNonce, 10)
		in.Checks = append(in.Checks, api.Check{Method: http.MethodGet, Target: "/", Headers: map[string][]string{
			"X-Auth-Apikey": {k.ID}, "X-Auth-Nonce": {nonce}, "X-Auth-Signature": {barong.Sign(k.Secret, nonce, k.ID)},
		}})
	}
	return in
}

// nonces is signed requests, and how often each was granted.
type nonces struct {
	*fleet
	t       *testing.T
	batches []api.Checks
	grants  [][]atomic.Int64
	reasons sync.Map     // reason of a denial: true
	failed  atomic.Int64 // to be decided
	later   atomic.Int64 // of those: the node said when they can be
}

func (f *fleet) nonces(t *testing.T, keys []api.CreatedKey, rounds int) *nonces {
	s := &nonces{fleet: f, t: t}
	for range rounds {
		for _, k := range keys {
			s.batches = append(s.batches, f.signedBatch(k))
			s.grants = append(s.grants, make([]atomic.Int64, perBatch))
		}
	}
	return s
}

// present presents a batch at a node, and returns how many of it were granted.
func (s *nonces) present(n *node, batch int) (count int) {
	var out api.Decisions
	status := n.call(s.t.Context(), "/v1/verify/batch", s.batches[batch], &out)
	if status != http.StatusOK || len(out.Decisions) != perBatch {
		s.t.Errorf("node %s: status %d, %d answers", n.name, status, len(out.Decisions))
		return 0
	}
	for i, d := range out.Decisions {
		switch {
		case d.Problem != nil:
			s.failed.Add(1)
			if d.Status != http.StatusServiceUnavailable {
				s.t.Errorf("node %s: not decided: status %d, %v", n.name, d.Status, d.Problem)
			}
			if d.RetryAfter > 0 {
				s.later.Add(1)
			}
		case d.Granted:
			s.grants[batch][i].Add(1)
			count++
		default:
			s.reasons.Store(d.Reason, true)
		}
	}
	return count
}

// judge counts the requests that were granted at all, and those that were more than once.
func (s *nonces) judge() (once, twice int) {
	for _, batch := range s.grants {
		for i := range batch {
			switch n := batch[i].Load(); {
			case n > 1:
				twice++
				fallthrough
			case n == 1:
				once++
			}
		}
	}
	return once, twice
}

// each calls do for every batch, a few at once.
func (s *nonces) each(do func(batch int)) {
	var wg sync.WaitGroup
	for first := range signers {
		wg.Go(func() {
			for b := first; b < len(s.batches); b += signers {
				do(b)
			}
		})
	}
	wg.Wait()
}

// inTurn presents every request to all nodes, one after another.
func (s *nonces) inTurn() {
	s.each(func(b int) {
		for i := range s.nodes {
			s.present(s.nodes[(b+i)%len(s.nodes)], b)
		}
	})
}

// mustNotRepeat fails the test if a request was granted twice, or fewer than least were
// granted.
func (s *nonces) mustNotRepeat(what string, least int) {
	s.t.Helper()
	once, twice := s.judge()
	if twice > 0 || once < least {
		s.t.Errorf("%s: of %d signed requests %d were accepted, %d of them twice", what, len(s.batches)*perBatch, once, twice)
	}
	s.t.Logf("%s: %d signed requests, %d accepted, %d twice, %d not decided", what, len(s.batches)*perBatch, once, twice, s.failed.Load())
}

// mustHold fails the test unless each request was granted exactly once, and denials say why.
func (s *nonces) mustHold(what string) {
	s.t.Helper()
	once, twice := s.judge()
	want := len(s.batches) * perBatch
	s.reasons.Range(func(reason, _ any) bool {
		if reason != "replayed" {
			s.t.Errorf("%s: denied for %v", what, reason)
		}
		return true
	})
	if once != want || twice > 0 || s.failed.Load() > 0 {
		s.t.Errorf("%s: of %d signed requests %d were accepted, %d of them twice; %d failed", what, want, once, twice, s.failed.Load())
	}
	s.t.Logf("%s: %d signed requests, %d accepted, %d twice", what, want, once, twice)
}

// TestNodesOnce: a signed request is accepted once, whichever nodes it is shown to, one after
// another, at once, and after nodes have been killed. Of 1,000 requests at three nodes at once
// a limit of 100 admits 100 at most, and a node that was killed has forgotten none of them.
func TestNodesOnce(t *testing.T) {
	t.Parallel()
	f := openFleet(t, longWindow)
	f.ahead = longAhead
	keys := f.signKeys(t)
	f.acceptOnce(t, keys)
	t.Run("limits", f.limits)
}

// signKeys makes keys of Barong's scheme.
func (f *fleet) signKeys(t *testing.T) (keys []api.CreatedKey) {
	t.Helper()
	owner, err := f.admin().CreateAccount(t.Context(), api.NewAccount{Email: "signers@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for range signers {
		k, err := f.admin().CreateKey(t.Context(), api.NewKey{Owner: owner.UID, Schemes: []string{"barong"}})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

// acceptOnce presents signed requests to all nodes.
func (f *fleet) acceptOnce(t *testing.T, keys []api.CreatedKey) {
	t.Helper()
	t.Run("in turn", func(t *testing.T) {
		s := f.nonces(t, keys, nonceRounds)
		s.inTurn()
		s.mustHold("in turn")
	})
	t.Run("at once", func(t *testing.T) {
		s := f.nonces(t, keys, nonceRounds/2)
		s.each(func(b int) {
			var wg sync.WaitGroup
			for _, n := range f.nodes {
				wg.Go(func() { s.present(n, b) })
			}
			wg.Wait()
		})
		s.mustHold("at once")
	})
	parent := t
	t.Run("after a crash", func(t *testing.T) {
		s := f.nonces(t, keys, nonceRounds/2)
		s.each(func(b int) { s.present(f.nodes[b%len(f.nodes)], b) })
		for _, n := range f.nodes[1:] {
			n.again(parent)
		}
		s.inTurn()
		s.mustHold("after a crash")
	})
}

// limits gives keys limits and uses them at all nodes.
func (f *fleet) limits(t *testing.T) {
	t.Helper()
	tokens := f.limited(t)
	for name, token := range tokens {
		got := admitted(t, f.nodes, token, limitAsked)
		if got > limitCount || got == 0 {
			t.Errorf("%s of %d at %d nodes: admitted %d", name, limitCount, len(f.nodes), got)
		}
		t.Logf("%s: %d of %d admitted", name, got, limitAsked)
	}
	f.nodes[1].again(t)
	for name, token := range tokens {
		if got := admitted(t, f.nodes, token, 2*len(f.nodes)); got > 0 {
			t.Errorf("%s: after a node was killed %d more are admitted", name, got)
		}
	}
}

// limited makes a key with a rate limit and one with a quota, and returns their tokens.
func (f *fleet) limited(t *testing.T) map[string]string {
	t.Helper()
	owner, err := f.admin().CreateAccount(t.Context(), api.NewAccount{Email: "limits@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for name, l := range map[string]api.Limit{
		"rate":  {Name: "rate", Count: limitCount, Period: (24 * time.Hour).Milliseconds()},
		"quota": {Name: "quota", Count: limitCount, Refill: "month"},
	} {
		k, err := f.admin().CreateKey(t.Context(), api.NewKey{Owner: owner.UID, Schemes: []string{"bearer"}, Limits: []api.Limit{l}})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = k.Token
	}
	return tokens
}

// admitted asks nodes in turn, many at once, and returns how many requests with a token are
// granted. All others must be refused for the limit.
func admitted(t *testing.T, nodes []*node, token string, asked int) int64 {
	var count, turn atomic.Int64
	var wg sync.WaitGroup
	for range limitAsked / 20 {
		wg.Go(func() {
			for i := int(turn.Add(1)); i <= asked; i = int(turn.Add(1)) {
				var d api.Decision
				status := nodes[i%len(nodes)].call(t.Context(), "/v1/verify", presents(token), &d)
				switch {
				case status == http.StatusOK && d.Granted:
					count.Add(1)
				case status != http.StatusOK || d.Reason != "rate_limited":
					t.Errorf("status %d, %s", status, d.Reason)
				}
			}
		})
	}
	wg.Wait()
	return count.Load()
}
