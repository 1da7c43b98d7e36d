// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

func TestAuditLogComesInPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for range 60 {
		h.keyOf(a, gatehouse.NewKey{})
	}
	p := b.get("/operate/audit?verb=key.create")
	seen := strings.Count(p.text, "<code>key.create</code>")
	p = b.get(p.link(t, "next"))
	p.expect(t, 200, "First page")
	if more := strings.Count(p.text, "<code>key.create</code>"); seen != 50 || more != 10 || strings.Contains(p.text, "Next page") {
		t.Errorf("%d events, then %d", seen, more)
	}
	p = b.post("/operate/audit/verify")
	p.expect(t, 200, ">sound<")
	b.get(p.link(t, "next")).expect(t, 200, "First page")
}

func TestAuditLogIsFiltered(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	k := h.keyOf(a, gatehouse.NewKey{Name: "alpha"})
	b.post("/sign-in", "email", a.Email, "password", "wrong")
	today, tomorrow := time.Now().UTC().Format(time.DateOnly), time.Now().UTC().Add(24*time.Hour).Format(time.DateOnly)
	for _, row := range []struct {
		query     string
		key, sign bool // whether the events about the key, and of the sign-in, are there
	}{
		{"", true, true},
		{"verb=key.create", true, false},
		{"verb=key.create,+session.create", true, true},
		{"verb=key", true, false},
		{"verb=key.*+session.", true, true},
		{"verb=ke", false, false},
		{"subject=" + k.ID, true, false},
		{"subject=super@example.com", false, true},
		{"actor=super@example.com&verb=key.create", false, false},
		{"outcome=failed&verb=key.create", false, false},
		{"since=" + today, true, true},
		{"since=" + tomorrow, false, false},
		{"until=" + tomorrow, true, true},
		{"until=2020-01-01", false, false},
	} {
		p := b.get("/operate/audit?" + row.query)
		p.expect(t, 200)
		if key, sign := strings.Contains(p.text, "<code>key.create</code>"), strings.Contains(p.text, "<code>session.create</code>"); key != row.key || sign != row.sign {
			t.Errorf("%q: key %v, sign-in %v", row.query, key, sign)
		}
	}
	b.get("/operate/audit?since=yesterday").expect(t, 422, "A day is written as", `value="yesterday"`)
	b.get("/operate/audit?outcome=odd").expect(t, 422, `role="alert"`)
	b.get("/operate/audit?cursor=odd").expect(t, 422, `role="alert"`)
}

// The log says of accounts what they are called, of user agents what they are, and all of it
// where one points at it.
func TestAuditLogIsReadable(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	h := open(t)
	a := h.person("super@example.com", "superadmin")
	robot := h.robot("nightshift", "", "member")
	h.keyOf(robot, gatehouse.NewKey{Name: "of a robot"})
	b := h.stranger()
	b.agent = agent
	b.signIn(a.Email, password, "")
	b.get("/operate/audit?verb=session").expect(t, 200,
		`href="/operate/audit?subject=`+a.ID+`" title="`+a.ID+`"><bdi>super@example.com</bdi>`,
		`title="`+agent+`">Chrome on Linux</bdi>`)
	b.get("/operate/audit?verb=key").expect(t, 200, "principal: <bdi>nightshift</bdi>")
}

// Who filters is offered every verb that the parts of the house have a name for.
func TestAuditLogOffersVerbs(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	p := b.get("/operate/audit")
	for _, verb := range []string{
		account.VerbAccountCreate, account.VerbAccountDelete, account.VerbSessionCreate, account.VerbSessionEndAll, account.VerbOTPReset, account.VerbStepUp, account.VerbRecoveryUse,
		account.VerbPasswordRehash, account.VerbLabelSet, seal.VerbAdd, seal.VerbPrimary, seal.VerbRewrap, seal.VerbRetire, rest.VerbRules, rest.VerbDenied,
		"key.create", "key.rotate.finish", "signing_key.retire", "system.start", "tenant.update",
	} {
		p.expect(t, 200, `<option value="`+verb+`">`)
	}
}

// rotatable gives the house signing keys that can be rotated.
func (h *house) rotatable() {
	h.t.Helper()
	ctx := h.t.Context()
	var err error
	h.signing, err = assertion.OpenKeys(ctx, assertion.KeysConfig{Store: h.store, Sealer: h.sealer, Algorithms: []string{assertion.ES256}})
	h.must(err)
	h.t.Cleanup(h.signing.Close)
	m := assertion.NewMinter(assertion.MinterConfig{Keys: h.signing, Profile: assertion.Default, Issuer: "i", Audience: []string{"a"}})
	_, err = m.Mint(ctx, assertion.Subject{Key: &gatehouse.Key{}, Principal: gatehouse.Principal{UID: "u", Kind: gatehouse.PrincipalAccount}})
	h.must(err)
	h.mount(memory.NewLimiter(0, h.now))
}

func TestSigningKeysAreRotated(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rotatable()
	_, b := h.administrator("super@example.com")
	h.person("admin@example.com", "admin")
	b.get("/operate/system").expect(t, 200, "ES256", ">active<", "gatehouse keyring list")
	b.post("/operate/system/rotate").leads(t, "/operate/system?done=signing-rotated")
	b.follow().expect(t, 200, "The next signing keys are published.", ">next<")
	b.post("/operate/system/rotate").expect(t, 409, "Nothing is to be rotated now")

	admin := h.signIn("admin@example.com", password)
	p := admin.get("/operate/system")
	p.expect(t, 200, "It takes the role superadmin", "gatehouse keyring list")
	if strings.Contains(p.text, "ES256") {
		t.Error("an admin sees signing keys")
	}
	admin.post("/operate/system/rotate").expect(t, 403, "It takes the role superadmin.")
}
