// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

func TestMakeKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	h.key(holder, "other", "bearer") // whose scope is offered
	p := b.get("/keys/new")
	p.expect(t, 200, `value="bearer" checked`, `value="barong"`, `value="shield"`, `value="httpsig"`, "orders:read", "Refuse requests that show the secret itself")
	if strings.Contains(p.text, "keys:revoke") || strings.Contains(p.text, `id="code"`) {
		t.Errorf("offers what it should not: %v", p)
	}
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	p = b.post("/keys", "name", "  nightly ", "scheme", "httpsig", "scope", "orders:read", "scopes", "orders:write  orders:read", "networks", "192.0.2.0/24,\n 10.1.2.3",
		"metadata", "team = billing\n\nplan=gold\n", "signed", "yes", "expiry", "date", "date", tomorrow)
	p.expect(t, 201, "nightly", "Copy it now", `data-copy="secret"`, "Signature-Input")
	kid := p.code("kid")
	k := h.stored(kid)
	midnight, _ := time.Parse(time.DateOnly, tomorrow)
	want := gatehouse.Key{
		Name: "nightly", Principal: holder.ID, Schemes: []string{"httpsig"}, Scopes: gatehouse.Scopes{"orders:read", "orders:write"}, Signed: true,
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.1.2.3/32")},
		Metadata: gatehouse.Metadata{"team": "billing", "plan": "gold"}, Expires: midnight.AddDate(0, 0, 1),
	}
	got := gatehouse.Key{Name: k.Name, Principal: k.Principal, Schemes: k.Schemes, Scopes: k.Scopes, Signed: k.Signed, Networks: k.Networks, Metadata: k.Metadata, Expires: k.Expires}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if p := b.get("/keys/" + kid); p.status != 200 || strings.Contains(p.text, "data-copy") {
		t.Errorf("afterwards: %v", p)
	}
	for preset, days := range map[string]int{"30": 30, "90": 90, "365": 365, "never": 0} {
		b.get("/keys/new")
		p := b.post("/keys", "scheme", "bearer", "expiry", preset)
		p.expect(t, 201, `data-copy="token"`)
		all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{Principal: holder.ID})
		h.must(err)
		newest := slices.MaxFunc(all, func(a, b gatehouse.Key) int { return a.Created.Compare(b.Created) })
		left := time.Until(newest.Expires)
		if newest.Expires.IsZero() != (days == 0) || days > 0 && (left < time.Duration(days)*24*time.Hour || left > time.Duration(days+1)*24*time.Hour) {
			t.Errorf("%s: expires %v", preset, newest.Expires)
		}
	}
	if log := h.log.String(); strings.Contains(log, p.code("secret")) {
		t.Error("the log holds a secret")
	}
}

func TestFormOfKeyProblems(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member("holder@example.com")
	other, _ := h.member("other@example.com")
	private := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----"
	for name, row := range map[string]struct {
		pairs []string
		want  string
	}{
		"no scheme":         {[]string{"expiry", "never"}, "Schemes: holds a scheme that is unknown"},
		"no expiry":         {[]string{"scheme", "bearer"}, "Expiry: choose when the key ends."},
		"no day":            {[]string{"scheme", "bearer", "expiry", "date"}, "Expiry: the day is missing"},
		"a day that passed": {[]string{"scheme", "bearer", "expiry", "date", "date", "2020-01-01"}, "Expires: is not in the future"},
		"no network":        {[]string{"scheme", "bearer", "expiry", "never", "networks", "here"}, "Networks: one is neither a network"},
		"no scope":          {[]string{"scheme", "bearer", "expiry", "never", "scopes", `a"b`}, "Scopes: a scope is 1 to 128"},
		"no note":           {[]string{"scheme", "bearer", "expiry", "never", "metadata", "gold"}, "Notes: each line is name=value"},
		"signed bearer":     {[]string{"scheme", "bearer", "expiry", "never", "signed", "yes"}, "Signed only: and none of the schemes signs"},
		"private key":       {[]string{"scheme", "httpsig", "expiry", "never", "public_key", private}, "Public key: this is the private key"},
		"public for bearer": {[]string{"scheme", "bearer", "expiry", "never", "public_key", "-----BEGIN PUBLIC KEY-----"}, "Public key: it is for signed requests alone"},
		"shield for all":    {[]string{"scheme", "shield", "expiry", "never"}, "Scopes: a Shield key that names none"},
		"no public key":     {[]string{"scheme", "httpsig", "expiry", "never", "public_key", "key"}, "Public key: is no PEM"},
	} {
		b.get("/keys/new")
		once := b.page.input("once")
		p := b.post("/keys", append([]string{"name", "the typed name"}, row.pairs...)...)
		p.expect(t, 422, row.want, `value="the typed name"`, `name="once" value="`+once+`"`)
		if strings.Contains(p.text, "MC4CAQ") {
			t.Errorf("%s: the private key is in the page", name)
		}
	}
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "never", "owner", other.UID).expect(t, 404)
	all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{})
	if h.must(err); len(all) != 0 {
		t.Errorf("made %+v", all)
	}
}

