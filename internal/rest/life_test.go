// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// code is the code of a problem; empty: err is none.
func code(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code + " " + e.Field
	}
	return ""
}

func bearerCheck(k api.CreatedKey) api.Check {
	return api.Check{Headers: map[string][]string{"Authorization": {"Bearer " + k.Token}}}
}

// signed is a check of Barong's three header fields.
func signed(k api.CreatedKey) api.Check {
	nonce := strconv.FormatInt(time.Now().UnixMilli(), 10)
	return api.Check{Headers: map[string][]string{
		"x-auth-apikey": {k.ID}, "x-auth-nonce": {nonce}, "x-auth-signature": {barong.Sign(k.Secret, nonce, k.ID)},
	}}
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, ctx, a := h.client, t.Context(), h.person()
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	k, err := c.CreateKey(ctx, api.NewKey{
		Owner: a.UID, Name: "n", Prefix: "shop", Schemes: []string{"bearer"}, Scopes: []string{"read", "read", "write"}, Expires: &end, Replay: "window",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := api.Key{
		ID: k.ID, Tenant: "default", Owner: a.UID, Name: "n", Prefix: "shop", Schemes: []string{"bearer"}, Scopes: []string{"read", "write"},
		State: "active", Replay: "window", Created: k.Created, Updated: k.Created, Expires: &end, Version: 1,
	}
	if diff := cmp.Diff(want, k.Key); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if k.Token != "shop_"+k.ID+"_"+k.Secret {
		t.Error("the token is not prefix, kid and secret")
	}
	if got, err := c.Key(ctx, k.ID); err != nil || !cmp.Equal(got, k.Key) {
		t.Errorf("shown %+v, %v", got, err)
	}
	if got, err := c.KeyPage(ctx, client.KeyQuery{Owner: owner}, client.Page{}); err != nil || !cmp.Equal(got, api.Keys{Keys: []api.Key{k.Key}}) {
		t.Errorf("listed %+v, %v", got, err)
	}
	if d, err := c.Verify(ctx, bearerCheck(k)); err != nil || !d.Granted || d.Status != 200 || d.Scheme != "bearer" || d.Reason != "" || d.Key == nil || d.Key.Owner != a.UID {
		t.Errorf("verified %+v, %v", d, err)
	}
	denied := func(reason string) {
		t.Helper()
		if d, err := c.Verify(ctx, bearerCheck(k)); err != nil || d.Granted || d.Reason != reason || d.Status != 401 {
			t.Errorf("decision %+v, %v; want %s", d, err, reason)
		}
	}
	if got, err := c.DisableKey(ctx, k.ID); err != nil || got.State != "disabled" {
		t.Errorf("disabled %+v, %v", got, err)
	}
	denied("key_disabled")
	if got, err := c.EnableKey(ctx, k.ID); err != nil || got.State != "active" {
		t.Errorf("enabled %+v, %v", got, err)
	}
	for range 2 {
		if got, err := c.RevokeKey(ctx, k.ID, ""); err != nil || got.State != "revoked" {
			t.Errorf("revoked %+v, %v", got, err)
		}
	}
	denied("key_revoked")
	if _, err := c.EnableKey(ctx, k.ID); code(err) != "conflict " {
		t.Errorf("enable after revoke: %v", err)
	}
}

func TestAccountLife(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, ctx, a := h.client, t.Context(), h.person()
	want := api.Account{UID: a.UID, Tenant: "default", Kind: "account", Email: owner, Role: "member", State: "active", Created: a.Created, Updated: a.Created}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	for _, ref := range []string{owner, "OWNER@example.com", a.UID} {
		if got, err := c.Account(ctx, ref); err != nil || !cmp.Equal(got, a) {
			t.Errorf("%s: shown %+v, %v", ref, got, err)
		}
	}
	for _, row := range []struct {
		n    api.NewAccount
		want string
	}{
		{api.NewAccount{Email: owner}, "exists email"},
		{api.NewAccount{Email: "no address"}, "invalid email"},
		{api.NewAccount{Email: "b@example.com", Username: "x"}, "invalid username"},
		{api.NewAccount{Email: "b@example.com", State: "gone"}, "invalid state"},
		{api.NewAccount{Email: "b@example.com", Password: "secret"}, "invalid password"},
	} {
		if _, err := c.CreateAccount(ctx, row.n); code(err) != row.want {
			t.Errorf("%+v: %v, want %s", row.n, err, row.want)
		}
	}
	if got, err := c.SetAccountState(ctx, a.UID, "banned"); err != nil || got.State != "banned" {
		t.Errorf("state set: %+v, %v", got, err)
	}
	if _, err := c.SetAccountState(ctx, a.UID, "gone"); code(err) != "invalid state" {
		t.Errorf("state gone: %v", err)
	}
	if _, err := c.CreateKey(ctx, api.NewKey{Owner: owner, Schemes: []string{"bearer"}}); code(err) != "invalid principal" {
		t.Errorf("key of a banned account: %v", err)
	}
}

func TestResetOTP(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, ctx := h.client, t.Context()
	h.person()
	k := h.key("barong")
	if _, err := c.ResetOTP(ctx, owner); code(err) != "otp_off " {
		t.Errorf("factor off: %v", err)
	}
	a, err := h.store.Account(ctx, gatehouse.DefaultTenant, account.ByEmail, owner)
	if err != nil {
		t.Fatal(err)
	}
	a.OTP = true
	if err := h.store.UpdateAccount(ctx, &a, account.Effects{}, gatehouse.NewEvent(operator, time.Now(), "otp.enable", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Account(ctx, owner); err != nil || !got.OTP {
		t.Errorf("shown %+v, %v", got, err)
	}
	if got, err := c.ResetOTP(ctx, owner); err != nil || got.OTP {
		t.Errorf("reset %+v, %v", got, err)
	}
	if got, err := c.Key(ctx, k.ID); err != nil || got.State != "disabled" {
		t.Errorf("the key is %+v, %v", got, err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k, b := h.key("barong"), h.key("bearer")
	once := signed(k)
	twice := signed(k)
	twice.Headers["X-AUTH-APIKEY"] = []string{k.ID}
	both := signed(k)
	both.Headers["Authorization"] = []string{"Bearer " + b.Token}
	scoped := bearerCheck(b)
	scoped.Scopes = []string{"read"}
	wrong := bearerCheck(b)
	wrong.Headers["Authorization"][0] = "Bearer gh_" + b.ID + "_" + strings.Repeat("0", 38)
	for _, row := range []struct {
		name string
		in   api.Check
		want api.Decision
		key  bool // what proved itself is told
	}{
		{"granted", once, api.Decision{Granted: true, Status: 200, Scheme: "barong", Signed: true, Body: "unavailable"}, true},
		{"the same again", once, api.Decision{Reason: "replayed", Status: 401, Scheme: "barong", Signed: true}, true},
		{"two spellings of one name", twice, api.Decision{Reason: "malformed_credential", Status: 401}, false},
		{"two schemes", both, api.Decision{Reason: "ambiguous_credential", Status: 401}, false},
		{"nothing", api.Check{}, api.Decision{Reason: "no_credential", Status: 401}, false},
		{"a token with a broken checksum", wrong, api.Decision{Reason: "malformed_credential", Status: 401}, false},
		{"a scope is missing", scoped, api.Decision{Reason: "insufficient_scope", Status: 403, Scheme: "bearer"}, true},
	} {
		got, err := h.client.Verify(t.Context(), row.in)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if (got.Key != nil) != row.key || (got.Principal != nil) != row.key {
			t.Errorf("%s: key told: %v, principal: %v", row.name, got.Key != nil, got.Principal != nil)
		}
		got.Key, got.Principal = nil, nil
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// Who waits as long as was said is admitted: the wait is rounded up, never away.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	a, err := h.store.Account(t.Context(), gatehouse.DefaultTenant, account.ByEmail, owner)
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.authority.Create(t.Context(), operator, gatehouse.NewKey{Principal: a.ID, Schemes: []string{"bearer"}, Limits: []gatehouse.Limit{{Name: "n", Count: 1, Period: time.Hour, Burst: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	check := bearerCheck(api.CreatedKey{Token: k.Token.Reveal()})
	var d api.Decision
	for range 3 {
		if d, err = h.client.Verify(t.Context(), check); err != nil {
			t.Fatal(err)
		}
	}
	if d.Reason != "rate_limited" || d.Status != 429 || d.RetryAfter < 1 {
		t.Errorf("decision %+v", d)
	}
}

// The secret leaves once, by create; the answers of all other routes are searched for it.
func TestSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	created := h.send("POST /v1/keys", `{"owner":"`+owner+`","schemes":["bearer","barong"]}`)
	var k api.CreatedKey
	if err := json.Unmarshal([]byte(created.body), &k); err != nil || created.status != 201 || k.Secret == "" {
		t.Fatalf("status %d: %v", created.status, err)
	}
	check, _ := json.Marshal(bearerCheck(k))
	for _, row := range []struct {
		pattern, line, body string
		status              int
	}{
		{"GET /v1/keys", "GET /v1/keys", "", 200},
		{"GET /v1/keys/{kid}", "GET /v1/keys/" + k.ID, "", 200},
		{"POST /v1/verify", "POST /v1/verify", string(check), 200},
		{"POST /v1/keys/{kid}/disable", "POST /v1/keys/" + k.ID + "/disable", "", 200},
		{"POST /v1/keys/{kid}/enable", "POST /v1/keys/" + k.ID + "/enable", "", 200},
		{"POST /v1/keys/{kid}/revoke", "POST /v1/keys/" + k.ID + "/revoke", "", 200},
		{"POST /v1/keys/revoke", "POST /v1/keys/revoke", `{"owner":"` + owner + `"}`, 200},
		{"POST /v1/accounts", "POST /v1/accounts", `{"email":"b@example.com","password":"` + password + `"}`, 201},
		{"GET /v1/accounts", "GET /v1/accounts", "", 200},
		{"POST /v1/keys/import", "POST /v1/keys/import", `{"scheme":"bearer","owners":[],"keys":[{"kid":"` + k.ID + `","owner":"x","scopes":[]}]}`, 200},
		{"GET /v1/attempts", "GET /v1/attempts?key=" + k.ID, "", 200},
		{"GET /v1/accounts/{ref}", "GET /v1/accounts/" + a.UID, "", 200},
		{"POST /v1/accounts/{ref}/state", "POST /v1/accounts/" + a.UID + "/state", `{"state":"locked"}`, 200},
		{"POST /v1/accounts/{ref}/reset-otp", "POST /v1/accounts/" + a.UID + "/reset-otp", "", 409},
	} {
		r := h.send(row.line, row.body)
		if r.status != row.status {
			t.Errorf("%s: status %d: %s", row.line, r.status, r.body)
		}
		for _, secret := range []string{k.Secret, k.Token, password, "argon2"} {
			if strings.Contains(r.body, secret) {
				t.Errorf("%s: the answer holds a secret", row.line)
			}
		}
	}
}
