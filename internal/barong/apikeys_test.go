// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/barong"
)

func TestCreateKey(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"", "vault", "string"} {
		h := open(t, options{door: func(c *barong.Config) { c.SecretFormat = format }})
		_, s, f := h.holderOf("holder@example.com")
		got := h.api("POST", "/resource/api_keys", s.with, jsonBody(`{"algorithm":"HS256","totp_code":"`+f.code()+`"}`))
		kid, at := got.field(t, "kid"), "2020-03-18T09:34:25Z"
		var secret, want string
		if format == "string" {
			secret = got.field(t, "secret")
			want = `{"kid":"` + kid + `","algorithm":"HS256","scope":[],"state":"active","secret":"` + secret + `","created_at":"` + at + `","updated_at":"` + at + `"}`
		} else {
			secret = got.field(t, "secret.data.value")
			want = `{"algorithm":"HS256","created_at":"` + at + `","kid":"` + kid + `","scope":[],"secret":{"auth":null,"data":{"value":"` + secret + `"},` +
				`"lease_duration":2764800,"lease_id":"","metadata":null,"renewable":false,"warnings":null,"wrap_info":null},"state":"active","updated_at":"` + at + `"}`
		}
		h.expect("create "+format, got, 201, want)
		for text, n := range map[string]int{kid: 16, secret: 32} {
			if len(text) != n || strings.Trim(text, "0123456789abcdef") != "" {
				t.Errorf("%q is not %d hex digits", text, n)
			}
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Error("the secret may be stored")
		}
		h.granted("it works", h.gate("GET", market, h.signed(kid, secret)))
		h.expect("list", h.api("GET", "/resource/api_keys", s.with), 200,
			`[{"kid":"`+kid+`","algorithm":"HS256","scope":[],"state":"active","created_at":"`+at+`","updated_at":"`+at+`"}]`)
	}
}

func TestCreateKeyRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, f := h.holderOf("holder@example.com")
	post := func(text string) reply { return h.api("POST", "/resource/api_keys", s.with, jsonBody(text)) }
	h.refused("nothing", post(`{}`), 422, "resource.apikey.missing_algorithm", "resource.apikey.empty_algorithm", "resource.api_key.missing_totp", "resource.apikey.empty_totp_code")
	h.refused("blank", post(`{"algorithm":"","totp_code":"","scope":""}`), 422, "resource.apikey.empty_algorithm", "resource.apikey.empty_totp_code", "resource.apikey.empty_scope")
	h.refused("list of scopes", post(`{"algorithm":"HS256","totp_code":"1","scope":["a"]}`), 422, "invalid")
	h.refused("wrong code", post(`{"algorithm":"RS256","totp_code":"abc"}`), 422, "resource.api_key.invalid_totp")
	used := f.code()
	h.refused("other HMAC", post(`{"algorithm":"HS512","totp_code":"`+used+`"}`), 422, "algorithm.inclusion")
	h.refused("used code", post(`{"algorithm":"HS256","totp_code":"`+used+`"}`), 422, "totp.error")
	h.refused("no HMAC", post(`{"algorithm":"RS256","totp_code":"`+f.code()+`"}`), 422, "kid.blank", "algorithm.inclusion")
	h.refused("no scope", post(`{"algorithm":"HS256","scope":"a b","totp_code":"`+f.code()+`"}`), 422, "scope.invalid")
	h.setState(a, gatehouse.PrincipalPending)
	h.refused("pending", post(`{"algorithm":"HS256","totp_code":"`+f.code()+`"}`), 422, "key_holder_account.invalid")
	if got := h.api("GET", "/resource/api_keys", s.with); got.body != "[]" {
		t.Errorf("keys: %v", got)
	}

	h.person("plain@example.com")
	plain := h.signInAs("plain@example.com")
	for method, path := range map[string]string{"POST": "/resource/api_keys", "PATCH": "/resource/api_keys/x", "DELETE": "/resource/api_keys/x"} {
		h.refused(method+" without a second factor", h.api(method, path, plain.with, jsonBody(`{"algorithm":"HS256","totp_code":"123456"}`)), 400, "resource.api_key.2fa_disabled")
	}
	h.expect("listing needs none", h.api("GET", "/resource/api_keys", plain.with), 200, "[]")
}

