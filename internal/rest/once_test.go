// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

const onceKey = "Idempotency-Key: one"

func created(t *testing.T, r reply) api.CreatedKey {
	t.Helper()
	var k api.CreatedKey
	if err := json.Unmarshal([]byte(r.body), &k); err != nil || r.status >= 300 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return k
}

// gone is a client that went away: nothing reaches it.
type gone struct{ header http.Header }

func (g gone) Header() http.Header         { return g.header }
func (g gone) WriteHeader(int)             {}
func (g gone) Write(p []byte) (int, error) { return 0, errors.New("gone") }

func TestOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, admin := h.keyOf("", "bob@example.com", "member", manageAll()...)
	const line, body = "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"]}`
	first := h.call(admin.Token, line, body, onceKey)
	k := created(t, first)
	if k.Secret == "" || first.header.Get("Idempotency-Replayed") != "" || first.header.Get("Etag") != `"1"` {
		t.Errorf("first: %v %s", first.header, first.body)
	}
	for range 2 {
		second := h.call(admin.Token, line, body, onceKey)
		again := created(t, second)
		if second.status != 201 || again.ID != k.ID || again.Secret != "" || again.Token != "" || second.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again: %d %v %s", second.status, second.header, second.body)
		}
	}
	for name, row := range map[string]struct{ line, body, code string }{
		"another body":  {line, `{"owner":"bob@example.com","schemes":["bearer"],"name":"n"}`, "idempotency_mismatch"},
		"another route": {"POST /v1/keys/" + k.ID + "/revoke", "", "idempotency_mismatch"},
	} {
		if r := h.call(admin.Token, row.line, row.body, onceKey); r.status != 422 || r.code(t) != row.code {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := h.call(admin.Token, line, body, "Idempotency-Key: two"); created(t, r).ID == k.ID {
		t.Error("another name gives the same key")
	}
	_, other := h.keyOf("", "carol@example.com", "admin", manageAll()...)
	if r := h.call(other.Token, line, body, onceKey); created(t, r).ID == k.ID {
		t.Error("another caller gets the answer of the first")
	}
	for _, bad := range []string{"", strings.Repeat("x", 256), "\x01", "ä"} {
		if r := h.call(admin.Token, line, body, "Idempotency-Key: "+bad); r.status != 422 || !strings.Contains(r.body, `"field":"Idempotency-Key"`) {
			t.Errorf("%q: %d %s", bad, r.status, r.body)
		}
	}
	if r := h.call(admin.Token, line, `{"owner":"bob@example.com","schemes":["bearer"],"name":"\u0007"}`, "Idempotency-Key: bad"); r.status != 422 {
		t.Errorf("a bad request: %d", r.status)
	}
	if r := h.call(admin.Token, line, body, "Idempotency-Key: bad"); r.status != 201 {
		t.Errorf("after a bad request under the same name: %d %s", r.status, r.body)
	}
}

// Whose answer was lost gets the secret when it asks again, and then nobody does.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, admin := h.keyOf("", "bob@example.com", "member", append(manageAll(), "read")...)
	old := created(t, h.call(admin.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"]}`))
	for line, body := range map[string]string{
		"POST /v1/keys":                       `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["read"]}`,
		"POST /v1/keys/" + old.ID + "/rotate": `{"grace_s":60}`,
	} {
		before, _, _ := h.store.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: "default"})
		h.lost(admin.Token, line, body, line)
		h.lost(admin.Token, line, body, line)
		again := h.call(admin.Token, line, body, "Idempotency-Key: "+line)
		k := created(t, again)
		if k.Secret == "" || k.Token == "" || again.header.Get("Idempotency-Replayed") != "true" {
			t.Fatalf("%s: %v %s", line, again.header, again.body)
		}
		if d := h.call(k.Token, "GET /v1/self", ""); d.status != 200 {
			t.Errorf("%s: the secret does not work: %s", line, d.body)
		}
		if k := created(t, h.call(admin.Token, line, body, "Idempotency-Key: "+line)); k.Secret != "" || k.Token != "" {
			t.Errorf("%s: the secret is told twice", line)
		}
		after, _, _ := h.store.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: "default"})
		if made := len(after) - len(before); made > 1 || strings.HasSuffix(line, "rotate") && made != 0 {
			t.Errorf("%s: %d keys more", line, made)
		}
	}
}

// lost sends a request whose answer reaches nobody.
func (h *house) lost(token, line, body, name string) {
	h.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Idempotency-Key", name)
	h.public.ServeHTTP(gone{http.Header{}}, r)
}

// A process that dies between the change and its answer leaves a receipt without one.
func TestAnswerIsRebuilt(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, admin := h.keyOf("", "bob@example.com", "member", manageAll()...)
	const line, body = "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"]}`
	h.serve(rest.Config{Receipts: crashed{h.store}})
	h.lost(admin.Token, line, body, "one")
	h.serve(rest.Config{})
	r := h.call(admin.Token, line, body, onceKey)
	k := created(t, r)
	if r.status != 201 || k.Secret == "" || r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if d := h.call(k.Token, "GET /v1/self", ""); d.status != 200 {
		t.Errorf("the secret does not work: %s", d.body)
	}
}

// crashed is the real store of a process that dies before it keeps an answer.
type crashed struct{ gatehouse.ReceiptStore }

func (crashed) KeepAnswer(context.Context, *gatehouse.Receipt) (gatehouse.Receipt, error) {
	return gatehouse.Receipt{}, errors.New("gone")
}

// Many at once, of two servers on one store, make one key, and one of them hears its secret.
func TestOnceAtTheSameTime(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, admin := h.keyOf("", "bob@example.com", "member", manageAll()...)
	const line, body = "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"]}`
	one := h.public
	h.serve(rest.Config{})
	faces := []http.Handler{one, h.public}
	answers := make([]reply, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/keys", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+admin.Token)
			r.Header.Set("Idempotency-Key", "one")
			w := httptest.NewRecorder()
			faces[i%2].ServeHTTP(w, r)
			answers[i] = reply{w.Code, w.Header(), w.Body.String()}
		})
	}
	wg.Wait()
	ids, secrets := map[string]bool{}, 0
	for _, r := range answers {
		k := created(t, r)
		ids[k.ID] = true
		if k.Secret != "" {
			secrets++
		}
	}
	if len(ids) != 1 || secrets != 1 {
		t.Errorf("%d keys, %d secrets: %s", len(ids), secrets, line)
	}
}
