// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/barong"
)

func purposeClaims(email string) assertion.PurposeClaims {
	return assertion.PurposeClaims{Email: email, UID: "ID0000000000"}
}

// bearer is what a gateway adds for a session.
func (h *house) bearer(s session) with {
	h.t.Helper()
	token := h.gate("POST", "api/v2/barong/resource/users/me", s.with).header.Get("Authorization")
	if token == "" {
		h.t.Fatal("no token")
	}
	return header("Authorization", token)
}

func TestResourceCallers(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, _ := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	me := h.api("GET", "/resource/users/me", s.cookieOnly)
	want := `{"email":"holder@example.com","uid":"` + a.UID + `","role":"member","level":0,"otp":true,"state":"active","referral_uid":null,"data":null,"username":null,` +
		`"labels":[{"key":"otp","value":"enabled","scope":"private","created_at":"2020-03-18T09:33:55Z","updated_at":"2020-03-18T09:33:55Z"}],` +
		`"phones":[],"profiles":[],"data_storages":[],"created_at":"` + seedTime + `","updated_at":"2020-03-18T09:33:55Z"}`
	h.expect("session", me, 200, want)
	bearer := h.bearer(s)
	h.expect("bearer", h.api("GET", "/resource/users/me", bearer), 200, want)
	h.expect("bearer needs no CSRF token", h.api("PUT", "/resource/users/me", bearer, jsonBody(`{"data":"{}"}`)), 200, strings.Replace(want, `"data":null`, `"data":"{}"`, 1))
	h.expect("key", h.api("GET", "/resource/users/me", h.signed(kid, secret)), 200, strings.Replace(want, `"data":null`, `"data":"{}"`, 1))

	for _, tt := range []struct {
		name, method string
		change       []with
		status       int
		code         string
	}{
		{"nothing", "GET", nil, 401, "authz.invalid_session"},
		{"nothing, PUT", "PUT", nil, 401, "authz.missing_csrf_token"},
		{"no token", "PUT", []with{s.cookieOnly}, 401, "authz.missing_csrf_token"},
		{"other token", "PUT", []with{session{s.id, "x"}.with}, 401, "authz.csrf_token_mismatch"},
		{"replayed key", "GET", []with{h.signed(kid, secret)}, 401, "authz.signature_blacklisted"},
		{"junk bearer", "GET", []with{header("Authorization", "Bearer junk")}, 401, "jwt.decode_and_verify"},
		{"junk bearer beside a session", "GET", []with{s.with, header("Authorization", "Bearer junk")}, 401, "jwt.decode_and_verify"},
		{"other scheme", "GET", []with{header("Authorization", "Basic eDp5")}, 401, "jwt.decode_and_verify"},
		{"small letters", "GET", []with{bearer, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Bearer", "bearer", 1))
		}}, 401, "jwt.decode_and_verify"},
		{"bearer twice", "GET", []with{bearer, bearer}, 401, "jwt.decode_and_verify"},
		{"authorization before parameters", "PUT", []with{jsonBody("{")}, 401, "authz.missing_csrf_token"},
		{"other agent", "GET", []with{s.with, func(r *http.Request) { r.Header.Set("User-Agent", "other") }}, 401, "authz.client_session_mismatch"},
		{"and it is over", "GET", []with{s.with}, 401, "authz.invalid_session"},
	} {
		got := h.api(tt.method, "/resource/users/me", tt.change...)
		h.refused(tt.name, got, tt.status, tt.code)
		if got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: Content-Type %q", tt.name, got.header.Get("Content-Type"))
		}
	}
	h.pass(time.Hour)
	h.refused("expired bearer", h.api("GET", "/resource/users/me", bearer), 401, "jwt.decode_and_verify")
	mailed, _, err := h.keys.SignPurpose(t.Context(), "reset", purposeClaims("holder@example.com"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h.refused("mailed token", h.api("GET", "/resource/users/me", header("Authorization", "Bearer "+mailed)), 401, "jwt.decode_and_verify")
}

func TestResourcePermissions(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		c.Rules = barong.Rules{
			Block: []string{"api/v2/barong/resource/labels"},
			Permissions: []barong.Permission{
				{Role: "member", Verb: "all", Path: "api/v2/barong/resource", Action: "accept"},
				{Role: "member", Verb: "put", Path: "api/v2/barong/resource/users/me", Action: "drop"},
			},
		}
	}})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	if got := h.api("GET", "/resource/users/me", s.with); got.status != 200 {
		t.Errorf("accepted: %v", got)
	}
	h.refused("dropped", h.api("PUT", "/resource/users/me", s.with, jsonBody(`{"data":"{}"}`)), 401, "authz.invalid_permission")
	h.refused("blocked", h.api("GET", "/resource/labels", s.with), 401, "authz.permission_denied")
	h.setState(a, gatehouse.PrincipalBanned)
	h.refused("banned", h.api("GET", "/resource/users/me", s.with), 401, "authz.user_not_active")
}

