// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/mail"
)

func TestGeneral(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	for _, module := range []string{"/identity", "/public"} {
		h.expect("ping", h.api("GET", module+"/ping"), 200, `{"ping":"pong"}`)
		h.expect("time", h.api("GET", module+"/time"), 200, `{"time":1584524005}`)
		h.expect("version", h.api("GET", module+"/version"), 200, `{"git_tag":"v1.2.3","git_sha":"abc","build_date":"2020-03-18","version":"1.2.3"}`)
		h.expect("configs", h.api("GET", module+"/configs"), 200, `{"session_expire_time":1800,"captcha_type":"none","password_min_entropy":14,`+
			`"password_regexp":"(?-mix:^(?=.*[[:lower:]])(?=.*[[:upper:]])(?=.*[[:digit:]])(?=.*[[:graph:]]).{8,80}$)"}`)
		h.expect("entropy", h.api("POST", module+"/password/validate", jsonBody(`{"password":"aB1!"}`)), 201, fmt.Sprintf(`{"entropy":%v}`, account.Entropy("aB1!", true)))
		h.refused("no password", h.api("POST", module+"/password/validate"), 422, module[1:]+".general.missing_password")
	}
	got := h.api("GET", "/identity/ping")
	if got.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
	h.expect("HEAD", h.api("HEAD", "/identity/ping"), 200, "")
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	const unknown = `{"error":"Route is not found"}`
	for _, target := range []string{
		"/", "/api/v2", "/api/v2/barong", "/api/v2/barong/identity", "/api/v2/barong/nothing", "/api/v2/barong/identity/ping/x",
		"/api/v2/barong/identity/../public/ping", "/api/v2//barong/public/ping", "/api/v2/barong/public%2fping", "/api/v3/barong/public/ping",
		"/api/v2/barong/resource/api_keys/a/b",
		"/api/v2/barong/public/ping.json", "/api/v2/barong/identity/users/access", "/api/v2/identity", "/api/v2/public", "/api/v2/public?/ping", "/api/v2/%70ublic/ping", "/api/v2/publicity/ping", "/api/v2///public/ping",
		"/api/v2/public//ping", "/api/v2//public/../resource/users/me", "/api/v2//barong/identity/sessions", "/api/v2/management/timestamp", "/api/v2/admin/api_keys",
	} {
		for _, method := range []string{"GET", "POST"} {
			h.expect(method+" "+target, h.do(method, target), 404, unknown)
		}
	}
	h.expect("slash at the end", h.api("GET", "/public/ping/"), 200, `{"ping":"pong"}`)
	h.refused("wrong verb", h.api("PUT", "/public/ping"), 500, "server.internal_error")
	h.refused("malformed JSON", h.api("POST", "/identity/sessions", jsonBody(`{"email":`)), 500, "server.internal_error")
	if h.log.String() != "" {
		t.Errorf("a client's mistake is in the log: %s", h.log)
	}
	h.refused("long body", h.api("POST", "/identity/sessions", jsonBody(`{"email":"`+strings.Repeat("x", 64<<10)+`"}`)), 413, "server.body_too_large")
}

