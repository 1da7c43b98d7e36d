// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// uri is the text of the QR code of a page.
func (p page) uri(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`href="(otpauth:[^"]+)"`).FindStringSubmatch(p.text)
	if found == nil {
		t.Fatalf("no URI in %v", p)
	}
	return html.UnescapeString(found[1])
}

// recovery are the recovery codes of a page.
func (p page) recovery() []string {
	_, text, _ := strings.Cut(p.text, "<pre")
	text, _, _ = strings.Cut(text, "</pre>")
	return regexp.MustCompile(`(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}`).FindAllString(text, -1)
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.member("holder@example.com")
	other := h.signIn(a.Email, password)
	b.get("/account/factor")
	p := b.post("/account/factor/begin")
	uri := p.uri(t)
	f := h.scan(uri)
	u, err := url.Parse(uri)
	h.must(err)
	p.expect(t, 200, `<svg class="qr"`, "otpauth://totp/Gatehouse:holder@example.com?")
	if typed := regexp.MustCompile(`<code id="secret">([^<]+)<`).FindStringSubmatch(p.text); typed == nil || strings.ReplaceAll(typed[1], " ", "") != u.Query().Get("secret") {
		t.Errorf("the secret to type is %q", typed)
	}
	for code, want := range map[string]string{"": "Enter the code", "000000": "The code is wrong", "abc": "The code is wrong"} {
		p := b.post("/account/factor/enable", "code", code, "password", password)
		p.expect(t, 422, want, "Begin again")
		if strings.Contains(p.text, "otpauth") || strings.Contains(p.text, "<svg") {
			t.Error("the secret is shown again")
		}
	}
	code := f.code()
	p = b.post("/account/factor/enable", "code", code[:3]+" "+code[3:], "password", password)
	p.expect(t, 200, "Your second factor is on.", `download="recovery-codes.txt"`)
	codes := p.recovery()
	if len(codes) != 10 || !h.find(a.Email).OTP {
		t.Fatalf("%d recovery codes: %v", len(codes), p)
	}
	file := regexp.MustCompile(`href="(data:text/plain[^"]+)"`).FindStringSubmatch(p.text)
	if file == nil {
		t.Fatalf("no file in %v", p)
	}
	if text, err := url.PathUnescape(html.UnescapeString(file[1])); err != nil || !strings.Contains(text, strings.Join(codes, "\n")) || !strings.Contains(text, a.Email) {
		t.Errorf("the file is %q, %v", text, err)
	}
	other.get("/account").leads(t, "/sign-in?next=%2Faccount")

	// Sent again, and gone back to.
	b.post("/account/factor/enable", "code", code, "password", password).leads(t, "/account/factor?done=factor-on")
	b.post("/account/factor/begin").leads(t, "/account/factor?done=factor-on")
	if p := b.follow(); len(p.recovery()) != 0 || !strings.Contains(p.text, "make new ones here") {
		t.Errorf("the page afterwards: %v", p)
	}
	b.get("/account").expect(t, 200, "Manage it")

	other.post("/sign-in", "email", a.Email, "password", password).expect(t, 401, "has a second factor")
	other.post("/sign-in", "email", a.Email, "password", password, "code", code).expect(t, 401, "used before")
	other.signIn(a.Email, password, codes[0])
	other.post("/sign-in", "email", a.Email, "password", password, "code", codes[0]).expect(t, 401, "wrong")
	for _, secret := range append(codes, code, u.Query().Get("secret"), url.QueryEscape(uri)) {
		if strings.Contains(h.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// Who has got hold of a session, and not of the password, cannot turn a factor of their own on and
// lock the holder out.
func TestSessionAloneTurnsNoFactorOn(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, thief := h.member("holder@example.com")
	thief.get("/account/factor")
	f := h.scan(thief.post("/account/factor/begin").uri(t))
	code := f.code()
	for _, guess := range []string{"", "Wrong-8472-kings"} {
		p := thief.post("/account/factor/enable", "code", code, "password", guess)
		p.expect(t, 422, "password is wrong", `type="password"`)
		if guess != "" && strings.Contains(p.text, guess) {
			t.Errorf("%q is in the page", guess)
		}
	}
	for range 8 {
		thief.post("/account/factor/enable", "code", code, "password", "Wrong-8472-kings").expect(t, 422)
	}
	p := thief.post("/account/factor/enable", "code", code, "password", password)
	p.expect(t, 429, "Too many attempts. Try again in ")
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if h.find(a.Email).OTP {
		t.Fatal("it is on")
	}
	b := h.stranger()
	b.address = "198.51.100.7"
	b.signIn(a.Email, password, "")
	if e := h.events(a.ID)[1]; e.Verb != account.VerbPasswordConfirm || e.Outcome != gatehouse.OutcomeFailed {
		t.Errorf("event %+v", e)
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	f := h.protect(a)
	b := h.stranger()
	b.signIn(a.Email, password, f.code())
	b.get("/account/factor").expect(t, 200, "Make new recovery codes")
	code := f.code()
	fresh := b.post("/account/factor/recovery", "code", code).recovery()
	if len(fresh) != 10 {
		t.Fatalf("%d codes", len(fresh))
	}
	b.post("/account/factor/recovery", "code", code).expect(t, 422, "used before")
	b.post("/account/factor/recovery", "code", f.recovery[0].Reveal()).expect(t, 422, "The code is wrong")
	b.post("/account/factor/recovery").expect(t, 422, "Enter the code")
	newest := b.post("/account/factor/recovery", "code", fresh[0]).recovery() // one stands in for the app
	if len(newest) != 10 || slices.Contains(newest, fresh[1]) {
		t.Errorf("codes %v after %v", newest, fresh)
	}
	for range 10 {
		b.post("/account/factor/recovery", "code", "000000")
	}
	p := b.post("/account/factor/recovery", "code", f.code())
	p.expect(t, 429, "Too many attempts. Try again in ")
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestFactorOff(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	f := h.protect(a)
	k, err := h.authority.Create(t.Context(), gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: a.Tenant}, gatehouse.NewKey{Principal: a.ID, Schemes: []string{"bearer"}})
	h.must(err)
	b := h.stranger()
	b.signIn(a.Email, password, f.code())
	b.get("/account/factor").expect(t, 200, "Your keys are disabled by this")
	b.post("/account/factor/disable", "code", "000000").expect(t, 422, "The code is wrong")
	b.post("/account/factor/replace", "code", "").expect(t, 422, "Enter the code")
	if !h.find(a.Email).OTP {
		t.Fatal("it is off")
	}

	p := b.post("/account/factor/replace", "code", f.code())
	g := h.scan(p.uri(t))
	if string(g.secret) == string(f.secret) {
		t.Error("the new secret is the old one")
	}
	b.post("/account/factor/enable", "code", g.code()).expect(t, 422, "password is wrong")
	b.post("/account/factor/enable", "code", f.code(), "password", password).expect(t, 422, "The code is wrong")
	b.post("/account/factor/enable", "code", g.code(), "password", password).expect(t, 200, "Recovery codes")
	if stored, err := h.store.GetKey(t.Context(), a.Tenant, k.Key.ID); err != nil || stored.State != gatehouse.StateDisabled {
		t.Errorf("the key is %v, %v", stored.State, err)
	}

	b.post("/account/factor/disable", "code", g.code()).leads(t, "/account/factor?done=factor-off")
	b.follow().expect(t, 200, "Your second factor is off.", "Turn it on")
	if h.find(a.Email).OTP {
		t.Error("it is on")
	}
	for _, target := range []string{"disable", "replace", "recovery"} {
		b.post("/account/factor/"+target, "code", g.code()).leads(t, "/account/factor?done=factor-was-off")
	}
	verbs := map[string]bool{}
	for _, e := range h.events(a.ID) {
		verbs[e.Verb] = true
	}
	for _, verb := range []string{account.VerbOTPBegin, account.VerbOTPEnable, account.VerbOTPDisable} {
		if !verbs[verb] {
			t.Errorf("no event %s", verb)
		}
	}
}

// The picture is drawn from runs of black; read back, it is the QR code of the text.
func TestPictureIsTheCode(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member(strings.Repeat("long-", 12) + "name@example.com")
	p := b.post("/account/factor/begin", "csrf", b.get("/account").input("csrf"))
	code, err := qr.Encode(p.uri(t), qr.M)
	h.must(err)
	const quiet = 4
	black := map[[2]int]bool{}
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1H(\d+)z`).FindAllString(p.text, -1) {
		var x, y, n, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1H%dz", &x, &y, &n, &back); err != nil || back != x || n < 1 {
			t.Fatalf("run %s: %v", run, err)
		}
		for i := range n {
			black[[2]int{x + i - quiet, y - quiet}] = true
		}
	}
	for y := range code.Size {
		for x := range code.Size {
			if black[[2]int{x, y}] != code.Black(x, y) {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
	if side := code.Size + 2*quiet; !strings.Contains(p.text, fmt.Sprintf(`viewBox="0 0 %d %d"`, side, side)) {
		t.Error("the margin is not white")
	}
}