func TestMe(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	put := func(text string) reply { return h.api("PUT", "/resource/users/me", s.with, jsonBody(text)) }
	h.refused("missing", put(`{}`), 422, "resource.user.missing_data", "resource.user.empty_data")
	h.refused("blank", put(`{"data":""}`), 422, "resource.user.empty_data")
	h.refused("object", put(`{"data":{}}`), 422, "invalid")
	h.refused("no JSON", put(`{"data":"{"}`), 422, "data.invalid_format")
	h.refused("long", put(`{"data":"\"`+strings.Repeat("x", 1024)+`\""}`), 422, "data.too_long")
	if got := put(`{"data":"{\"a\":\"<b>&\"}"}`); got.status != 200 || !strings.Contains(got.body, `"data":"{\"a\":\"\u003cb\u003e\u0026\"}"`) {
		t.Errorf("set: %v", got)
	}
}

func TestDeleteMe(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, f := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	del := func(text string) reply { return h.api("DELETE", "/resource/users/me", s.with, jsonBody(text)) }
	h.refused("missing", del(`{}`), 422, "resource.user.missing_password", "resource.user.empty_password")
	h.refused("wrong", del(`{"password":"x"}`), 422, "resource.user.invalid_password")
	h.refused("no code", del(`{"password":"`+password+`"}`), 422, "resource.user.missing_otp_code")
	h.refused("blank code", del(`{"password":"`+password+`","otp_code":""}`), 422, "resource.user.empty_otp_code")
	h.refused("wrong code", del(`{"password":"`+password+`","otp_code":"abc"}`), 422, "resource.user.invalid_otp")
	h.refused("used code", del(`{"password":"`+password+`","otp_code":"`+f.now()+`"}`), 422, "totp.error")
	h.expect("delete", del(`{"password":"`+password+`","otp_code":"`+f.code()+`"}`), 200, "200")
	h.refused("gone", h.api("GET", "/resource/users/me", s.with), 401, "authz.user_not_active")
	h.denied("the key too", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	h.refused("sign in", h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password+`"}`)), 401, "identity.session.deleted")
}

// On purpose: Barong lets the last administrator go.
func TestDeleteLastAdministrator(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("root@example.com")
	role := "superadmin"
	if _, err := h.directory.SetRole(t.Context(), h.operator, a.ID, &role, nil); err != nil {
		t.Fatal(err)
	}
	s := h.signInAs("root@example.com")
	h.refused("the last", h.api("DELETE", "/resource/users/me", s.with, jsonBody(`{"password":"`+password+`"}`)), 422, "resource.user.last_administrator")
	if _, err := h.directory.SetRole(t.Context(), h.operator, h.person("second@example.com").ID, &role, nil); err != nil {
		t.Fatal(err)
	}
	h.expect("one of two", h.api("DELETE", "/resource/users/me", s.with, jsonBody(`{"password":"`+password+`"}`)), 200, "200")
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	put := func(old, fresh, confirm string) reply {
		return h.api("PUT", "/resource/users/password", s.with, jsonBody(fmt.Sprintf(`{"old_password":%q,"new_password":%q,"confirm_password":%q}`, old, fresh, confirm)))
	}
	h.refused("missing", h.api("PUT", "/resource/users/password", s.with), 422,
		"resource.user.missing_old_password", "resource.user.empty_old_password", "resource.user.missing_new_password", "resource.user.empty_new_password",
		"resource.user.missing_confirm_password", "resource.user.empty_confirm_password")
	h.refused("blank", put("", "", ""), 422, "resource.user.empty_old_password", "resource.user.empty_new_password", "resource.user.empty_confirm_password")
	h.refused("mismatch", put("wrong", password2, password), 422, "resource.password.doesnt_match")
	h.refused("wrong", put("wrong", password2, password2), 400, "resource.password.prev_pass_not_correct")
	h.refused("same", put(password, password, password), 400, "resource.password.no_change_provided")
	h.refused("weak", put(password, "weak", "weak"), 422, "password.requirements")
	h.expect("change", put(password, password2, password2), 201, "201")
	h.granted("the session stays", h.gate("GET", market, s.with))
	for range 10 { // the wrong one before was a guess at the old password
		h.refused("wrong", put("wrong", password, password), 400, "resource.password.prev_pass_not_correct")
	}
	h.refused("throttled", put("wrong", password, password), 429, "resource.user.too_many_attempts")
}