// Gateways rewrite clients' addresses to Barong's own, opendax's with two slashes.
func TestRoutesBehindARewrite(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		c.Rules.Block = []string{"api/v2/barong/identity/version"}
		c.Rules.Restrictions = []barong.Restriction{{Category: "blocklogin", Scope: "ip", Value: "192.88.99.1"}}
	}})
	a, s, _ := h.holderOf("holder@example.com")
	for range 2 {
		h.key(a, gatehouse.NewKey{})
	}
	bearer := h.gate("GET", "api/v2/barong/resource/api_keys", s.with).header.Get("Authorization")
	link := "<" + h.url + "/api/v2/barong/resource/api_keys?limit=1&page=2>"
	for _, root := range []string{"/api/v2/", "/api/v2//"} {
		h.expect(root, h.do("GET", root+"public/ping"), 200, `{"ping":"pong"}`)
		h.expect(root+" slash at the end", h.do("GET", root+"identity/ping/"), 200, `{"ping":"pong"}`)
		h.refused(root+" wrong verb", h.do("PUT", root+"public/ping"), 500, "server.internal_error")
		h.refused(root+" parameters", h.do("POST", root+"identity/sessions?email=x"), 422, "identity.session.missing_password")
		h.refused(root+" blocklogin", h.do("POST", root+"identity/sessions", from("192.88.99.1")), 401, "authz.restrict.blocklogin")
		h.expect(root+" blocklogin elsewhere", h.do("GET", root+"identity/ping", from("192.88.99.1")), 200, `{"ping":"pong"}`)
		h.refused(root+" block", h.do("GET", root+"identity/version"), 401, "authz.permission_denied")
		if got := h.do("GET", root+"public/ping", header("Origin", "https://exchange.example")).header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s CORS: %q", root, got)
		}
		for what, with := range map[string]with{"bearer": header("Authorization", bearer), "session": s.with} {
			got := h.do("GET", root+"resource/api_keys?limit=1", with)
			if got.status != 200 || !strings.Contains(got.header.Get("Link"), link) {
				t.Errorf("%s %s: %v, Link %q, want %s", root, what, got, got.header.Get("Link"), link)
			}
		}
		h.refused(root+" nobody", h.do("GET", root+"resource/users/me"), 401, "authz.invalid_session")
	}
	// The gate judges the address that the client used, and no other.
	h.denied("gate", h.gate("GET", "api/v2/public/ping"), 401, "authz.invalid_session")
	h.denied("gate, two slashes", h.gate("GET", "api/v2//public/ping"), 401, "authz.permission_denied")
}

