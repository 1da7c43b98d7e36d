// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/barong"
)

// budgets notes what is charged.
type budgets struct {
	gatehouse.Limiter
	mu   sync.Mutex
	seen map[string]bool
}

func (b *budgets) Take(ctx context.Context, key string, limits []gatehouse.Limit) (bool, time.Duration, error) {
	b.mu.Lock()
	b.seen[key] = true
	b.mu.Unlock()
	return b.Limiter.Take(ctx, key, limits)
}

// The limiter of mail is that of the keys, too: who makes up addresses must not fill it.
func TestMadeUpAddressesShareBudgets(t *testing.T) {
	t.Parallel()
	b := &budgets{seen: map[string]bool{}}
	h := open(t, options{door: func(c *barong.Config) { b.Limiter, c.Limiter = c.Limiter, b }})
	for i := range 64 {
		if got := h.api("POST", "/identity/users/email/generate_code", jsonBody(fmt.Sprintf(`{"email":"%d@example.com"}`, i))); got.status != 201 {
			t.Fatal(got)
		}
	}
	h.mails()
	for key := range b.seen {
		if bucket := strings.TrimPrefix(key, "barong:mail:confirmation:default:none:"); len(bucket) != 3 {
			t.Errorf("charged is %q", key)
		}
	}
	if len(b.seen) == 0 {
		t.Error("nothing is charged")
	}
}

// signs counts the tokens that are signed, by purpose and address.
type signs struct {
	barong.Tokens
	mu   sync.Mutex
	seen map[string]int
}

func (s *signs) Sign(ctx context.Context, purpose, email, uid string, life time.Duration) (gatehouse.Secret, string, error) {
	s.mu.Lock()
	s.seen[purpose+" "+email]++
	s.mu.Unlock()
	return s.Tokens.Sign(ctx, purpose, email, uid, life)
}

// The work behind the answers is the same whoever an address belongs to, however often it is
// asked for: a server that is busier for some addresses tells who is here.
func TestMailWorkTellsNotWhoIsHere(t *testing.T) {
	t.Parallel()
	s := &signs{seen: map[string]int{}}
	h := open(t, options{door: func(c *barong.Config) { s.Tokens, c.Tokens = c.Tokens, s }})
	h.person("active@example.com")
	want := map[string]int{}
	for purpose, path := range map[string]string{"confirmation": "/identity/users/email/generate_code", "reset": "/identity/users/password/generate_code"} {
		for _, email := range []string{"active@example.com", "nobody@example.com", "another@example.com", "no address"} {
			for range 5 {
				h.expect(email, h.api("POST", path, jsonBody(fmt.Sprintf(`{"email":%q}`, email))), 201, "201")
			}
			want[purpose+" "+email] = 3
		}
	}
	if mails := h.mails(); len(mails) != 1 || len(mails["active@example.com"]) != 3 {
		t.Errorf("mails: %v", mails)
	}
	if diff := cmp.Diff(want, s.seen); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}
}
