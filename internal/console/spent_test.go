// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"testing"
)

// What is wrong with a form is found before the code of the second factor is spent: the form that
// was put right goes through with the same code.
func TestWrongFormsSpendNoCode(t *testing.T) {
	t.Parallel()
	h := open(t)
	boss := h.person("super@example.com", "superadmin")
	f := h.protect(boss)
	b := h.stranger()
	b.signIn("super@example.com", password, f.code())
	holder := h.person("holder@example.com", "")
	k := h.key(holder, "billing", "bearer").Key
	signed := h.key(holder, "signed", "httpsig").Key
	key, account, tenant := "/keys/"+k.ID, "/operate/accounts/"+holder.UID, "/operate/tenants/default"
	for _, row := range []struct {
		page, target string
		always       []string
		right        string   // in the field of each wrong one
		field        string   //
		wrong        []string // each is refused
	}{
		{"/operate/rules", "/operate/rules", []string{"version", "0"}, `{"/a": "x"}`, "rules", []string{
			"", "{", "{}", "[]", "null", `{"/a": {"opne": true}}`, `{"/a": {"key": true, "schemes": "barnog"}}`, `{"a": "x"}`, `{"/{x}/b": "x", "/a/{y}": "x"}`, `{"/a": "x", "/a": "y"}`, "[rules]\n\"/a\" =",
		}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "a", "scopes", []string{`a"b`, `a\b`}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "a=1/1m", "limits", []string{"a", "a=0/1m", "a=1/1m\na=2/1m", "ä=1/1m"}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "192.0.2.1", "networks", []string{"here", "192.0.2.1/33"}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "a=b", "metadata", []string{"gold", "ä=b"}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "", "date", []string{"2020-01-01", "tomorrow"}},
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "90"}, "", "signed", []string{"yes"}},
		{"/keys/new", "/keys", []string{"scheme", "httpsig", "expiry", "90"}, "", "public_key", []string{"key", "-----BEGIN PUBLIC KEY-----"}},
		{key + "/edit", key + "/edit", []string{"version", "1", "expiry", "keep"}, "a", "scopes", []string{`a"b`}},
		{key + "/edit", key + "/edit", []string{"version", "2", "expiry", "keep"}, "", "signed", []string{"yes"}},
		{"/keys/" + signed.ID + "/rotate", "/keys/" + signed.ID + "/rotate", []string{"grace", "3600"}, "", "public_key", []string{"key"}},
		{account, account + "/limits", nil, "a=1/1m", "limits", []string{"a=0/1m"}},
		{tenant, tenant + "/text", []string{"version", "1"}, "a=1/1m", "limits", []string{"a=0/1m"}},
		{"/service-accounts/new", "/service-accounts", nil, "nightly", "name", []string{"a nightly job", "abc"}},
	} {
		b.get(row.page).expect(t, 200, `name="code"`)
		code := f.code()
		once := b.page.input("once")
		for _, wrong := range row.wrong {
			p := b.post(row.target, append(row.always, row.field, wrong, "code", code, "once", once)...)
			p.expect(t, 422, `role="alert"`)
		}
		p := b.post(row.target, append(row.always, row.field, row.right, "code", code, "once", once)...)
		if p.status >= 400 {
			t.Errorf("%s, %s: the code was spent: %v", row.target, row.field, p)
		}
	}
}

// Who mistypes the code does not type the rest again.
func TestWrongCodesKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	h := open(t)
	boss := h.person("super@example.com", "superadmin")
	f := h.protect(boss)
	b := h.stranger()
	b.signIn("super@example.com", password, f.code())
	holder := h.person("holder@example.com", "")
	k := h.key(holder, "billing", "bearer").Key
	b.get("/operate/tenants")
	b.post("/operate/tenants", "name", "acme", "code", f.code()).leads(t, "/operate/tenants/acme?done=tenant-created")
	b.get("/operate/rules")
	b.post("/operate/rules", "version", "0", "rules", `{"/": {"key": true}}`, "code", f.code()).leads(t, "/operate/rules?done=rules-saved")
	account := "/operate/accounts/" + holder.UID + "/state"
	for _, row := range []struct {
		page, target, confirm string
		pairs                 []string
	}{
		{"/keys/" + k.ID + "/revoke", "/keys/" + k.ID + "/revoke", k.ID[len(k.ID)-4:], nil},
		{account + "?state=banned", account, lastFour(holder), []string{"state", "banned"}},
		{"/operate/tenants/acme", "/operate/tenants/acme/remove", "acme", []string{"version", "1"}},
		{"/operate/rules", "/operate/rules/remove", "remove", []string{"version", "1"}},
	} {
		b.get(row.page).expect(t, 200)
		b.post(row.target, append(row.pairs, "confirm", row.confirm, "code", "000000")...).expect(t, 403, "The code is wrong.", `value="`+row.confirm+`"`)
	}
}