func TestCORS(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	origin := header("Origin", "https://exchange.example")
	preflight := func(r *http.Request) {
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "x-csrf-token, content-type")
	}
	got := h.api("OPTIONS", "/identity/sessions", origin, preflight)
	h.expect("preflight", got, 200, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, POST, DELETE, PUT, PATCH, OPTIONS, HEAD",
		"Access-Control-Allow-Headers": "x-csrf-token, content-type", "Access-Control-Max-Age": "3600", "Access-Control-Expose-Headers": "",
		"Access-Control-Allow-Credentials": "", "Vary": "Origin",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("preflight: %s %q, want %q", name, got, want)
		}
	}
	if got := h.api("GET", "/public/ping", origin).header; got.Get("Access-Control-Allow-Origin") != "*" || got.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("call: %v", got)
	}
	if got := h.api("GET", "/public/ping").header; got.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("call of no other origin: %v", got)
	}
	h.denied("the gate answers no preflight", h.gate("OPTIONS", market, origin, preflight), 401, "authz.invalid_session")
	if got := h.gate("GET", "api/v2/barong/public/ping", origin).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the gate lets the origin %q in", got)
	}

	one := open(t, options{door: func(c *barong.Config) { c.CORSOrigins = []string{"https://exchange.example"} }})
	if got := one.api("GET", "/public/ping", origin).header.Get("Access-Control-Allow-Origin"); got != "https://exchange.example" {
		t.Errorf("listed origin: %q", got)
	}
	if got := one.api("GET", "/public/ping", header("Origin", "https://other.example")).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another origin: %q", got)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	got := h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password+`"}`))
	csrf := got.field(t, "csrf_token")
	if len(csrf) != 20 || strings.Trim(csrf, "0123456789abcdef") != "" {
		t.Errorf("csrf_token %q", csrf)
	}
	h.expect("sign in", got, 200, `{"email":"holder@example.com","uid":"`+a.UID+`","role":"member","level":0,"otp":false,"state":"active",`+
		`"referral_uid":null,"data":null,"csrf_token":"`+csrf+`","username":null,"labels":[],"phones":[],"profiles":[],"data_storages":[],`+
		`"created_at":"`+seedTime+`","updated_at":"`+seedTime+`"}`)
	if got.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	// On purpose: SameSite is ours, and so is Secure below.
	id := got.cookie().Value
	if want := "_barong_session=" + id + "; Path=/; Expires=Thu, 19 Mar 2020 09:33:25 GMT; HttpOnly; SameSite=Lax"; got.header.Get("Set-Cookie") != want {
		t.Errorf("Set-Cookie\n got %s\nwant %s", got.header.Get("Set-Cookie"), want)
	}
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		t.Errorf("session id %q", id)
	}
	form := h.api("POST", "/identity/sessions?email=nobody@example.com", header("X-Forwarded-Proto", "https"),
		body("application/x-www-form-urlencoded", "email=holder%40example.com&password="+password))
	if form.status != 200 || !strings.Contains(form.header.Get("Set-Cookie"), "; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("form over https: %v %v", form, form.header)
	}
}

// On purpose: in Barong a session id lives on through a sign-in.
func TestSessionIDRotates(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	first := h.signInAs("holder@example.com")
	second := h.signInAs("holder@example.com", first.cookieOnly)
	if first.id == second.id {
		t.Fatal("the id stayed")
	}
	h.denied("the old one is over", h.gate("GET", market, first.cookieOnly), 401, "authz.invalid_session")
	h.granted("the new one works", h.gate("GET", market, second.cookieOnly))
	planted := session{id: strings.Repeat("a", 32)}
	third := h.signInAs("holder@example.com", planted.cookieOnly)
	if third.id == planted.id {
		t.Error("a planted id was taken over")
	}
}

// On purpose: Barong opens as many as are asked for.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	first := h.signInAs("holder@example.com")
	h.pass(time.Second) // of two of one moment either is the oldest
	second := h.signInAs("holder@example.com")
	for range 99 {
		h.pass(time.Second)
		h.signInAs("holder@example.com")
	}
	h.denied("the oldest of 101 is over", h.gate("GET", market, first.cookieOnly), 401, "authz.invalid_session")
	h.granted("the next one is not", h.gate("GET", market, second.cookieOnly))
}

func TestSignInRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	_, _, f := h.holderOf("factor@example.com")
	for state, code := range map[gatehouse.PrincipalState]string{
		gatehouse.PrincipalBanned: "banned", gatehouse.PrincipalDeleted: "deleted", gatehouse.PrincipalLocked: "not_active",
	} {
		email := string(state) + "@example.com"
		h.setState(h.person(email), state)
		// On purpose: Barong tells the state to whoever knows the address.
		h.refused(email+", wrong password", h.api("POST", "/identity/sessions", jsonBody(`{"email":"`+email+`","password":"wrong"}`)), 401, "identity.session.invalid_params")
		h.refused(email, h.api("POST", "/identity/sessions", jsonBody(`{"email":"`+email+`","password":"`+password+`"}`)), 401, "identity.session."+code)
	}
	spent := f.code()
	for _, tt := range []struct {
		name, body string
		status     int
		codes      []string
	}{
		{"nothing", `{}`, 422, []string{"identity.session.missing_email", "identity.session.missing_password"}},
		{"no email", `{"password":"x"}`, 422, []string{"identity.session.missing_email"}},
		{"no password", `{"email":"x"}`, 422, []string{"identity.session.missing_password"}},
		{"captcha", `{"captcha_response":[]}`, 422, []string{"identity.session.missing_email", "identity.session.missing_password", "identity.session.invalid_captcha_format"}},
		{"code is a list", `{"email":"x","password":"x","otp_code":[]}`, 422, []string{"invalid"}},
		{"blank", `{"email":"","password":""}`, 401, []string{"identity.session.invalid_params"}},
		{"null", `{"email":null,"password":null}`, 401, []string{"identity.session.invalid_params"}},
		{"unknown", `{"email":"nobody@example.com","password":"x"}`, 401, []string{"identity.session.invalid_params"}},
		{"wrong password", `{"email":"holder@example.com","password":"x"}`, 401, []string{"identity.session.invalid_params"}},
		{"no code", `{"email":"factor@example.com","password":"` + password + `"}`, 401, []string{"identity.session.missing_otp"}},
		{"blank code", `{"email":"factor@example.com","password":"` + password + `","otp_code":""}`, 401, []string{"identity.session.missing_otp"}},
		{"wrong code", `{"email":"factor@example.com","password":"` + password + `","otp_code":"abc"}`, 403, []string{"identity.session.invalid_otp"}},
		{"wrong password, no code", `{"email":"factor@example.com","password":"x"}`, 401, []string{"identity.session.invalid_params"}},
	} {
		got := h.api("POST", "/identity/sessions", jsonBody(tt.body))
		h.refused(tt.name, got, tt.status, tt.codes...)
		if got.cookie() != nil {
			t.Errorf("%s: a cookie was set", tt.name)
		}
	}
	right := jsonBody(`{"email":"factor@example.com","password":"` + password + `","otp_code":"` + spent + `","captcha_response":{"a":1}}`)
	if got := h.api("POST", "/identity/sessions", right); got.status != 200 || !strings.Contains(got.body, `"otp":true`) {
		t.Errorf("right code: %v", got)
	}
	h.refused("code again", h.api("POST", "/identity/sessions", right), 422, "totp.error")
}

func TestSignInIsThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	wrong := jsonBody(`{"email":"holder@example.com","password":"wrong"}`)
	for range 10 {
		h.refused("wrong", h.api("POST", "/identity/sessions", wrong), 401, "identity.session.invalid_params")
	}
	got := h.api("POST", "/identity/sessions", wrong)
	h.refused("eleventh", got, 429, "identity.session.too_many_attempts")
	if got.header.Get("Retry-After") == "" || got.header.Get("Retry-After") == "0" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	got := h.api("DELETE", "/identity/sessions", s.cookieOnly)
	h.expect("sign out", got, 200, "200")
	if c := got.cookie(); c == nil || len(c.Value) != 32 || c.Value == s.id {
		t.Errorf("cookie %v", c)
	}
	h.refused("again", h.api("DELETE", "/identity/sessions", s.cookieOnly), 404, "identity.session.not_found")
	h.refused("without", h.api("DELETE", "/identity/sessions"), 404, "identity.session.not_found")
	h.denied("it is over", h.gate("GET", market, s.with), 401, "authz.invalid_session")
}

func TestRegister(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	friend := h.person("friend@example.com")
	got := h.api("POST", "/identity/users", jsonBody(`{"email":"New@Example.com","password":"`+password+`","username":"newbie","refid":"`+friend.UID+`","data":"{\"language\":\"fr\"}"}`))
	uid, csrf := got.field(t, "uid"), got.field(t, "csrf_token")
	h.expect("register", got, 201, `{"email":"new@example.com","uid":"`+uid+`","role":"member","level":0,"otp":false,"state":"pending",`+
		`"referral_uid":"`+friend.UID+`","data":"{\"language\":\"fr\"}","csrf_token":"`+csrf+`","username":"newbie","labels":[],"phones":[],"profiles":[],"data_storages":[],`+
		`"created_at":"`+seedTime+`","updated_at":"`+seedTime+`"}`)
	s := session{got.cookie().Value, csrf}
	h.granted("the session works", h.gate("GET", market, s.with))

	page, name, token, lang := mailedLink(t, h.mails()["new@example.com"])
	if page != "confirmation" || name != "confirmation_token" || lang != "fr" {
		t.Errorf("link: %s %s %s", page, name, lang)
	}
	got = h.api("POST", "/identity/users/email/confirm_code", jsonBody(`{"token":"`+token+`"}`))
	csrf = got.field(t, "csrf_token")
	h.expect("confirm", got, 201, `{"email":"new@example.com","uid":"`+uid+`","role":"member","level":1,"otp":false,"state":"active",`+
		`"referral_uid":"`+friend.UID+`","data":"{\"language\":\"fr\"}","csrf_token":"`+csrf+`","username":"newbie","labels":[{"key":"email","value":"verified","scope":"private",`+
		`"created_at":"`+seedTime+`","updated_at":"`+seedTime+`"}],"phones":[],"profiles":[],"data_storages":[],"created_at":"`+seedTime+`","updated_at":"`+seedTime+`"}`)
	h.granted("the new session works", h.gate("GET", market, session{got.cookie().Value, csrf}.with))
	h.refused("again", h.api("POST", "/identity/users/email/confirm_code", jsonBody(`{"token":"`+token+`"}`)), 422, "identity.user.active_or_doesnt_exist")
}

func TestRegisterRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("taken@example.com")
	account := func(fields string) string {
		return `{"email":"a@example.com","password":"` + password + `",` + fields + `}`
	}
	for _, tt := range []struct {
		name, body string
		codes      []string
	}{
		{"nothing", `{}`, []string{"identity.user.missing_email", "identity.user.empty_email", "identity.user.missing_password", "identity.user.empty_password"}},
		{"blank", `{"email":" ","password":""}`, []string{"identity.user.empty_email", "identity.user.empty_password"}},
		{"captcha", account(`"captcha_response":5`), []string{"identity.user.invalid_captcha_format"}},
		{"referral format", account(`"refid":"XX0000000000"`), []string{"identity.user.invalid_referral_format"}},
		{"blank referral", account(`"refid":""`), []string{"identity.user.invalid_referral_format"}},
		{"referral unknown", account(`"refid":"ID0000000000"`), []string{"identity.user.referral_doesnt_exist"}},
		{"email", `{"email":"nobody","password":"` + password + `"}`, []string{"email.invalid"}},
		{"email taken", `{"email":"TAKEN@example.com","password":"` + password + `"}`, []string{"email.taken"}},
		{"short name", account(`"username":"abc"`), []string{"username.too_short"}},
		{"long name", account(`"username":"abcdefghijklm"`), []string{"username.too_long"}},
		{"odd name", account(`"username":"ab-cd"`), []string{"username.invalid"}},
		{"requirements", `{"email":"a@example.com","password":"lower"}`, []string{"password.requirements"}},
		{"one good line", `{"email":"a@example.com","password":"` + password + `\nx"}`, []string{"password.requirements"}},
		{"weak", `{"email":"a@example.com","password":"Aa1aaaaa"}`, []string{"password.weak"}},
		{"long", `{"email":"a@example.com","password":"` + password + strings.Repeat("x7Q!", 14) + `"}`, []string{"password.too_long"}},
		{"all at once", `{"email":"nobody","password":"lower","username":"abc","data":"{"}`, []string{"email.invalid", "username.too_short", "password.requirements", "data.invalid_format"}},
		{"data", account(`"data":"{"`), []string{"data.invalid_format"}},
		{"long data", account(`"data":"\"` + strings.Repeat("x", 1024) + `\""`), []string{"data.too_long"}},
	} {
		h.refused(tt.name, h.api("POST", "/identity/users", jsonBody(tt.body)), 422, tt.codes...)
	}
	if got := h.mails(); len(got) != 0 {
		t.Errorf("mail: %v", got)
	}
}

func TestConfirmationMail(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.api("POST", "/identity/users", jsonBody(`{"email":"new@example.com","password":"`+password+`"}`))
	h.person("active@example.com")
	const path = "/identity/users/email/generate_code"
	h.refused("missing", h.api("POST", path), 422, "identity.user.missing_email", "identity.user.empty_email")
	h.refused("blank", h.api("POST", path, jsonBody(`{"email":""}`)), 422, "identity.user.empty_email")
	for _, email := range []string{"new@example.com", "active@example.com", "nobody@example.com", "nobody", "new@example.com", "new@example.com", "new@example.com"} {
		h.expect(email, h.api("POST", path, jsonBody(`{"email":"`+email+`"}`)), 201, "201")
	}
	mails := h.mails()
	// One for the registration, and no more than the limit in all.
	if len(mails) != 1 || len(mails["new@example.com"]) != 3 {
		t.Errorf("mails to %d, %d to the new account", len(mails), len(mails["new@example.com"]))
	}
	_, _, _, lang := mailedLink(t, mails["new@example.com"])
	if lang != "en" {
		t.Errorf("language %q", lang)
	}
	got := h.api("POST", path, jsonBody(`{"email":"new@example.com"}`))
	h.refused("after the end", got, 503, "server.unavailable")
}

func TestMailLanguage(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	langs := map[string]string{"pt-BR": "pt-BR", "FR": "FR", "en&x=1": "en", "": "en", "x": "en"}
	n := 0
	addresses := map[string]string{}
	for lang, want := range langs {
		n++
		email := fmt.Sprintf("new%d@example.com", n)
		addresses[email] = want
		if got := h.api("POST", "/identity/users", jsonBody(fmt.Sprintf(`{"email":%q,"password":%q,"data":%q}`, email, password, fmt.Sprintf(`{"language":%q}`, lang)))); got.status != 201 {
			t.Fatal(got)
		}
	}
	mails := h.mails()
	for email, want := range addresses {
		if _, _, _, lang := mailedLink(t, mails[email]); lang != want {
			t.Errorf("%s: language %q, want %q", email, lang, want)
		}
	}
}

func TestMailedTokens(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.api("POST", "/identity/users", jsonBody(`{"email":"new@example.com","password":"`+password+`"}`))
	_, _, token, _ := mailedLink(t, h.mails()["new@example.com"])
	confirm := func(token string) reply {
		return h.api("POST", "/identity/users/email/confirm_code", jsonBody(fmt.Sprintf(`{"token":%q}`, token)))
	}
	reset := func(token string) reply {
		return h.api("POST", "/identity/users/password/confirm_code", jsonBody(fmt.Sprintf(`{"reset_password_token":%q,"password":"x","confirm_password":"x"}`, token)))
	}
	h.refused("missing", h.api("POST", "/identity/users/email/confirm_code"), 422, "identity.user.missing_token", "identity.user.empty_token")
	h.refused("blank", confirm(""), 422, "identity.user.empty_token")
	h.refused("junk", confirm("junk"), 422, "jwt.decode_and_verify.segments")
	h.refused("no header", confirm("a.b.c"), 422, "jwt.decode_and_verify.encoding")
	h.refused("nothing but a header", confirm(token[:strings.Index(token, ".")]+".b.c"), 422, "jwt.decode_and_verify.raised")
	h.refused("signature", confirm(token[:len(token)-4]+"AAAA"), 422, "jwt.decode_and_verify.raised")
	h.refused("other purpose", reset(token), 422, "jwt.decode_and_verify.claims")
	unknown, _, err := h.keys.SignPurpose(t.Context(), "confirmation", purposeClaims("new@example.com"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h.refused("no ticket", confirm(unknown), 422, "identity.user.utilized_token")
	stranger, _, err := h.keys.SignPurpose(t.Context(), "confirmation", purposeClaims("nobody@example.com"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h.refused("no account", confirm(stranger), 422, "identity.user.active_or_doesnt_exist")
	h.pass(time.Hour)
	h.refused("expired", confirm(token), 422, "jwt.decode_and_verify.expired")
	h.pass(-time.Hour)
	if got := confirm(token); got.status != 201 {
		t.Errorf("good token: %v", got)
	}
}

func TestPasswordReset(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, _ := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	const ask, do = "/identity/users/password/generate_code", "/identity/users/password/confirm_code"
	h.refused("missing", h.api("POST", ask), 422, "identity.user.missing_email", "identity.user.empty_email")
	h.expect("unknown", h.api("POST", ask, jsonBody(`{"email":"nobody@example.com"}`)), 201, "201")
	h.expect("known", h.api("POST", ask, jsonBody(`{"email":"HOLDER@example.com"}`)), 201, "201")
	mails := h.mails()
	if len(mails) != 1 {
		t.Errorf("mails %v", mails)
	}
	page, name, token, _ := mailedLink(t, mails["holder@example.com"])
	if page != "password_reset" || name != "reset_token" {
		t.Errorf("link: %s %s", page, name)
	}
	with := func(password, confirm string) reply {
		return h.api("POST", do, jsonBody(fmt.Sprintf(`{"reset_password_token":%q,"password":%q,"confirm_password":%q}`, token, password, confirm)))
	}
	h.refused("missing", h.api("POST", do), 422,
		"identity.user.missing_pass_token", "identity.user.empty_reset_password_token",
		"identity.user.missing_password", "identity.user.empty_password",
		"identity.user.missing_confirm_password", "identity.user.empty_confirm_password")
	h.refused("blank", with("", ""), 422, "identity.user.empty_password", "identity.user.empty_confirm_password")
	h.refused("mismatch", with(password2, password), 422, "identity.user.passwords_doesnt_match")
	h.refused("weak", with("weak", "weak"), 422, "password.requirements")
	h.expect("reset", with(password2, password2), 201, "201")
	h.refused("again", with(password2, password2), 422, "identity.user.utilized_token")
	h.denied("sessions are over", h.gate("GET", market, s.with), 401, "authz.invalid_session")
	h.granted("keys are not", h.gate("GET", market, h.signed(kid, secret)))
	h.refused("old password", h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password+`"}`)), 401, "identity.session.invalid_params")
	h.refused("new password", h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password2+`"}`)), 401, "identity.session.missing_otp")
}