// Who presses twice makes one key, and is told so.
func TestFormSentTwice(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	b.get("/keys/new")
	once := b.page.input("once")
	pairs := []string{"scheme", "bearer", "name", "twice", "expiry", "90", "once", once}
	b.post("/keys", pairs...).expect(t, 201, "Copy it now")
	token := b.page.code("token")
	again := b.post("/keys", pairs...)
	again.expect(t, 200, "This was done already", "twice")
	if token == "" || strings.Contains(again.text, token) || strings.Contains(again.text, "data-copy") {
		t.Errorf("again: %v", again)
	}
	pairs[3] = "another"
	b.get("/keys/new")
	b.post("/keys", pairs...).expect(t, 422, "This form was sent before")
	all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{Principal: holder.ID})
	if h.must(err); len(all) != 1 {
		t.Fatalf("%d keys", len(all))
	}
	path := "/keys/" + all[0].ID
	b.get(path + "/rotate")
	once = b.page.input("once")
	b.post(path+"/rotate", "grace", "3600", "once", once).expect(t, 200, "Copy it now")
	b.post(path+"/rotate", "grace", "3600", "once", once).expect(t, 200, "This was done already", "cancel the rotation")
}

// With a second factor each change takes a fresh code.
func TestChangesOfKeysTakeACode(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder := h.person("holder@example.com", "")
	f := h.protect(holder)
	b := h.stranger()
	b.signIn("holder@example.com", password, f.code())
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	word := k.Key.ID[len(k.Key.ID)-4:]
	for _, row := range []struct {
		page, target string
		pairs        []string
		status       int
	}{
		{"/keys/new", "/keys", []string{"scheme", "bearer", "expiry", "never"}, 201},
		{path + "/edit", path + "/edit", []string{"name", "bills", "expiry", "keep", "version", "1"}, 303},
		{path + "/rotate", path + "/rotate", []string{"grace", "3600"}, 200},
		{path + "/rotation", path + "/rotation", []string{"do", "finish", "sure", "yes"}, 303},
		{path + "/disable", path + "/disable", nil, 303},
		{path + "/enable", path + "/enable", nil, 303},
		{path + "/revoke", path + "/revoke", []string{"confirm", word}, 303},
	} {
		before := h.stored(k.Key.ID)
		b.get(row.page).expect(t, 200, `id="code"`)
		b.post(row.target, row.pairs...).expect(t, 403, "A code of the second factor is needed.", `role="alert"`)
		used := f.code()
		b.post(row.target, append(row.pairs, "code", "000000")...).expect(t, 403, "The code is wrong.")
		if h.stored(k.Key.ID).Version != before.Version {
			t.Errorf("%s: changed without a code", row.target)
		}
		p := b.post(row.target, append(row.pairs, "code", used[:3]+" "+used[3:])...)
		if p.status != row.status {
			t.Errorf("%s: %v", row.target, p)
		}
		if strings.Contains(p.text, used) {
			t.Errorf("%s: the code is in the page", row.target)
		}
	}
	b.get("/keys/new")
	if p := b.get(path); strings.Contains(p.text, `id="code"`) {
		t.Errorf("a page that changes nothing asks for a code: %v", p)
	}
}

func TestEditKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	b.get(path+"/edit").expect(t, 200, `value="billing"`, `value="orders:read" checked`, `value="keep" selected`, `name="version" value="1"`)
	b.post(path+"/edit", "version", "1", "name", "bills", "scopes", "a b", "networks", "192.0.2.1", "metadata", "team=x", "expiry", "365").leads(t, path+"?done=key-changed")
	b.follow().expect(t, 200, "bills", "192.0.2.1/32", "The key is changed")
	now := h.stored(k.Key.ID)
	if now.Name != "bills" || !slices.Equal(now.Scopes, gatehouse.Scopes{"a", "b"}) || now.Metadata["team"] != "x" || now.Expires.IsZero() || now.Version != 2 {
		t.Errorf("changed: %+v", now)
	}
	// Somebody else was faster.
	p := b.get(path + "/edit")
	p.expect(t, 200, `name="version" value="2"`, `>192.0.2.1/32</textarea>`, `>team=x</textarea>`)
	name := "by another"
	_, err := h.authority.Update(t.Context(), system, k.Key.ID, gatehouse.Patch{Name: &name})
	h.must(err)
	pairs := []string{"name", "mine", "scopes", "c", "expiry", "never"}
	p = b.post(path+"/edit", append(pairs, "version", "2")...)
	p.expect(t, 412, "Somebody changed this key", `value="mine"`, `name="version" value="3"`)
	if h.stored(k.Key.ID).Name != name {
		t.Error("the other change is lost")
	}
	b.post(path+"/edit", append(pairs, "version", p.input("version"))...).leads(t, path+"?done=key-changed")
	if now := h.stored(k.Key.ID); now.Name != "mine" || !now.Expires.IsZero() || len(now.Networks) != 0 || len(now.Metadata) != 0 || !slices.Equal(now.Scopes, gatehouse.Scopes{"c"}) {
		t.Errorf("changed: %+v", now)
	}
	b.get(path + "/edit")
	b.post(path+"/edit", "version", "4", "name", "x", "expiry", "keep", "networks", "here").expect(t, 422, "Networks", `name="version" value="4"`)
	for _, version := range []string{"", "0", "x"} {
		b.get(path + "/edit")
		b.post(path+"/edit", "version", version, "name", "x", "expiry", "keep").expect(t, 422, "cannot be read")
	}
}