// On purpose: a failed dependency is no mistake of the client.
func TestKeyThatCannotBeSealed(t *testing.T) {
	t.Parallel()
	broken := &fragile{}
	h := open(t, options{sealer: broken})
	_, s, f := h.holderOf("holder@example.com")
	code := f.code()
	broken.broken.Store(true)
	h.refused("create", h.api("POST", "/resource/api_keys", s.with, jsonBody(`{"algorithm":"HS256","totp_code":"`+code+`"}`)), 503, "server.unavailable")
	broken.broken.Store(false)
	h.expect("nothing was made", h.api("GET", "/resource/api_keys", s.with), 200, "[]")
}

// fragile is a sealer that can be made to fail.
type fragile struct {
	gatehouse.Sealer
	broken atomic.Bool
}

func (f *fragile) Seal(ctx context.Context, b gatehouse.Binding, plaintext []byte) (gatehouse.Sealed, error) {
	if f.broken.Load() {
		return gatehouse.Sealed{}, gatehouse.Unavailable("seal", nil)
	}
	return f.Sealer.Seal(ctx, b, plaintext)
}

func TestUpdateKey(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, f := h.holderOf("holder@example.com")
	other, _, _ := h.holderOf("other@example.com")
	made := h.api("POST", "/resource/api_keys", s.with, jsonBody(`{"algorithm":"HS256","scope":"trade,read","totp_code":"`+f.code()+`"}`))
	kid, secret := made.field(t, "kid"), made.field(t, "secret.data.value")
	created := made.field(t, "created_at")
	foreign, _ := h.key(other, gatehouse.NewKey{})
	patch := func(kid, fields string) reply {
		return h.api("PATCH", "/resource/api_keys/"+kid, s.with, jsonBody(`{`+fields+`,"totp_code":"`+f.code()+`"}`))
	}
	shown := func(what string, got reply, scope, state string) {
		t.Helper()
		h.expect(what, got, 200, `{"kid":"`+kid+`","algorithm":"HS256","scope":`+scope+`,"state":"`+state+`","created_at":"`+created+`","updated_at":"`+h.now().UTC().Format(time.RFC3339)[:19]+`Z"}`)
	}
	// On purpose: Barong clears what is left out.
	shown("a toggle keeps scopes", patch(kid, `"state":"disabled"`), `["trade","read"]`, "disabled")
	h.denied("disabled", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	shown("any word", patch(kid, `"state":"on holiday"`), `["trade","read"]`, "on holiday")
	h.denied("still disabled", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	shown("active", patch(kid, `"state":"active"`), `["trade","read"]`, "active")
	h.granted("active", h.gate("GET", market, h.signed(kid, secret)))
	shown("scope", patch(kid, `"scope":"read"`), `["read"]`, "active")

	h.refused("nothing", h.api("PATCH", "/resource/api_keys/"+kid, s.with), 422, "resource.apikey.missing_totp_code", "resource.apikey.empty_totp_code")
	h.refused("blank", h.api("PATCH", "/resource/api_keys/"+kid, s.with, jsonBody(`{"totp_code":"","scope":"","state":""}`)), 422,
		"resource.apikey.empty_totp_code", "resource.apikey.empty_scope", "resource.apikey.empty_state")
	h.refused("wrong code", h.api("PATCH", "/resource/api_keys/unknown", s.with, jsonBody(`{"totp_code":"abc"}`)), 422, "resource.api_key.invalid_totp")
	h.refused("unknown", patch("0123456789abcdef", `"state":"active"`), 404, "record.not_found")
	h.refused("foreign", patch(foreign, `"state":"active"`), 404, "record.not_found")
	h.refused("kid of the body", h.api("PATCH", "/resource/api_keys/"+foreign+"?kid="+kid, s.with, jsonBody(`{"kid":"`+kid+`","state":"x","totp_code":"`+f.code()+`"}`)), 404, "record.not_found")
	h.refused("long state", patch(kid, `"state":"`+strings.Repeat("x", 256)+`"`), 422, "state.invalid")
	h.refused("unprintable state", patch(kid, `"state":"a\u0007"`), 422, "state.invalid")
	shown("disabled again", patch(kid, `"state":"disabled"`), `["read"]`, "disabled")
	h.setState(a, gatehouse.PrincipalPending)
	h.refused("holder not active", patch(kid, `"state":"active"`), 422, "state.invalid")
}

func TestDeleteKey(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, f := h.holderOf("holder@example.com")
	other, _, _ := h.holderOf("other@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	foreign, _ := h.key(other, gatehouse.NewKey{})
	del := func(kid, code string) reply {
		return h.api("DELETE", "/resource/api_keys/"+kid+"?totp_code="+code, s.with)
	}
	h.refused("no code", h.api("DELETE", "/resource/api_keys/"+kid, s.with), 422, "resource.apikey.missing_totp_code", "resource.apikey.empty_totp_code")
	h.refused("wrong code", del(kid, "abc"), 422, "resource.api_key.invalid_totp")
	h.refused("unknown", del("0123456789abcdef", f.code()), 404, "record.not_found")
	h.refused("foreign", del(foreign, f.code()), 404, "record.not_found")
	h.granted("still there", h.gate("GET", market, h.signed(kid, secret)))
	got := del(kid, f.code())
	h.expect("delete", got, 204, "")
	if got.header.Get("Content-Type") != "" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
	h.refused("again", del(kid, f.code()), 404, "record.not_found")
	h.refused("update", h.api("PATCH", "/resource/api_keys/"+kid, s.with, jsonBody(`{"state":"active","totp_code":"`+f.code()+`"}`)), 404, "record.not_found")
	h.expect("list", h.api("GET", "/resource/api_keys", s.with), 200, "[]")
	h.denied("gate", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.unexistent_apikey")

	kid, _ = h.key(a, gatehouse.NewKey{})
	h.expect("code in the body", h.api("DELETE", "/resource/api_keys/"+kid, s.with, jsonBody(`{"totp_code":"`+f.code()+`"}`)), 204, "")
}

func TestListKeys(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	var kids []string
	for range 5 {
		h.pass(time.Second)
		kid, _ := h.key(a, gatehouse.NewKey{})
		kids = append(kids, kid)
	}
	list := func(query string) reply { return h.api("GET", "/resource/api_keys"+query, s.with) }
	order := func(got reply) string {
		var out []string
		for i, kid := range kids {
			if at := strings.Index(got.body, kid); at >= 0 {
				out = append(out, fmt.Sprintf("%06d %d", at, i))
			}
		}
		for i := range out {
			for j := i + 1; j < len(out); j++ {
				if out[j] < out[i] {
					out[i], out[j] = out[j], out[i]
				}
			}
		}
		for i := range out {
			out[i] = out[i][7:]
		}
		return strings.Join(out, "")
	}
	for query, want := range map[string]string{
		"": "01234", "?ordering=asc": "01234", "?ordering=desc": "43210", "?order_by=id&ordering=desc": "43210", "?order_by=updated_at": "01234",
		"?order_by=secret_encrypted": "01234", "?limit=2": "01", "?limit=2&page=2": "23", "?limit=2&page=3": "4", "?limit=2&page=4": "", "?page=17&limit=1": "",
	} {
		got := list(query)
		if got.status != 200 || order(got) != want {
			t.Errorf("%s: %s, want %s", query, order(got), want)
		}
		if got.header.Get("Total") != "5" {
			t.Errorf("%s: Total %q", query, got.header.Get("Total"))
		}
	}
	got := list("?page=2&limit=2")
	base := "<" + h.url + "/api/v2/barong/resource/api_keys?limit=2&page="
	want := base + `1>; rel="first", ` + base + `1>; rel="prev", ` + base + `3>; rel="last", ` + base + `3>; rel="next"`
	if got.header.Get("Link") != want || got.header.Get("Page") != "2" || got.header.Get("Per-Page") != "2" {
		t.Errorf("header %v, want Link %s", got.header, want)
	}
	if got := list("?page=9"); got.body != "[]" {
		t.Errorf("beyond the end: %v", got)
	}
	h.refused("all wrong", list("?ordering=up&order_by=name&page=x&limit=101"), 422,
		"resource.api_key.invalid_ordering", "resource.api_key.invalid_attribute", "non_integer_page", "non_positive_page", "invalid_limit")
}