// On purpose: Barong opens a session for whoever confirms, without the second factor.
func TestConfirmationIsNoWayAroundTheFactor(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	got := h.api("POST", "/identity/users", jsonBody(`{"email":"new@example.com","password":"`+password+`"}`))
	h.protect(session{got.cookie().Value, got.field(t, "csrf_token")})
	_, _, token, _ := mailedLink(t, h.mails()["new@example.com"])
	got = h.api("POST", "/identity/users/email/confirm_code", jsonBody(`{"token":"`+token+`"}`))
	if got.status != 201 || !strings.Contains(got.body, `"state":"active"`) || strings.Contains(got.body, "csrf_token") || got.cookie() != nil {
		t.Errorf("%v %v", got, got.cookie())
	}
}

func TestRegisterIsThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	post := func(i int) reply {
		return h.api("POST", "/identity/users", jsonBody(fmt.Sprintf(`{"email":"a%d@example.com","password":%q}`, i, password)))
	}
	for i := range 30 {
		if got := post(i); got.status != 201 {
			t.Fatalf("account %d: %v", i, got)
		}
	}
	got := post(30)
	h.refused("one more", got, 429, "identity.user.too_many_attempts")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestRegisterWithoutConfirmation(t *testing.T) {
	t.Parallel()
	h := open(t, options{activation: map[string]string{}})
	got := h.api("POST", "/identity/users", jsonBody(`{"email":"new@example.com","password":"`+password+`"}`))
	// On purpose: Barong makes the first account of all a superadmin.
	if got.status != 201 || !strings.Contains(got.body, `"role":"member"`) || !strings.Contains(got.body, `"state":"active"`) || len(h.mails()) != 0 {
		t.Errorf("%v", got)
	}
}

