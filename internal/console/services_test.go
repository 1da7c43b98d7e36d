// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin, b := h.administrator(email)
	b.get("/service-accounts").expect(t, 200, "No service accounts of yours", `href="/service-accounts/new"`)
	b.get("/service-accounts/new").expect(t, 200, `name="owner"`, `value="`+email+`"`)
	once := b.page.input("once")
	b.post("/service-accounts", "name", "no").expect(t, 422, "Name:", `value="no"`, once)
	p := b.post("/service-accounts", "name", "nightly", "owner", email, "once", once)
	to, _, _ := strings.Cut(p.header.Get("Location"), "?")
	p.leads(t, to+"?done=service-made")
	b.follow().expect(t, 200, "Make a key for it next", "nightly", email, "No keys yet", "Disable this service account")
	b.get("/service-accounts/new")
	b.post("/service-accounts", "name", "nightly", "owner", email, "once", once).leads(t, to+"?done=service-made") // the same one
	b.get("/service-accounts/new")
	b.post("/service-accounts", "name", "nightly").expect(t, 409, `role="alert"`)
	b.get("/service-accounts/new")
	b.post("/service-accounts", "name", "nobodys").expect(t, 303)
	holder := h.person("holder@example.com", "")
	b.get("/service-accounts/new?owner="+holder.UID).expect(t, 200, `value="`+holder.UID+`"`)
	b.post("/service-accounts", "name", "theirs", "owner", "holder@example.con").expect(t, 422, "There is no account of this name.", `value="holder@example.con"`, `value="theirs"`)
	p = b.post("/service-accounts", "name", "theirs", "owner", holder.Email)
	if made, err := h.directory.Account(t.Context(), account.ByUsername, "theirs"); err != nil || made.Owner != holder.ID {
		t.Errorf("made %+v, %v: %v", made, err, p)
	}
	b.get("/service-accounts").expect(t, 200, "nightly", to)
	if strings.Contains(b.page.text, "nobodys") {
		t.Errorf("not the reader's own: %v", b.page)
	}
	b.get("/service-accounts?of=all").expect(t, 200, "nightly", "nobodys")

	uid := strings.TrimPrefix(to, "/service-accounts/")
	b.get("/keys/new?owner="+uid).expect(t, 200, "speaks for", uid, "keys:revoke", "revoke keys")
	b.post("/keys", "name", "its own", "scheme", "barong", "expiry", "never", "owner", uid, "scope", "keys:read").expect(t, 201, "its own")
	kid := b.page.code("kid")
	of, err := h.directory.Account(t.Context(), account.ByUID, uid)
	h.must(err)
	if k := h.stored(kid); k.Principal != of.ID || len(k.Scopes) != 1 {
		t.Errorf("made %+v", k)
	}
	b.get(to).expect(t, 200, "its own", "/keys/"+kid)
	b.get("/keys/"+kid).expect(t, 200, "Belongs to", "<bdi>nightly</bdi>")
	b.post(to+"/state", "do", "disable").leads(t, to+"?done=service-disabled")
	b.follow().expect(t, 200, "Enable this service account", `<span class="badge warn">disabled</span>`)
	if k := h.stored(kid); k.State != gatehouse.StateDisabled {
		t.Errorf("its key is %v", k.State)
	}
	b.get("/keys/" + kid + "/enable")
	b.post("/keys/"+kid+"/enable").expect(t, 422, `role="alert"`)
	b.get(to)
	b.post(to+"/state", "do", "enable").leads(t, to+"?done=service-enabled")
	b.get(to)
	b.post(to+"/state", "do", "sell").expect(t, 422)
	b.get("/service-accounts/"+admin.UID).expect(t, 404)
	b.get("/service-accounts/none").expect(t, 404)
}

