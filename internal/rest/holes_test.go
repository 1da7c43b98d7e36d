// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
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

// A body that two readers could read in two ways is refused, and one that costs many times
// its length.
func TestPlainJSON(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	many := strings.Repeat("{},", 1500) + "{}"
	for name, row := range map[string]struct{ line, body, code string }{
		"another case":        {"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"Scopes":["read"]}`, "invalid"},
		"twice":               {"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"scopes":[],"scopes":["read"]}`, "invalid"},
		"twice in two cases":  {"POST /v1/verify/batch", `{"checks":[],"CHECKS":[{}]}`, "invalid"},
		"a letter like an s":  {"POST /v1/verify/batch", `{"checks":[],"check\u017f":[{}]}`, "invalid"},
		"too many checks":     {"POST /v1/verify/batch", `{"checks":[` + strings.Repeat("{},", 100) + `{}]}`, "invalid"},
		"far too many checks": {"POST /v1/verify/batch", `{"checks":[` + many + `]}`, "invalid"},
		"too many fields":     {"POST /v1/verify", `{"headers":{"a":[` + strings.Repeat(`"",`, 1500) + `""]}}`, "invalid"},
		"too deep":            {"POST /v1/verify", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "invalid"},
	} {
		if r := h.send(row.line, row.body); r.code(t) != row.code || strings.Contains(r.body, "read\"") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := h.send("POST /v1/verify/batch", `{"checks":[`+strings.Repeat("{},", 99)+`{}]}`); r.status != 200 {
		t.Errorf("100 checks: %d %s", r.status, r.body)
	}
}

// The year 1 is no expiry, and no endless key either.
func TestYearOne(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	for _, text := range []string{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000001Z"} {
		h.refused("POST /v1/keys", `{"owner":"`+owner+`","schemes":["bearer"],"expires":"`+text+`"}`, 422, "invalid")
		h.refused("PATCH /v1/keys/"+k.ID, `{"expires":"`+text+`"}`, 422, "invalid")
	}
}

// What belongs to a superadministrator is nobody else's to change, through its service
// accounts neither; and an administrator takes no administrator's role away.
func TestMightyServiceAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.keyOf("", "boss@example.com", "superadmin")
	_, admin := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	h.keyOf("", "other@example.com", "admin")
	var robot api.Account
	if r := h.send("POST /v1/service-accounts", `{"name":"robot1","owner":"boss@example.com"}`); json.Unmarshal([]byte(r.body), &robot) != nil || r.status != 201 {
		t.Fatal(r.body)
	}
	var mighty api.Account
	if r := h.send("POST /v1/service-accounts", `{"name":"robot2","owner":"admin@example.com","role":"superadmin"}`); json.Unmarshal([]byte(r.body), &mighty) != nil || r.status != 201 {
		t.Fatal(r.body)
	}
	if r := h.call(admin.Token, "POST /v1/keys", `{"owner":"`+mighty.UID+`","schemes":["bearer"]}`); r.status != 403 {
		t.Errorf("a key for its own mightier service account: %d %s", r.status, r.body)
	}
	for line, body := range map[string]string{
		"POST /v1/keys": `{"owner":"` + robot.UID + `","schemes":["bearer"]}`,
		"POST /v1/accounts/" + robot.UID + "/state": `{"state":"disabled"}`,
		"PATCH /v1/accounts/other@example.com":      `{"role":"member"}`,
	} {
		if r := h.call(admin.Token, line, body); r.status != 403 {
			t.Errorf("%s: %d %s", line, r.status, r.body)
		}
	}
}

// Changes of one principal come no faster than its measure.
func TestWritesAreMeasured(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, k := h.keyOf("", "bob@example.com", "member", "keys:update", "keys:read")
	refused := 0
	for range 320 {
		switch r := h.call(k.Token, "POST /v1/keys/"+k.ID+"/enable", ""); r.status {
		case 200:
		case 429:
			refused++
		default:
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if refused < 1 || refused > 20 {
		t.Errorf("%d of 320 were refused", refused)
	}
	if r := h.call(k.Token, "GET /v1/keys", ""); r.status != 200 {
		t.Errorf("reading: %d", r.status)
	}
}

// A secret that nobody heard of is told to who may have it still.
func TestSecretOfTheDemoted(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.keyOf("", "bob@example.com", "member")
	admins, k := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	const once = "Idempotency-Key: once"
	body := `{"owner":"bob@example.com","schemes":["bearer"]}`
	gone := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/keys", strings.NewReader(body))
	gone.Header.Set("Authorization", "Bearer "+k.Token)
	gone.Header.Set("Content-Type", "application/json")
	gone.Header.Set("Idempotency-Key", "once")
	h.public.ServeHTTP(&deaf{header: http.Header{}}, gone)
	if r := h.send("PATCH /v1/accounts/"+admins.UID, `{"role":"member"}`); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := h.call(k.Token, "POST /v1/keys", body, once); strings.Contains(r.body, `"token":"gh`) {
		t.Errorf("told the demoted: %d %s", r.status, r.body)
	}
	if r := h.send("PATCH /v1/accounts/"+admins.UID, `{"role":"admin"}`); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := h.call(k.Token, "POST /v1/keys", body, once); r.status != 201 || !strings.Contains(r.body, `"token":"gh`) {
		t.Errorf("not told who may know: %d %s", r.status, r.body)
	}
}

// deaf is a client that is gone.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header     { return d.header }
func (*deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (*deaf) WriteHeader(int)           {}

// What strangers stumbled over: an import with one that is refused makes no owner; a second
// import without origins finds what the first one made; If-Match where nobody looks at it,
// null in a patch, and a removed tenant's log.
func TestStumbles(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	row := func(kid, secret string) string {
		return `{"kid":"` + kid + `","owner":"imp@example.com","secret":"` + secret + `","scopes":[]}`
	}
	body := func(rows ...string) string {
		return `{"scheme":"barong","owners":[{"email":"imp@example.com"}],"keys":[` + strings.Join(rows, ",") + `]}`
	}
	if r := h.send("POST /v1/keys/import", body(row("a1", "s"), row("a 2", "s"))); r.status != 200 || !strings.Contains(r.body, "refused") {
		t.Errorf("one is refused: %d %s", r.status, r.body)
	}
	if r := h.send("GET /v1/accounts/imp@example.com", ""); r.status != 404 {
		t.Errorf("its owner was made: %d %s", r.status, r.body)
	}
	for _, want := range []string{`"outcome":"new"`, `"outcome":"same"`} {
		if r := h.send("POST /v1/keys/import", body(row("a1", "s"))); r.status != 200 || !strings.Contains(r.body, want) {
			t.Errorf("want %s: %d %s", want, r.status, r.body)
		}
	}
	bad := strings.Replace(body(row("a2", "s")), `"imp@example.com"}]`, `"imp2@example.com","state":"bogus"}]`, 1)
	if r := h.send("POST /v1/keys/import", bad); strings.Contains(r.body, `"written":true`) || h.send("GET /v1/accounts/imp2@example.com", "").status != 404 {
		t.Errorf("an owner in no state: %d %s", r.status, r.body)
	}
	better := strings.Replace(body(row("a3", "s")), `"imp@example.com"}]`, `"imp@example.com","origin":"barong:7"}],"existing_owners":true`, 1)
	if r := h.send("POST /v1/keys/import", better); !strings.Contains(r.body, `"written":true`) {
		t.Errorf("the owner by a better name: %d %s", r.status, r.body)
	}
	if r := h.send("POST /v1/tenants", `{"name":"acme"}`); r.status != 201 {
		t.Fatal(r.body)
	}
	for line, text := range map[string]string{"DELETE /v1/tenants/acme": "", "PATCH /v1/accounts/" + owner: `{"level":3}`, "POST /v1/keys/a1/disable": ""} {
		if r := h.sendWith(line, text, `If-Match: "99"`); r.status != 422 && r.status != 412 {
			t.Errorf("%s with If-Match: %d %s", line, r.status, r.body)
		}
	}
	h.refused("PATCH /v1/keys/a1", `{"expires":null}`, 422, "invalid")
	if r := h.sendWith("POST /v1/accounts", `{"email":"a@example.com"}`, "Gatehouse-Tenant: acme"); r.status != 201 {
		t.Fatal(r.body)
	}
	if r := h.send("DELETE /v1/tenants/acme", ""); r.status != 204 {
		t.Fatal(r.body)
	}
	for line, status := range map[string]int{"GET /v1/audit": 200, "POST /v1/audit/verify": 200, "GET /v1/keys": 404} {
		if r := h.sendWith(line, "", "Gatehouse-Tenant: acme"); r.status != status {
			t.Errorf("%s of a removed tenant: %d %s", line, r.status, r.body)
		}
	}
	if r := h.send("POST /v1/keys/a1/rotate", `{"grace_s":60}`); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := h.send("POST /v1/keys/a1/rotate", `{"grace_s":60}`); r.status != 409 || !strings.Contains(r.body, "under way") {
		t.Errorf("a rotation in a rotation: %d %s", r.status, r.body)
	}
	k := api.CreatedKey{Key: api.Key{ID: "k"}, Secret: "hunter2", Token: "hunter2"}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(text, "hunter2") {
		t.Errorf("a key that is printed tells its secret: %s", text)
	}
}