func TestFailuresTellNothing(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]reply{
		"sign in":  h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password+`"}`)),
		"sign out": h.api("DELETE", "/identity/sessions", s.cookieOnly),
		"me":       h.api("GET", "/resource/users/me", s.with),
	} {
		h.refused(name, got, 503, "server.unavailable")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
	for _, word := range []string{password, s.id, s.csrf} {
		if strings.Contains(h.log.String(), word) {
			t.Error("the log tells a secret")
		}
	}
}

func TestMailThatFails(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		nowhere, err := mail.NewSMTP(mail.SMTPConfig{Address: "127.0.0.1:1", From: "keys@example.com", TLS: "none"})
		if err != nil {
			t.Fatal(err)
		}
		c.Mailer = nowhere
	}})
	if got := h.api("POST", "/identity/users", jsonBody(`{"email":"new@example.com","password":"`+password+`"}`)); got.status != 201 {
		t.Errorf("register: %v", got)
	}
	h.door.Close()
	if log := h.log.String(); !strings.Contains(log, "mail not sent") || strings.Contains(log, "_token") || strings.Contains(log, "eyJ") {
		t.Errorf("log: %s", log)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := config(t)
	for name, spoil := range map[string]func(*barong.Config){
		"no gate":       func(c *barong.Config) { c.Gate = nil },
		"no accounts":   func(c *barong.Config) { c.Accounts = nil },
		"no audit":      func(c *barong.Config) { c.Audit = nil },
		"no limiter":    func(c *barong.Config) { c.Limiter = nil },
		"no tokens":     func(c *barong.Config) { c.Tokens = nil },
		"no mailer":     func(c *barong.Config) { c.Mailer = nil },
		"no domain":     func(c *barong.Config) { c.Domain = "" },
		"domain":        func(c *barong.Config) { c.Domain = "exchange.example" },
		"scheme":        func(c *barong.Config) { c.Domain = "javascript://exchange.example" },
		"secret format": func(c *barong.Config) { c.SecretFormat = "json" },
		"session name":  func(c *barong.Config) { c.SessionName = "a b" },
		"window":        func(c *barong.Config) { c.Window = -1 },
		"mail life":     func(c *barong.Config) { c.MailLife = time.Millisecond },
		"policy":        func(c *barong.Config) { c.Policy = account.PasswordPolicy{Pattern: "("} },
		"rules":         func(c *barong.Config) { c.Rules.Pass = []string{"a//b"} },
		"GeoIP": func(c *barong.Config) {
			c.Rules.Restrictions = []barong.Restriction{{Category: "blacklist", Scope: "country", Value: "UA"}}
		},
	} {
		c := good
		spoil(&c)
		d, err := barong.New(c)
		if err == nil {
			d.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	d, err := barong.New(good)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	d.Close() // twice is no harm
}

// config is one that New takes.
func config(t *testing.T) (c barong.Config) {
	t.Helper()
	open(t, options{door: func(taken *barong.Config) { c = *taken }})
	return c
}

func TestTokenErrorIsReadable(t *testing.T) {
	t.Parallel()
	var err error = &barong.TokenError{Problem: barong.TokenExpired}
	if want := new(barong.TokenError); !errors.As(err, &want) || !strings.Contains(err.Error(), "expired") {
		t.Error(err)
	}
}