func TestOTP(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	s, other := h.signInAs("holder@example.com"), h.signInAs("holder@example.com")
	post := func(path, text string) reply { return h.api("POST", "/resource/otp/"+path, s.with, jsonBody(text)) }
	for _, path := range []string{"enable", "disable", "verify"} {
		h.refused(path+" without code", post(path, `{}`), 422, "resource.otp.missing_code", "resource.otp.empty_code")
		h.refused(path+" with a blank code", post(path, `{"code":""}`), 422, "resource.otp.empty_code")
	}
	h.refused("enable without a secret", post("enable", `{"code":"123456"}`), 422, "resource.otp.invalid")
	h.refused("disable while off", post("disable", `{"code":"123456"}`), 400, "resource.otp.not_enabled")
	h.refused("verify while off", post("verify", `{"code":"123456"}`), 400, "resource.otp.already_enabled")

	h.enrol(post("generate_qrcode", ""))
	got := post("generate_qrcode", "")
	f := h.enrol(got)
	uri, barcode := got.field(t, "data.url"), got.field(t, "data.barcode")
	quoted, _ := json.Marshal(uri)
	h.expect("generate", got, 201, `{"auth":null,"data":{"barcode":"`+barcode+`","url":`+string(quoted)+`},"lease_duration":0,"lease_id":"","metadata":null,"renewable":false,"warnings":null,"wrap_info":null}`)
	if !strings.HasPrefix(uri, "otpauth://totp/Gatehouse:holder@example.com?algorithm=SHA1&digits=6&issuer=Gatehouse&period=30&secret=") || strings.Contains(uri, "secret=\"") {
		t.Errorf("url %s", uri)
	}
	picture, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(barcode)))
	if err != nil || picture.Bounds().Dx() != 300 || picture.Bounds().Dy() != 300 {
		t.Errorf("barcode: %v", err)
	}
	h.refused("wrong", post("enable", `{"code":"abcdef"}`), 422, "resource.otp.invalid")
	h.expect("enable", post("enable", `{"code":"`+f.code()+`"}`), 201, "200")
	h.denied("other sessions are over", h.gate("GET", market, other.with), 401, "authz.invalid_session")
	h.granted("this one is not", h.gate("GET", market, s.with))
	h.refused("enable again", post("enable", `{"code":"`+f.code()+`"}`), 400, "resource.otp.already_enabled")
	h.refused("generate again", post("generate_qrcode", ""), 400, "resource.otp.already_enabled")

	used := f.code()
	h.expect("verify", post("verify", `{"code":"`+used+`"}`), 201, "null")
	h.refused("verify again", post("verify", `{"code":"`+used+`"}`), 422, "totp.error")
	h.refused("verify wrong", post("verify", `{"code":"abc"}`), 422, "resource.otp.invalid")
	h.refused("disable with a used code", post("disable", `{"code":"`+used+`"}`), 422, "totp.error")
	kid, secret := h.key(a, gatehouse.NewKey{})
	h.expect("disable", post("disable", `{"code":"`+f.code()+`"}`), 200, "200")
	h.granted("sessions stay", h.gate("GET", market, s.with))
	h.denied("keys stop", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	if got := h.api("GET", "/resource/api_keys", s.with); !strings.Contains(got.body, `"state":"inactive"`) {
		t.Errorf("keys: %v", got)
	}
}

func TestOTPIsThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	_, s, _ := h.holderOf("holder@example.com")
	wrong := func() reply { return h.api("POST", "/resource/otp/verify", s.with, jsonBody(`{"code":"abc"}`)) }
	for range 10 {
		h.refused("wrong", wrong(), 422, "resource.otp.invalid")
	}
	got := wrong()
	h.refused("eleventh", got, 429, "totp.too_many_attempts")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.refused("keys too", h.api("DELETE", "/resource/api_keys/x?totp_code=abc", s.with), 429, "totp.too_many_attempts")
}

// Behind a gateway the session that stays is the one whose cookie comes along.
func TestOTPEnableBehindGateway(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s, other := h.signInAs("holder@example.com"), h.signInAs("holder@example.com")
	bearer := h.bearer(s)
	f := h.enrol(h.api("POST", "/resource/otp/generate_qrcode", bearer))
	h.expect("enable", h.api("POST", "/resource/otp/enable", bearer, s.cookieOnly, jsonBody(`{"code":"`+f.code()+`"}`)), 201, "200")
	h.granted("this session", h.gate("GET", market, s.with))
	h.denied("another", h.gate("GET", market, other.with), 401, "authz.invalid_session")
}

