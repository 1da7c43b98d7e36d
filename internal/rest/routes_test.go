// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// The routes that take no scope. Whoever adds one says so here.
var (
	forEverybody   = []string{"getOpenAPI", "getReference", "getReferenceStyle"}
	forEveryCaller = []string{"getSelf", "revokeSelf"}
)

func TestEveryRouteSaysWhoMay(t *testing.T) {
	t.Parallel()
	h := open(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Scope       string `json:"x-scope"`
		}
	}
	if err := json.Unmarshal(h.reading("/v1/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for path, item := range doc.Paths {
		for method, op := range item {
			documented[strings.ToUpper(method)+" "+path] = op.OperationID + " " + op.Scope
		}
	}
	parameter := regexp.MustCompile(`\{(\w+)\}`)
	for _, r := range h.api.Table() {
		line := r.Method + " " + r.Path
		if documented[line] != r.ID+" "+string(r.Scope) {
			t.Errorf("%s is documented as %q", line, documented[line])
		}
		delete(documented, line)
		if r.MaxBody <= 0 || r.Timeout <= 0 || !strings.HasPrefix(r.Path, "/v1/") {
			t.Errorf("%s lacks a limit, or is not under /v1", line)
		}
		switch {
		case r.Public && (r.Scope != "" || r.AnyCaller || !slices.Contains(forEverybody, r.ID)),
			r.AnyCaller && (r.Scope != "" || r.Public || !r.SocketOnly && !slices.Contains(forEveryCaller, r.ID)),
			!r.Public && !r.AnyCaller && !r.Scope.Manages():
			t.Errorf("%s does not say who may", line)
		}
		for _, m := range parameter.FindAllStringSubmatch(r.Path, -1) {
			if !slices.Contains(r.Parameters, "path "+m[1]) {
				t.Errorf("%s does not read {%s}", line, m[1])
			}
		}
	}
	if len(documented) > 0 {
		t.Errorf("documented and in no table: %v", documented)
	}
}

// Each row names records of another tenant, or of nobody.
var foreign = map[string]struct {
	line, body string // KID, UID and MAIL stand for the other tenant's
	status     int
}{
	"getSelf":              {"GET /v1/self", "", 200},
	"revokeSelf":           {"POST /v1/self/revoke", `{"reason":1}`, 422}, // its own key, and nobody else's
	"createKey":            {"POST /v1/keys", `{"owner":"MAIL","schemes":["bearer"]}`, 404},
	"listKeys":             {"GET /v1/keys?limit=1000", "", 200},
	"getKey":               {"GET /v1/keys/KID", "", 404},
	"updateKey":            {"PATCH /v1/keys/KID", `{"name":"mine"}`, 404},
	"deleteKey":            {"DELETE /v1/keys/KID", "", 404},
	"disableKey":           {"POST /v1/keys/KID/disable", "", 404},
	"enableKey":            {"POST /v1/keys/KID/enable", "", 404},
	"revokeKey":            {"POST /v1/keys/KID/revoke", "", 404},
	"revokeKeys":           {"POST /v1/keys/revoke", `{"owner":"UID"}`, 404},
	"rotateKey":            {"POST /v1/keys/KID/rotate", `{"grace_s":60}`, 404},
	"getRotation":          {"GET /v1/keys/KID/rotation", "", 404},
	"finishRotation":       {"POST /v1/keys/KID/rotation/finish", "", 404},
	"cancelRotation":       {"POST /v1/keys/KID/rotation/cancel", "", 404},
	"extendRotation":       {"POST /v1/keys/KID/rotation/extend", `{"grace_s":60}`, 404},
	"verify":               {"POST /v1/verify", `{"headers":{"Authorization":["Bearer TOKEN"]}}`, 200},
	"verifyBatch":          {"POST /v1/verify/batch", `{"checks":[{"headers":{"Authorization":["Bearer TOKEN"]}}]}`, 200},
	"listRevocations":      {"GET /v1/revocations", "", 200},
	"importKeys":           {"POST /v1/keys/import", `{"scheme":"bearer","owners":[],"keys":[{"kid":"KID","owner":"MAIL","scopes":[]}]}`, 200},
	"createAccount":        {"POST /v1/accounts", `{"email":"new@b.example.com"}`, 201},
	"listAccounts":         {"GET /v1/accounts?limit=1000", "", 200},
	"getAccount":           {"GET /v1/accounts/UID", "", 404},
	"setAccountState":      {"POST /v1/accounts/UID/state", `{"state":"banned"}`, 404},
	"resetOTP":             {"POST /v1/accounts/UID/reset-otp", "", 404},
	"listAttempts":         {"GET /v1/attempts?key=KID", "", 200},
	"updateAccount":        {"PATCH /v1/accounts/UID", `{"level":1}`, 404},
	"createServiceAccount": {"POST /v1/service-accounts", `{"name":"robot1","owner":"UID"}`, 404},
	"listServiceAccounts":  {"GET /v1/service-accounts?owner=UID", "", 404},
	"getRules":             {"GET /v1/rules", "", 200},
	"putRules":             {"PUT /v1/rules", `{"rules":{"/b":{"key":true}}}`, 200},
	"removeRules":          {"DELETE /v1/rules", "", 428}, // its own, which putRules has put
	"explainRule":          {"POST /v1/rules/explain", `{"method":"GET","target":"/b"}`, 200},
	"getUsage":             {"GET /v1/usage", "", 200},
	"getKeyUsage":          {"GET /v1/keys/KID/usage", "", 404},
	"getHygiene":           {"GET /v1/hygiene", "", 200},
	"listEvents":           {"GET /v1/audit?actor=MAIL&subject=UID", "", 200},
	"verifyChain":          {"POST /v1/audit/verify", "", 200},
	"getOpenAPI":           {"GET /v1/openapi.json", "", 200},
	"getReference":         {"GET /v1/docs", "", 200},
	"getReferenceStyle":    {"GET /v1/docs/style.css", "", 200},
}

