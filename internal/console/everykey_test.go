// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// Somebody who has found a leaked token pastes all of it: its key is found, and its secret stays
// nowhere.
func TestTokenInASearch(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	made, err := h.authority.Create(t.Context(), system, gatehouse.NewKey{Principal: a.ID, Name: "leaked", Schemes: []string{"bearer"}})
	h.must(err)
	h.keyOf(a, gatehouse.NewKey{Name: "another"})
	token, kid := made.Token.Reveal(), made.Key.ID
	if !strings.Contains(token, "_"+kid+"_") {
		t.Fatalf("a token without its key id %s", kid)
	}
	b.get("/operate/keys?state=active&text="+url.QueryEscape(" "+token+" ")).leads(t, "/operate/keys?state=active&text="+kid)
	p := b.follow()
	p.expect(t, 200, `<bdi>leaked</bdi>`, "1 key shown.")
	if strings.Contains(p.text, "<bdi>another</bdi>") {
		t.Errorf("another key is found: %v", p)
	}
	b.get("/operate/audit?subject="+token).leads(t, "/operate/audit?subject="+kid)
	b.get("/operate/audit?actor="+token).leads(t, "/operate/audit?actor="+kid)
	b.get("/operate/keys?text=my_own_key").expect(t, 200, `value="my_own_key"`)
	for _, list := range []string{"/keys?text=", "/operate/accounts?find=", "/operate/accounts?role=", "/operate/keys?scope=", "/operate/audit?verb=", "/keys/new?owner="} {
		b.get(list+token).leads(t, list+kid)
		if p := b.follow(); p.status != 200 && p.status != 404 {
			t.Errorf("%s: %v", list, p)
		}
		h.stranger().get(list+token).leads(t, list+kid)
	}
	for text, want := range map[string]string{"Bearer " + token: kid, " bearer  " + token: kid, "Authorization: Bearer " + token: "Authorization: Bearer " + kid, "key.revoke," + token: "key.revoke " + kid} {
		b.get("/operate/keys?text="+url.QueryEscape(text)).leads(t, "/operate/keys?text="+url.QueryEscape(want))
	}
	b.get("/operate/keys?text=Bearer+of+news").expect(t, 200, `value="Bearer of news"`)
}

// The beginning of a key id is enough, and the page says so.
func TestKeyIsFoundByTheBeginningOfItsID(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.member("holder@example.com")
	h.keyOf(a, gatehouse.NewKey{Name: "sought"})
	kid := h.key(a, "found", "bearer").Key.ID
	p := b.get("/keys?text=" + kid[:4])
	p.expect(t, 200, "<bdi>found</bdi>", "or key id (4+ characters)")
	if strings.Contains(p.text, "<bdi>sought</bdi>") {
		t.Errorf("another key is found: %v", p)
	}
}

func TestEveryKeyTellsHowMany(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for i := range 51 {
		h.keyOf(a, gatehouse.NewKey{Name: fmt.Sprint("key ", i)})
	}
	p := b.get("/operate/keys")
	p.expect(t, 200, "50 keys shown, more follow.")
	b.get(p.link(t, "next")).expect(t, 200, "1 key shown.")
}