// A holder sees the service accounts that are his, makes and changes their keys with his own
// second factor, and leaves the rest to operators.
func TestServiceAccountsOfHolders(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder := h.person("holder@example.com", "")
	f := h.protect(holder)
	b := h.stranger()
	b.signIn("holder@example.com", password, f.code())
	b.get("/service-accounts").expect(t, 200, "No service accounts of yours", "An operator makes them")
	his, others, mighty := h.robot("nightly", holder.ID, ""), h.robot("batchjob", "", ""), h.robot("manager", holder.ID, "admin")
	at := "/service-accounts/" + his.UID
	p := b.get("/service-accounts?of=all")
	p.expect(t, 200, "nightly", at, "manager", "An operator makes further ones")
	if strings.Contains(p.text, "batchjob") || strings.Contains(p.text, "/service-accounts/new") || strings.Contains(p.text, "of=all") {
		t.Errorf("shows what is not his: %v", p)
	}
	p = b.get(at)
	p.expect(t, 200, "You keep its keys.", "holder@example.com", "/keys/new?owner="+his.UID, "No keys yet")
	if strings.Contains(p.text, "Disable the service account") {
		t.Error("offers what operators do")
	}
	b.get("/keys/new?owner="+his.UID).expect(t, 200, "speaks for", his.UID, `id="code"`)
	form := []string{"name", "job", "scheme", "barong", "expiry", "never", "owner", his.UID}
	b.post("/keys", form...).expect(t, 403, "A code of the second factor is needed.")
	b.post("/keys", append(form, "code", f.code())...).expect(t, 201, "job")
	kid := b.page.code("kid")
	if k := h.stored(kid); k.Principal != his.ID {
		t.Errorf("made %+v", k)
	}
	b.get(at).expect(t, 200, "/keys/"+kid)
	b.get("/keys/"+kid).expect(t, 200, "Belongs to", `href="`+at+`"`, "nightly")
	b.get("/keys/" + kid + "/disable")
	b.post("/keys/"+kid+"/disable", "code", f.code()).leads(t, "/keys/"+kid+"?done=key-disabled")
	b.get("/keys").expect(t, 200, "No keys yet") // of his own

	if p = b.get("/service-accounts/" + mighty.UID); strings.Contains(p.text, "/keys/new?owner=") {
		t.Errorf("offers keys that are refused: %v", p)
	}
	p.expect(t, 200, "operators keep its keys")
	b.get("/keys/new?owner=" + mighty.UID)
	b.post("/keys", "name", "job", "scheme", "barong", "expiry", "never", "owner", mighty.UID, "code", f.code()).expect(t, 403)
	b.get("/service-accounts/"+others.UID).expect(t, 404)
	b.get("/keys/new?owner="+others.UID).expect(t, 404)
	b.get("/service-accounts/"+holder.UID).expect(t, 404)
	b.get("/service-accounts/new").expect(t, 403, "may not see this page")
	for _, target := range []string{"/service-accounts/new", at, "/service-accounts"} {
		h.stranger().get(target).leads(t, "/sign-in?next="+url.QueryEscape(target))
	}
	b.get("/keys")
	b.post("/service-accounts", "name", "mine").expect(t, 403)
	b.get("/keys")
	b.post(at+"/state", "do", "disable").expect(t, 403)
	if denied := h.events(holder.ID); strings.Contains(strings.Join(verbsOf(denied), " "), "denied") {
		t.Errorf("events %v", denied)
	}
}

// robot makes a service account of an account, by its id; empty: nobody's.
func (h *house) robot(name, owner, role string) account.Account {
	h.t.Helper()
	a, err := h.directory.CreateAccount(h.t.Context(), system, account.NewAccount{
		Kind: gatehouse.PrincipalService, Username: name, Owner: owner, Role: role, State: gatehouse.PrincipalActive,
	})
	h.must(err)
	return a
}

func verbsOf(events []gatehouse.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Verb+" "+e.Outcome.String())
	}
	return out
}

func TestServiceAccountsTakeACode(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin := h.person(email, "superadmin")
	f := h.protect(admin)
	b := h.stranger()
	b.signIn(email, password, f.code())
	b.get("/service-accounts/new").expect(t, 200, `id="code"`)
	b.post("/service-accounts", "name", "nightly").expect(t, 403, "A code of the second factor is needed.")
	p := b.post("/service-accounts", "name", "nightly", "code", f.code())
	to, _, _ := strings.Cut(p.header.Get("Location"), "?")
	p.leads(t, to+"?done=service-made")
	b.follow().expect(t, 200, `id="code"`)
	b.post(to+"/state", "do", "disable").expect(t, 403, "A code of the second factor is needed.", "<details open>")
	b.post(to+"/state", "do", "disable", "code", f.code()).leads(t, to+"?done=service-disabled")
}