func TestDisableEnableRevoke(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	k := h.key(holder, "billing", "bearer")
	path, kid := "/keys/"+k.Key.ID, k.Key.ID
	state := func(want gatehouse.State) {
		t.Helper()
		if got := h.stored(kid).State; got != want {
			t.Errorf("state %v, want %v", got, want)
		}
	}
	b.get(path + "/disable")
	b.post(path+"/disable").leads(t, path+"?done=key-disabled")
	state(gatehouse.StateDisabled)
	b.follow().expect(t, 200, "disabled", path+"/enable")
	b.get(path + "/enable")
	b.post(path+"/enable").leads(t, path+"?done=key-enabled")
	state(gatehouse.StateActive)
	b.get(path+"/revoke").expect(t, 200, "Type the last 4 characters", `data-confirm="`+kid[len(kid)-4:]+`"`)
	for _, typed := range []string{"", kid[1:], "billing"} {
		b.post(path+"/revoke", "confirm", typed, "reason", "lost it").expect(t, 422, "Type the last characters", `value="lost it"`)
	}
	state(gatehouse.StateActive)
	whole := h.key(holder, "another", "bearer").Key.ID
	b.get("/keys/" + whole + "/revoke")
	if b.post("/keys/"+whole+"/revoke", "confirm", whole); h.stored(whole).State != gatehouse.StateRevoked {
		t.Errorf("the whole id does not confirm: %v", b.page)
	}
	b.get(path + "/revoke")
	p := b.post(path+"/revoke", "confirm", " "+kid[len(kid)-4:]+" ", "reason", "lost it")
	if !regexp.MustCompile(`^/keys/` + kid + `\?took=\d+&done=key-revoked$`).MatchString(p.header.Get("Location")) {
		t.Fatalf("revoked: %v", p)
	}
	state(gatehouse.StateRevoked)
	shown := b.follow()
	shown.expect(t, 200, "The key is revoked. It is refused everywhere, for good.", "in force on every server", "ended for good")
	if strings.Contains(shown.text, path+"/edit") {
		t.Errorf("a revoked key can be edited: %v", shown)
	}
	if events := fmt.Sprint(h.events(kid)); !strings.Contains(events, "lost it") {
		t.Errorf("the reason is not in the audit log: %s", events)
	}
	b.get(path + "/enable")
	b.post(path+"/enable").expect(t, 409, `role="alert"`)
	b.get(path + "/rotate")
	b.post(path+"/rotate", "grace", "0").expect(t, 409, "The key is revoked.")
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	rotate := func() string {
		t.Helper()
		b.get(path+"/rotate").expect(t, 200, "works on for")
		p := b.post(path+"/rotate", "grace", "86400")
		p.expect(t, 200, "Copy it now", "The old secret works until")
		return p.code("token")
	}
	if token := rotate(); token == "" || token == k.Token.Reveal() {
		t.Errorf("the same token")
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	s := gatehouse.Source{Tenant: "default", KeyID: k.Key.ID, Material: 1, Scheme: "bearer", First: now, Last: now, Uses: 3, Peer: netip.MustParseAddr("198.51.100.77"), Agent: "python"}
	all := s
	all.Total, all.Peer, all.Agent = true, netip.Addr{}, ""
	h.must(h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Sources: []gatehouse.Source{s, all}}))
	b.get(path).expect(t, 200, "Rotation under way", "not safe to finish yet</span>: <bdi>the old secret was used", "198.51.100.77", path+"/rotation")
	b.get(path+"/rotation").expect(t, 200, "198.51.100.77", "python", "3 uses", "Finish the rotation", `name="sure"`, `<button class="danger" type="submit" name="do" value="finish">`)
	b.post(path+"/rotation", "do", "finish").expect(t, 422, "It is not safe to finish yet: the old secret was used", "198.51.100.77 by python. Tick the box")
	if k := h.stored(k.Key.ID); len(k.Materials) != 2 {
		t.Errorf("finished all the same: %+v", k.Materials)
	}
	b.get(path + "/rotate")
	b.post(path+"/rotate", "grace", "0").expect(t, 409, "A rotation is under way until")

	b.get(path + "/rotation")
	b.post(path+"/rotation", "do", "extend", "grace", "2592000").leads(t, path+"?done=rotation-extended")
	extended := h.stored(k.Key.ID)
	if ends := extended.Rotation(time.Now()).Ends; time.Until(ends) < 29*24*time.Hour {
		t.Errorf("ends %v", ends)
	}
	b.get(path + "/rotation")
	b.post(path+"/rotation", "do", "cancel").leads(t, path+"?done=rotation-cancelled")
	b.get(path+"/rotation").expect(t, 200, "No rotation is under way")
	rotate()
	b.get(path + "/rotation")
	b.post(path+"/rotation", "do", "finish", "sure", "yes").leads(t, path+"?done=rotation-finished")
	if k := h.stored(k.Key.ID); len(k.Materials) != 1 || k.Materials[0].Version == 1 {
		t.Errorf("materials %+v", k.Materials)
	}
	for _, pairs := range [][]string{{"do", "finish"}, {"do", "cancel"}, {"do", "extend", "grace", "60"}} {
		b.get(path + "/rotation")
		b.post(path+"/rotation", pairs...).expect(t, 409, "No rotation is under way")
	}
	for _, pairs := range [][]string{{}, {"do", "sell"}, {"do", "extend", "grace", "x"}} {
		b.get(path + "/rotate")
		b.post(path+"/rotation", pairs...).expect(t, 422, "cannot be read")
	}
}

func TestUsageOfKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	_, admin := h.administrator(email)
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	b.get(path).expect(t, 200, "It was not used in this time", "never", `aria-current="page">24 hours`)
	now := time.Now().UTC()
	minute := now.Truncate(time.Minute)
	h.must(h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
		{Tenant: "default", KeyID: k.Key.ID, Minute: minute, Outcome: "granted", Count: 7},
		{Tenant: "default", KeyID: k.Key.ID, Minute: minute, Outcome: "insufficient_scope", Count: 2},
		{Tenant: "default", KeyID: k.Key.ID, Minute: minute.Add(-30 * time.Hour), Outcome: "granted", Count: 34},
		{Tenant: "default", KeyID: k.Key.ID, Minute: minute.Add(-200 * time.Hour), Outcome: "granted", Count: 5},
	}}))
	p := b.get(path)
	p.expect(t, 200, `data-chart="{&#34;times&#34;:[`, "<dt>Denied: insufficient_scope</dt><dd>2</dd>", "<td class=\"num\">7</td>", "uPlot")
	b.get(path+"?span=7d").expect(t, 200, `aria-current="page">7 days`, "<dd>41</dd>")
	b.get(path+"?span=30d").expect(t, 200, `aria-current="page">30 days`, "<dd>46</dd>")
	if strings.Contains(p.text, "Latest attempts") {
		t.Error("a holder sees attempts")
	}
	admin.get(path).expect(t, 200, "<dd>7</dd>")
}
