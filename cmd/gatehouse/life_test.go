// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

const (
	keyRotations = 200
	loadEvery    = 2 * time.Millisecond // a verification begins, whether the one before has ended or not
)

// held is a secret that its holder may use. Users of it are counted, so that it can be taken
// away between two requests, as a careful holder does.
type held struct {
	token string
	users sync.WaitGroup
}

// purse is the secrets that are good now.
type purse struct {
	mu   sync.Mutex
	good []*held
}

// pick takes a good secret for one request.
func (p *purse) pick() *held {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.good[rand.IntN(len(p.good))]
	h.users.Add(1)
	return h
}

func (p *purse) add(token string) *held {
	h := &held{token: token}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.good = append(p.good, h)
	return h
}

// drop takes the oldest secret away and waits for its last request.
func (p *purse) drop() *held {
	p.mu.Lock()
	h := p.good[0]
	p.good = p.good[1:]
	p.mu.Unlock()
	h.users.Wait()
	return h
}

// bearer asks for a decision about a request with a token.
func (s *server) bearer(ctx context.Context, token string) (api.Decision, error) {
	return s.client().Verify(ctx, api.Check{Method: "GET", Target: "/", Headers: map[string][]string{"Authorization": {"Bearer " + token}}})
}

// TestKeyRotation rotates a key 200 times under open-loop load. No request with a secret
// that is good is refused; every old secret is refused from the end of its rotation on.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := serve(t, t.TempDir(), "", readyKey(t))
	s.gatehouse("Correct-horse-7\n", "account", "create", "owner@example.com", "--password-stdin")
	admin := s.client()
	k, err := admin.CreateKey(ctx, api.NewKey{Owner: "owner@example.com", Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	var p purse
	p.add(k.Token)
	var asked, failed atomic.Int64
	enough := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		tick := time.NewTicker(loadEvery)
		defer tick.Stop()
		for {
			select {
			case <-enough:
				return
			case <-tick.C:
			}
			h := p.pick()
			load.Go(func() {
				defer h.users.Done()
				asked.Add(1)
				if d, err := s.bearer(ctx, h.token); err != nil || !d.Granted {
					failed.Add(1)
					t.Errorf("a good secret: %s, %v", d.Reason, err)
				}
			})
		}
	})
	for i := range keyRotations {
		next, err := admin.RotateKey(ctx, k.ID, api.Rotate{Grace: 3600})
		if err != nil {
			t.Fatalf("rotation %d: %v", i, err)
		}
		p.add(next.Token)
		before := asked.Load()
		eventually(t, "a verification between", func() bool { return asked.Load() > before+1 })
		old := p.drop()
		if i%2 == 0 {
			_, err = admin.FinishRotation(ctx, k.ID)
		} else { // by its own time: a second is the shortest grace there is
			_, err = admin.ExtendRotation(ctx, k.ID, api.Extend{Grace: 1})
			if err == nil && i > 10 {
				_, err = admin.FinishRotation(ctx, k.ID)
			} else if err == nil {
				eventually(t, "the end of grace", func() bool {
					d, err := s.bearer(ctx, old.token)
					return err == nil && !d.Granted
				})
			}
		}
		if err != nil {
			t.Fatalf("end of rotation %d: %v", i, err)
		}
		if d, err := s.bearer(ctx, old.token); err != nil || d.Reason != "invalid_credential" {
			t.Errorf("an old secret after rotation %d: %s, %v", i, d.Reason, err)
		}
	}
	close(enough)
	load.Wait()
	t.Logf("%d rotations, %d verifications, %d failed", keyRotations, asked.Load(), failed.Load())
}

// TestLimit: of 1,000 requests at once a limit of 100 admits 100, and kill -9 gives none of
// them back.
func TestLimit(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := serve(t, t.TempDir(), "", readyKey(t))
	s.gatehouse("Correct-horse-7\n", "account", "create", "owner@example.com", "--password-stdin")
	limits := map[string]api.Limit{
		"rate":  {Name: "rate", Count: 100, Period: (24 * time.Hour).Milliseconds()},
		"quota": {Name: "quota", Count: 100, Refill: "month"},
	}
	tokens := map[string]string{}
	for name, l := range limits {
		k, err := s.client().CreateKey(ctx, api.NewKey{Owner: "owner@example.com", Schemes: []string{"bearer"}, Limits: []api.Limit{l}})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = k.Token
	}
	for name, token := range tokens {
		var admitted atomic.Int64
		var wg sync.WaitGroup
		turns := make(chan struct{}, 1000)
		for range cap(turns) {
			turns <- struct{}{}
		}
		close(turns)
		for range 50 {
			wg.Go(func() {
				for range turns {
					d, err := s.bearer(ctx, token)
					if err != nil || d.Limit == nil || d.Limit.Remaining < 0 || !d.Granted && d.Status != 429 {
						t.Errorf("%s: %+v, %v", name, d, err)
						return
					}
					if d.Granted {
						admitted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if admitted.Load() != 100 {
			t.Errorf("%s of 100: admitted %d", name, admitted.Load())
		}
	}
	s.Kill()
	s = s.restart()
	for name, token := range tokens {
		if d, err := s.bearer(ctx, token); err != nil || d.Reason != "rate_limited" || d.RetryAfter <= 0 {
			t.Errorf("%s after kill -9: granted %v, %s, retry after %d ms, %v", name, d.Granted, d.Reason, d.RetryAfter, err)
		}
	}
}
