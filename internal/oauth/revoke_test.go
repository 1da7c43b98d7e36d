// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Who may end a key, and as whom the log names it.
func TestRevoke(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person(operator, "guard", "ID0000000003")
	guard := h.key(gatehouse.NewKey{Principal: "guard", Scopes: gatehouse.Scopes{gatehouse.ScopeKeysRevoke}})
	for name, row := range map[string]struct {
		with  func(c gatehouse.Created) header
		more  func(c gatehouse.Created) string
		actor func(c gatehouse.Created) string
	}{
		"by the token alone":    {},
		"by its client, header": {with: func(c gatehouse.Created) header { return basic(c.Key.ID, c.Secret.Reveal()) }},
		"by its client, body": {more: func(c gatehouse.Created) string {
			return "&" + form("client_id", c.Key.ID, "client_secret", c.Secret.Reveal())
		}},
		"by itself": {with: bearerOf},
		"by another key": {
			with:  func(gatehouse.Created) header { return bearerOf(guard) },
			actor: func(gatehouse.Created) string { return guard.Key.ID },
		},
		"by another client": {
			with:  func(gatehouse.Created) header { return basic(guard.Key.ID, guard.Secret.Reveal()) },
			actor: func(gatehouse.Created) string { return guard.Key.ID },
		},
	} {
		c, with, body, actor := h.with("read"), header(nil), "", ""
		body, actor = form("token", c.Token.Reveal(), "token_type_hint", "access_token"), c.Key.ID
		if row.with != nil {
			with = row.with(c)
		}
		if row.more != nil {
			body += row.more(c)
		}
		if row.actor != nil {
			actor = row.actor(c)
		}
		with = append(with, "X-Forwarded-For", "192.0.2.9", "User-Agent", "tests")
		if r := h.post(end, with, body); r.status != 200 || r.body != "{}\n" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if s := h.state(c); s != gatehouse.StateRevoked {
			t.Errorf("%s: the key is %s", name, s)
		}
		events, n, err := h.store.ListEvents(context.Background(), gatehouse.EventQuery{Tenant: "default", Subject: c.Key.ID, Verbs: []string{"key.revoke"}})
		h.must(err)
		if n != 1 {
			t.Errorf("%s: %d events", name, n)
			continue
		}
		by := events[0].Actor
		if by.Kind != gatehouse.ActorKey || by.ID != actor || by.Address.String() != "192.0.2.9" || by.UserAgent != "tests" || events[0].Outcome != gatehouse.OutcomeSucceeded {
			t.Errorf("%s: by %+v", name, by)
		}
	}
}

// A key that cannot be used for now is ended too: it could come back.
func TestRevokeDisabled(t *testing.T) {
	t.Parallel()
	h := open(t)
	disabled := h.with()
	_, err := h.auth.Disable(context.Background(), operator, disabled.Key.ID)
	h.must(err)
	early := h.key(gatehouse.NewKey{NotBefore: h.clock.Now().Add(time.Hour)})
	for _, c := range []gatehouse.Created{disabled, early} {
		if r := h.post(end, nil, form("token", c.Token.Reveal())); r.status != 200 || h.state(c) != gatehouse.StateRevoked {
			t.Errorf("%d %s, %s", r.status, r.body, h.state(c))
		}
	}
}

// Tokens with nothing behind them are answered as all others are, and change nothing.
func TestRevokeNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	guard, strange, c := h.with(gatehouse.ScopeKeysRevoke), h.stranger(), h.with()
	gone := h.with()
	_, err := h.auth.Revoke(context.Background(), operator, gone.Key.ID, "")
	h.must(err)
	deleted := h.with()
	_, err = h.auth.Revoke(context.Background(), operator, deleted.Key.ID, "")
	h.must(err)
	h.must(h.auth.Delete(context.Background(), operator, deleted.Key.ID))
	for name, token := range map[string]string{
		"nonsense": "nonsense", "unknown": "gh_BRTRKFsL0xYz_51FwqftsmMDHHbJAMEXXHCgG", "wrong": "gh_" + c.Key.ID + "_51FwqftsmMDHHbJAMEXXHCgG",
		"key id": c.Key.ID, "of another tenant": strange.Token.Reveal(), "revoked": gone.Token.Reveal(), "deleted": deleted.Token.Reveal(),
	} {
		if r := h.post(end, bearerOf(guard), form("token", token)); r.status != 200 || r.body != "{}\n" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for _, k := range []gatehouse.Created{strange, c, guard} {
		if h.state(k) != gatehouse.StateActive {
			t.Errorf("%s is %s", k.Key.ID, h.state(k))
		}
	}
}

func TestRevokeRefusals(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, other, wild := h.with("read"), h.with("read"), h.with("*")
	token := form("token", c.Token.Reveal())
	for _, row := range []struct {
		name   string
		with   header
		body   string
		status int
		code   string
	}{
		{"no token", nil, "", 400, "invalid_request"},
		{"two tokens", nil, token + "&" + token, 400, "invalid_request"},
		{"a JWT", nil, form("token", h.mint(c, "")), 400, "unsupported_token_type"},
		{"wrong client", basic(c.Key.ID, "wrong"), token, 401, "invalid_client"},
		{"client without secret", nil, token + "&client_id=" + c.Key.ID, 401, "invalid_client"},
		{"wrong bearer", header{"Authorization", "Bearer nonsense"}, token, 401, "invalid_token"},
		{"another client", basic(other.Key.ID, other.Secret.Reveal()), token, 403, "insufficient_scope"},
		{"another key", bearerOf(other), token, 403, "insufficient_scope"},
		{"the wildcard", bearerOf(wild), token, 403, "insufficient_scope"},
	} {
		h.refused(row.name, h.post(end, row.with, row.body), row.status, row.code)
	}
	if h.state(c) != gatehouse.StateActive {
		t.Error("a refused request revoked the key")
	}
}