// snapshot is all that a tenant has, as far as the API can show it.
func (h *house) snapshot(tenant string) string {
	h.t.Helper()
	ctx := h.t.Context()
	keys, _, err := h.store.ListKeys(ctx, gatehouse.KeyQuery{Tenant: tenant})
	if err != nil {
		h.t.Fatal(err)
	}
	accounts, _, err := h.store.ListAccounts(ctx, account.Query{Tenant: tenant})
	if err != nil {
		h.t.Fatal(err)
	}
	events, _, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: tenant})
	if err != nil {
		h.t.Fatal(err)
	}
	rules, err := h.store.Rules(ctx, tenant)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"keys": keys, "accounts": accounts, "events": events, "rules": rules})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// No route lets the administrator of one tenant see or change what is another's.
func TestTenantsAreIsolated(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("b")
	theirs, key := h.keyOf("", "alice@example.com", "member", "read")
	_, admin := h.keyOf("b", "boss@b.example.com", "superadmin", manageAll()...)
	own := "b"
	before := h.snapshot(gatehouse.DefaultTenant)
	for _, r := range h.api.Table() {
		row, ok := foreign[r.ID]
		if !ok && !r.SocketOnly && !r.DefaultTenantOnly {
			t.Errorf("%s %s has no row here", r.Method, r.Path)
		}
		if !ok {
			row.line, row.status = r.Method+" "+r.Path, 403
			if r.SocketOnly {
				row.status = 404
			}
		}
		fill := strings.NewReplacer("KID", key.ID, "UID", theirs.UID, "MAIL", theirs.Email, "TOKEN", key.Token)
		got := h.call(admin.Token, fill.Replace(row.line), fill.Replace(row.body))
		if got.status != row.status {
			t.Errorf("%s: %d %s, want %d", row.line, got.status, got.body, row.status)
		}
		asked := row.line + row.body
		for name, text := range map[string]string{"KID": key.ID, "UID": theirs.UID, "MAIL": theirs.Email} {
			if got.status < 300 && strings.Contains(got.body, text) && !strings.Contains(asked, name) {
				t.Errorf("%s tells of the other tenant: %s", row.line, got.body)
			}
		}
		if strings.Contains(got.body, `"granted":true`) {
			t.Errorf("%s grants a key of the other tenant", row.line)
		}
	}
	if diff := cmp.Diff(before, h.snapshot(gatehouse.DefaultTenant)); diff != "" {
		t.Errorf("the other tenant changed (-before +after):\n%s", diff)
	}
	var self api.Self
	if r := h.call(admin.Token, "GET /v1/self", "", "Gatehouse-Tenant: default"); json.Unmarshal([]byte(r.body), &self) != nil || self.Tenant != own {
		t.Errorf("the header names the tenant away from the socket: %s", r.body)
	}
}

// Without a credential there is nothing, and what is there says how to come back.
func TestNobody(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, r := range h.api.Table() {
		line := strings.NewReplacer("{kid}", "x", "{ref}", "x", "{name}", "x", "{id}", "x").Replace(r.Method + " " + r.Path)
		got := h.call("", line, "")
		switch {
		case r.Public:
			if got.status != 200 {
				t.Errorf("%s: %d", line, got.status)
			}
		case r.SocketOnly:
			if got.status != 404 || got.code(t) != "no_route" {
				t.Errorf("%s: %d %s", line, got.status, got.body)
			}
		case got.status != 401 || got.code(t) != "no_credential" || got.header["Www-Authenticate"] == nil:
			t.Errorf("%s: %d %v %s", line, got.status, got.header, got.body)
		}
	}
	for line, want := range map[string]string{
		"GET /v1/nowhere": "404 no_route ", "GET /v1/": "404 no_route ", "DELETE /v1/keys": "405 method_not_allowed GET, POST", "PUT /v1/self": "405 method_not_allowed GET",
	} {
		got := h.call("", line, "")
		if status := strings.Fields(want); got.code(t) != status[1] || got.header.Get("Allow") != strings.TrimPrefix(want, status[0]+" "+status[1]+" ") {
			t.Errorf("%s: %d %s, Allow %q", line, got.status, got.body, got.header.Get("Allow"))
		}
	}
}