func TestLabels(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	h.expect("none", h.api("GET", "/resource/labels", s.with), 200, `[]`)
	for _, l := range []account.Label{{Key: "email", Value: "verified", Scope: "private"}, {Key: "colour", Value: "blue", Scope: "public"}} {
		h.pass(time.Second)
		if _, err := h.directory.SetLabel(t.Context(), h.operator, a.ID, l.Key, l.Value, l.Scope); err != nil {
			t.Fatal(err)
		}
	}
	const email = `{"key":"email","value":"verified","scope":"private","created_at":"2020-03-18T09:33:26Z","updated_at":"2020-03-18T09:33:26Z"}`
	const colour = `{"key":"colour","value":"blue","scope":"public","created_at":"2020-03-18T09:33:27Z","updated_at":"2020-03-18T09:33:27Z"}`
	h.expect("list", h.api("GET", "/resource/labels", s.with), 200, "["+email+","+colour+"]")
	h.expect("asc", h.api("GET", "/resource/labels?ordering=asc", s.with), 200, "["+email+","+colour+"]")
	h.expect("desc", h.api("GET", "/resource/labels?ordering=desc", s.with), 200, "["+colour+","+email+"]")
	h.refused("ordering", h.api("GET", "/resource/labels?ordering=up", s.with), 422, "resource.labels.invalid_ordering")
	h.expect("one", h.api("GET", "/resource/labels/email", s.with), 200, email)
	h.refused("unknown", h.api("GET", "/resource/labels/nothing", s.with), 404, "record.not_found")
	for method, path := range map[string]string{"POST": "", "PATCH": "/colour", "DELETE": "/colour"} {
		h.refused(method, h.api(method, "/resource/labels"+path, s.with), 500, "server.internal_error")
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	if got := h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"wrong"}`)); got.status != 401 {
		t.Fatal(got)
	}
	f := h.protect(s)
	h.api("POST", "/identity/sessions", jsonBody(`{"email":"holder@example.com","password":"`+password+`","otp_code":"abc"}`))
	h.api("POST", "/resource/api_keys", s.with, jsonBody(`{"algorithm":"HS256","totp_code":"`+f.code()+`"}`))
	h.refused("wrong code for a key", h.api("POST", "/resource/api_keys", s.with, jsonBody(`{"algorithm":"HS256","totp_code":"abc"}`)), 422, "resource.api_key.invalid_totp")
	_, refused, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{account.VerbStepUp}})
	if err != nil || refused != 1 {
		t.Errorf("%d events of refused step-ups, %v", refused, err)
	}
	h.refused("wrong code", h.api("POST", "/resource/otp/verify", s.with, jsonBody(`{"code":"abc"}`)), 422, "resource.otp.invalid")
	get := func(path string) reply { return h.api("GET", "/resource/users/activity/"+path, s.with) }
	type item struct{ Topic, Action, Result string }
	list := func(path string) string {
		t.Helper()
		got := get(path)
		var items []item
		if err := json.Unmarshal([]byte(got.body), &items); err != nil {
			t.Fatalf("%s: %v", path, got)
		}
		var lines []string
		for _, i := range items {
			lines = append(lines, i.Topic+" "+i.Action+" "+i.Result)
		}
		return strings.Join(lines, "\n")
	}
	const session = "session login::2fa failed\nsession login failed\nsession login succeed"
	const wrong = "otp verify 2FA code failed\n"
	const otp = "otp enable 2FA succeed\notp request QR code for 2FA succeed"
	for path, want := range map[string]string{
		"session": session, "otp": wrong + otp, "account": "account signup succeed",
		"all":                      wrong + "session login::2fa failed\n" + otp + "\nsession login failed\nsession login succeed\naccount signup succeed",
		"all?result=failed":        wrong + "session login::2fa failed\nsession login failed",
		"session?result=succeed":   "session login succeed",
		"all?limit=1&page=2":       "session login::2fa failed",
		"all?page=9":               "",
		"all?time_from=1584524035": wrong + "session login::2fa failed\notp enable 2FA succeed",
		"otp?time_to=1584524035":   "otp request QR code for 2FA succeed",
	} {
		if got := list(path); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
		}
	}
	got := get("session?result=succeed")
	var id []struct{ ID int64 }
	if err := json.Unmarshal([]byte(got.body), &id); err != nil || len(id) != 1 {
		t.Fatal(got)
	}
	h.expect("whole", got, 200, fmt.Sprintf(`[{"id":%d,"user_ip":"203.0.113.9","user_ip_country":null,"user_agent":"seed-test/1.0","topic":"session","action":"login","result":"succeed","data":null,"created_at":"`+seedTime+`"}]`, id[0].ID))
	if got.header.Get("Total") != "1" || got.header.Get("Page") != "1" || got.header.Get("Per-Page") != "100" {
		t.Errorf("header %v", got.header)
	}
	h.refused("topic", get("keys"), 422, "resource.user.wrong_topic")
	h.refused("none", get("password"), 422, "resource.user.no_activity")
	h.refused("unknown result", get("all?result=odd"), 422, "resource.user.no_activity")
	h.refused("page", get("all?page=x&limit=0"), 422, "non_integer_page", "non_positive_page", "invalid_limit")
	h.refused("time", get("all?time_from=x"), 422, "invalid")
}
