// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// What reviewers found open once.

// Who sends a body slowly does not outlive the revocation of its key, nor its narrowing.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	h := open(t)
	server := httptest.NewServer(h.api.Public())
	defer server.Close()
	// The server says "100 Continue" when it begins to read, which it does after the gate.
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer patient.CloseIdleConnections()
	for name, row := range map[string]struct {
		change func(kid string) error
		code   string
	}{
		"revoked": {func(kid string) error { _, err := h.client.RevokeKey(t.Context(), kid, ""); return err }, "key_revoked"},
		"narrowed": {func(kid string) error {
			_, err := h.authority.Update(t.Context(), operator, kid, gatehouse.Patch{Scopes: &gatehouse.Scopes{"keys:create"}})
			return err
		}, "caller_changed"},
		"unchanged": {func(string) error { return nil }, ""},
	} {
		email := name + "@example.com"
		_, k := h.keyOf("", email, "member", "keys:create", "keys:read")
		body := &lateBody{text: strings.NewReader(`{"owner":"` + email + `","schemes":["bearer"],"scopes":["keys:read"]}`), before: func() {
			if err := row.change(k.ID); err != nil {
				t.Error(err)
			}
		}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/keys", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+k.Token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Expect", "100-continue")
		resp, err := patient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if made := resp.StatusCode == http.StatusCreated; made != (row.code == "") || !strings.Contains(string(text), row.code) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}

// lateBody does something before its first byte is sent.
type lateBody struct {
	text   io.Reader
	before func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	return b.text.Read(p)
}

// An import gives no key to an account that has come to a role of its own since.
func TestImportForTheMighty(t *testing.T) {
	t.Parallel()
	h := open(t)
	hash := sha256.Sum256([]byte("x"))
	in := func(kid string) string {
		return `{"scheme":"bearer","owners":[{"email":"boss@example.com","origin":"shield:1"}],"keys":[{"kid":"` + kid +
			`","owner":"boss@example.com","prefix":"mycompany","scopes":[],"hash":"` + base64.StdEncoding.EncodeToString(hash[:]) + `"}]}`
	}
	if r := h.send("POST /v1/keys/import", in("BRTRKFsL")); r.status != 200 || !strings.Contains(r.body, `"written":true`) {
		t.Fatalf("the first import: %d %s", r.status, r.body)
	}
	if r := h.send("PATCH /v1/accounts/boss@example.com", `{"role":"superadmin"}`); r.status != 200 {
		t.Fatal(r.body)
	}
	_, admin := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	for who, r := range map[string]reply{"an administrator's key": h.call(admin.Token, "POST /v1/keys/import", in("BRTRKFsM")), "the operator": h.send("POST /v1/keys/import", in("BRTRKFsN"))} {
		if r.status != 200 || !strings.Contains(r.body, "a role of its own") || strings.Contains(r.body, `"written":true`) {
			t.Errorf("%s: %d %s", who, r.status, r.body)
		}
	}
}

// A key imports none that can more than itself.
func TestImportWider(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, admin := h.keyOf("", "admin@example.com", "admin", "keys:import", "a")
	hash := sha256.Sum256([]byte("x"))
	for scopes, ok := range map[string]bool{`"a"`: true, `"b"`: false, `"*"`: false, `"keys:import"`: true, `"keys:create"`: false} {
		body := `{"scheme":"bearer","owners":[{"email":"o@example.com","origin":"x:1"}],"keys":[{"kid":"K` + strings.Trim(strings.ReplaceAll(scopes, ":", ""), `"`) +
			`","owner":"o@example.com","prefix":"mycompany","scopes":[` + scopes + `],"hash":"` + base64.StdEncoding.EncodeToString(hash[:]) + `"}]}`
		body = strings.ReplaceAll(body, "K*", "Kany")
		if r := h.call(admin.Token, "POST /v1/keys/import", body); r.status != 200 || strings.Contains(r.body, `"written":true`) != ok {
			t.Errorf("%s: %d %s", scopes, r.status, r.body)
		}
	}
}

// A query that cannot be read whole selects nothing, rather than all.
func TestBrokenQuery(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, query := range []string{"?owner=nobody%zz", "?state=revoked%", "?a;b", "?" + strings.Repeat("a=b&", 10_001)} {
		h.refused("GET /v1/keys"+query, "", 422, "invalid")
	}
	h.refused("GET /v1/keys?"+strings.Repeat("metadata=a%3Db&", 33), "", 422, "invalid")
}

// A session alone changes nothing where its holder has a second factor.
func TestStepUp(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, _ := h.keyOf("", "bob@example.com", "member")
	ctx := t.Context()
	a, err := h.store.Account(ctx, gatehouse.DefaultTenant, account.ByUID, bob.UID)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := h.directory.BeginOTP(ctx, operator, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := h.directory.EnableOTP(ctx, operator, a.ID, codeOf(t, uri, now.Add(-30*time.Second)), gatehouse.Secret{}); err != nil {
		t.Fatal(err)
	}
	h.serve(rest.Config{Sessions: func(r *http.Request) (account.Account, error) {
		if _, err := r.Cookie("s"); err != nil {
			return account.Account{}, account.ErrNoSession
		}
		return h.store.Account(context.WithoutCancel(r.Context()), gatehouse.DefaultTenant, account.ByUID, bob.UID)
	}})
	const body = `{"owner":"bob@example.com","schemes":["bearer"]}`
	code := codeOf(t, uri, now)
	for _, row := range []struct {
		line, code string
		status     int
		has        string
	}{
		{"GET /v1/self", "", 200, bob.UID}, {"POST /v1/keys", "", 403, "code_missing"}, {"POST /v1/keys", "000000", 403, "code_invalid"},
		{"POST /v1/keys", code, 201, "secret"}, {"POST /v1/keys", code, 403, "code_invalid"},
	} {
		fields := []string{"Cookie: s=1"}
		if row.code != "" {
			fields = append(fields, rest.CodeField+": "+row.code)
		}
		text := body
		if strings.HasPrefix(row.line, "GET") {
			text = ""
		}
		if r := h.call("", row.line, text, fields...); r.status != row.status || !strings.Contains(r.body, row.has) {
			t.Errorf("%s with %q: %d %s", row.line, row.code, r.status, r.body)
		}
	}
}

// codeOf is the code that an authenticator shows for the URI of a second factor.
func codeOf(t *testing.T, uri string, at time.Time) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return account.TOTPCode(secret, account.TOTPStep(at))
}
