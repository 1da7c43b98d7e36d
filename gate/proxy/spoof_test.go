// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/proxy"
)

// lies are header fields of which none may change a decision or reach the service as the
// client wrote it.
var lies = map[string]string{
	"forwarded for":         "X-Forwarded-For: 6.6.6.6\r\n",
	"forwarded for, lower":  "x-forwarded-for: 6.6.6.6\r\nx-Forwarded-FOR: 6.6.6.6\r\n",
	"forwarded for, alias":  "X_Forwarded_For: 6.6.6.6\r\n",
	"forwarded for, dots":   "X.Forwarded.For: 6.6.6.6\r\n",
	"forwarded host":        "X-Forwarded-Host: evil.test\r\nX-Forwarded-Server: evil.test\r\n",
	"forwarded proto":       "X-Forwarded-Proto: evil\r\nX-Forwarded-Ssl: evil\r\nX-Forwarded-Scheme: evil\r\nFront-End-Https: evil\r\n",
	"forwarded port":        "X-Forwarded-Port: 666\r\nX-Forwarded-Prefix: /evil\r\n",
	"forwarded":             "Forwarded: for=6.6.6.6;host=evil.test\r\n",
	"forwarded uri":         "X-Forwarded-Uri: /public/evil\r\nX-Forwarded-Method: evil\r\n",
	"forwarded user":        "X-Forwarded-User: evil\r\nX-Forwarded-Email: evil\r\nX-Forwarded-Groups: evil\r\n",
	"real ip":               "X-Real-IP: 6.6.6.6\r\nTrue-Client-Ip: 6.6.6.6\r\nCf-Connecting-Ip: 6.6.6.6\r\nX-Envoy-External-Address: 6.6.6.6\r\n",
	"original":              "X-Original-URI: /public/evil\r\nX-Original-URL: /public/evil\r\nX-Original-Method: evil\r\nX-Rewrite-Url: /evil\r\n",
	"original, gate's":      "X-Original-Host: evil.test\r\nX-Original-Body: evil\r\nX-Original-Addr: 6.6.6.6\r\nX-Original-Proto: evil\r\n",
	"method":                "X-HTTP-Method-Override: evil\r\nX-Method-Override: evil\r\n",
	"identity":              "X-Auth-Subject: evil\r\nX-Auth-Role: evil\r\nX-Auth-Tenant: evil\r\nX-Auth-Scopes: evil\r\nX-Auth-Key-Id: evil\r\nX-Auth-Scheme: evil\r\nX-Auth-Body: evil\r\n",
	"identity, alias":       "X_Auth_Subject: evil\r\nX-Auth_Role: evil\r\nx_auth-scopes: evil\r\n",
	"identity, twice":       "X-Auth-Subject: evil\r\nX-Auth-Subject: evil\r\nx-auth-subject: evil\r\n",
	"other identity":        "Remote-User: evil\r\nX-Remote-User: evil\r\nX-Webauth-User: evil\r\nX-Authenticated-Userid: evil\r\nX-Consumer-Username: evil\r\nSsl-Client-Verify: evil\r\n",
	"connection, identity":  "Connection: X-Auth-Subject, X-Auth-Scopes, X-Forwarded-For, Authorization, X-Request-Id\r\n",
	"connection, keep":      "Connection: close, X-Forwarded-Host\r\nConnection: X-Auth-Role\r\n",
	"connection, authority": "Connection: Host, Content-Length, Transfer-Encoding\r\n",
	"jwt's own field":       "X-Jwt: evil\r\nX_Jwt: evil\r\n",
	"request id":            "X-Request-Id: evil\r\n",
	"hop by hop":            "Proxy-Connection: evil\r\nKeep-Alive: evil\r\nTe: evil\r\nProxy-Authenticate: evil\r\n",
	"h2c":                   "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"second length":         "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n",
}

// What a client says of itself changes nothing: the answer is that to the plain request,
// and the service reads what the gate says.
func TestLies(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: rules, gate: gate.Options{Tokens: minter{}, TokenField: "X-Jwt"}})
	field, id := s.bearer()
	for name, lie := range lies {
		for target, row := range map[string]struct {
			credential string
			status     int
		}{
			"/orders":       {field, http.StatusOK},
			"/admin/x":      {field, http.StatusForbidden},
			"/orders?plain": {"", http.StatusUnauthorized},
			"/public/x":     {"", http.StatusOK},
		} {
			t.Run(name+" "+target, func(t *testing.T) {
				a := s.raw("GET " + target + " HTTP/1.1\r\nHost: api.example.com\r\n" + row.credential + lie + "\r\n")
				if a.StatusCode != row.status {
					t.Errorf("status %d, want %d", a.StatusCode, row.status)
				}
				if row.status != http.StatusOK {
					s.untouched()
					return
				}
				checkTruth(t, s.reached(), target, row.credential != "", id)
			})
		}
	}
}

func checkTruth(t *testing.T, got seen, target string, known bool, id string) {
	t.Helper()
	want := map[string]string{
		"X-Auth-Key-Id": id, "X-Auth-Scopes": "read", "X-Auth-Tenant": "default", "X-Auth-Scheme": "bearer", "X-Jwt": "jwt-of-" + id,
	}
	for name, value := range want {
		if !known {
			value = ""
		}
		if v := got.header[name]; len(v) != 1 || v[0] != value {
			t.Errorf("%s: %q, want %q", name, v, value)
		}
	}
	for name, value := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "http"} {
		if v := got.header[name]; len(v) != 1 || v[0] != value {
			t.Errorf("%s: %q, want %q", name, v, value)
		}
	}
	if got.target != target || got.host != "api.example.com" || got.method != http.MethodGet || len(got.header["X-Request-Id"]) != 1 {
		t.Errorf("%s %s %s", got.method, got.target, got.host)
	}
	for name, values := range got.header {
		text := strings.ToLower(strings.Join(values, " "))
		if strings.ContainsAny(name, "_.") || strings.Contains(text, "evil") || strings.Contains(text, "6.6.6.6") || text == "666" ||
			strings.Contains(text, "h2c") || name == "Connection" && text != "close" {
			t.Errorf("the service reads %s: %q", name, values)
		}
	}
}

// The field of the JWT is the gate's on open routes too; elsewhere a credential passes there
// as it came.
func TestOpenRoutes(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]int{"": 0, "X-Jwt": 1} {
		s := newSite(t, setting{rules: rules, gate: gate.Options{Tokens: minter{}, TokenField: field}})
		a := s.raw("GET /public/x HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nX-Jwt: evil\r\n\r\n")
		if h := s.reached().header; a.StatusCode != http.StatusOK || len(h["Authorization"]) != want || field != "" && h.Get("X-Jwt") != "" {
			t.Errorf("%q: %d %v", field, a.StatusCode, h)
		}
	}
}

// A trusted proxy is believed about the client, and nobody before it.
func TestForwardedByTrustedProxy(t *testing.T) {
	t.Parallel()
	trusted := gate.TrustProxies(netip.MustParsePrefix("127.0.0.1/32"))
	s := newSite(t, setting{gate: gate.Options{Proxies: trusted}, proxy: proxy.Options{Proxies: trusted}})
	field, _ := s.bearer()
	for _, row := range []struct{ chain, want string }{
		{"6.6.6.6, 192.0.2.7", "192.0.2.7"}, {"192.0.2.7, 127.0.0.1", "192.0.2.7"}, {"rubbish", ""},
	} {
		a := s.raw("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: " + row.chain + "\r\n" + field + "\r\n")
		h := s.reached().header
		if a.StatusCode != http.StatusOK || h.Get("X-Forwarded-For") != row.want || h.Get("X-Forwarded-Proto") != "https" {
			t.Errorf("%s: %d, %q %q", row.chain, a.StatusCode, h["X-Forwarded-For"], h["X-Forwarded-Proto"])
		}
	}
}

// A target that is passed reaches the service byte for byte, and one that can be read in two
// ways passes no rule.
func TestTargets(t *testing.T) {
	t.Parallel()
	ruled, free := newSite(t, setting{rules: rules}), newSite(t, setting{})
	ruledKey, _ := ruled.bearer()
	freeKey, _ := free.bearer()
	for _, row := range []struct {
		target      string
		ruled, free int
	}{
		{"/orders", 200, 200}, {"/orders/", 200, 200}, {"/?", 200, 200}, {"/orders?", 200, 200}, {"/a?x=1;y=2&%zz&&=", 200, 200}, {"/a?b?c#d", 200, 200},
		{`/a"b<c>{d}|^[e]` + "`", 200, 200}, {"/caf\xc3\xa9", 200, 200}, {"/%41%2d~", 200, 200}, {"/a:b@c,d+e'(f)*!$&=", 200, 200},
		{"/admin/x", 403, 200}, {"/%61dmin/x", 403, 200}, {"/public/../admin/x", 403, 200}, {"/public/%2e%2e/admin/x", 403, 200}, {"/public/..%2fadmin/x", 403, 200},
		{"/public/.%2E/admin/x", 403, 200}, {"/public\\..\\admin", 403, 200}, {"/public/%5c..%5cadmin", 403, 200}, {"/public//admin", 403, 200}, {"/a%2fb", 403, 200},
		{"/public/..;/admin/x", 403, 200}, {"/admin#/public/", 403, 200}, {"/public/%00", 403, 200}, {"/public/%252e%252e/admin", 403, 200}, {"/a\xff", 403, 200},
		{"//admin/x", 400, 400}, {"//evil.test/admin", 400, 400}, {"/a%zz", 400, 400}, {"/a%", 400, 400}, {"orders", 400, 400}, {"*", 400, 400}, {"", 400, 400},
		{"ftp://evil.test/public/", 400, 400}, {"/a b", 400, 400},
	} {
		for name, s := range map[string]*site{"ruled": ruled, "free": free} {
			status, field := row.free, freeKey
			if name == "ruled" {
				status, field = row.ruled, ruledKey
			}
			a := s.raw("GET " + row.target + " HTTP/1.1\r\nHost: a\r\n" + field + "\r\n")
			if a.StatusCode != status {
				t.Errorf("%s %q: status %d, want %d", name, row.target, a.StatusCode, status)
			}
			if a.StatusCode == http.StatusOK {
				if got := s.reached(); got.target != row.target {
					t.Errorf("%s %q: the service reads %q", name, row.target, got.target)
				}
			}
			s.untouched()
		}
	}
}

// The absolute form is the same request as its origin form, for the host that it names.
func TestAbsoluteForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: gate.Rules{"a.test/": gate.AnyKey(), "b.test/": gate.All("admin")}})
	field, _ := s.bearer()
	for _, row := range []struct {
		target, host, want string // want is what the service reads; empty: denied
	}{
		{"http://a.test/x?y=1;", "b.test", "/x?y=1;"}, {"HTTP://a.test:80/x", "b.test", "/x"}, {"https://a.test/", "b.test", "/"}, {"http://a.test/?q", "b.test", "/?q"},
		{"http://b.test/x", "a.test", ""}, {"http://b.test", "a.test", ""}, {"http://a.test/../x", "a.test", ""}, {"http://a.test//x", "a.test", ""},
		{"http://b.test/?://a.test/", "a.test", ""}, {"http://a.test@b.test/", "a.test", ""}, {"http://c.test/", "a.test", ""},
	} {
		a := s.raw("GET " + row.target + " HTTP/1.1\r\nHost: " + row.host + "\r\n" + field + "\r\n")
		if (a.StatusCode == http.StatusOK) != (row.want != "") || a.StatusCode != http.StatusOK && a.StatusCode/100 != 4 {
			t.Errorf("%s: %d", row.target, a.StatusCode)
		}
		if a.StatusCode == http.StatusOK {
			if got := s.reached(); got.target != row.want || !strings.HasPrefix(got.host, "a.test") {
				t.Errorf("%s: the service reads %s of %s", row.target, got.target, got.host)
			}
		}
		s.untouched()
	}
	free := newSite(t, setting{})
	field, _ = free.bearer()
	for target, want := range map[string]string{"http://a.test": "/", "http://a.test?q": "/?q", "http://a.test?http://b.test/x": "/?http://b.test/x"} {
		if a := free.raw("GET " + target + " HTTP/1.1\r\nHost: b.test\r\n" + field + "\r\n"); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", target, a.StatusCode)
		} else if got := free.reached(); got.target != want || got.host != "a.test" {
			t.Errorf("%s: the service reads %s of %s", target, got.target, got.host)
		}
	}
}

// What is no plain request is refused before anybody is asked.
func TestUnfitRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{})
	field, _ := s.bearer()
	for name, row := range map[string]struct {
		text   string
		status int
	}{
		"connect":          {"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n", 501},
		"trace":            {"TRACE / HTTP/1.1\r\nHost: a\r\n", 501},
		"no host":          {"GET / HTTP/1.1\r\n", 400},
		"empty host":       {"GET / HTTP/1.1\r\nHost:\r\n", 400},
		"old, no host":     {"GET / HTTP/1.0\r\n", 400},
		"two hosts":        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400},
		"bad host":         {"GET / HTTP/1.1\r\nHost: a b\r\n", 400},
		"two credentials":  {"GET / HTTP/1.1\r\nHost: a\r\n" + field, 401},
		"space in name":    {"GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Subject : evil\r\n", 400},
		"folded":           {"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n X-Auth-Subject: evil\r\n", 200},
		"carriage return":  {"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rX-Auth-Subject: evil\r\n", 400},
		"underscore alias": {"GET / HTTP/1.1\r\nHost: a\r\nX_Api_Key: evil\r\n", 200},
	} {
		a := s.raw(row.text + field + "\r\n")
		if a.StatusCode != row.status {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, row.status)
		}
		if row.status == http.StatusOK {
			if h := s.reached().header; h.Get("X-Auth-Subject") == "evil" || h["X_api_key"] != nil {
				t.Errorf("%s: %v", name, h)
			}
		}
		s.untouched()
	}
}

// Of a text in which two servers could see two different requests, the service sees none, or
// exactly those that the proxy sees.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: rules})
	field, _ := s.bearer()
	const second = "GET /admin/x HTTP/1.1\r\nHost: a\r\n\r\n"
	head := "POST /orders HTTP/1.1\r\nHost: a\r\n" + field
	for name, row := range map[string]struct {
		text   string
		status int
		body   string // what the service reads where the status is 200
	}{
		"lengths that differ":     {head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, ""},
		"lengths in one field":    {head + "Content-Length: 5, 6\r\n\r\nhello", 400, ""},
		"signed length":           {head + "Content-Length: +5\r\n\r\nhello", 400, ""},
		"negative length":         {head + "Content-Length: -5\r\n\r\nhello", 400, ""},
		"coding twice":            {head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, ""},
		"coding unknown":          {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, ""},
		"coding with a tab":       {head + "Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n", 400, ""},
		"coding before chunked":   {head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, ""},
		"space before colon":      {head + "Content-Length : 5\r\n\r\nhello", 400, ""},
		"chunk size too long":     {head + "Transfer-Encoding: chunked\r\n\r\n10000000000000000a\r\nhello\r\n0\r\n\r\n", 400, ""},
		"chunk size no hex":       {head + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400, ""},
		"chunk without its end":   {head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", 400, ""},
		"chunk size ends in LF":   {head + "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n", 400, ""},
		"chunk ends in LF":        {head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", 400, ""},
		"extension of two lines":  {head + "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", 400, ""},
		"long extension":          {head + "Transfer-Encoding: chunked\r\n\r\n5;a=" + strings.Repeat("a", 8<<10) + "\r\nhello\r\n0\r\n\r\n", 400, ""},
		"folded first":            {"POST /orders HTTP/1.1\r\n X-Auth-Role: admin\r\nHost: a\r\n" + field + "\r\n", 400, ""},
		"a lone CR":               {head + "X-A: 1\rX-Auth-Role: admin\r\n\r\n", 400, ""},
		"a preface of HTTP/2":     {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""},
		"a coding in HTTP/1.0":    {"POST /orders HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n" + field + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400, ""},
		"a length in HTTP/1.0":    {"POST /orders HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n" + field + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello" + second, 200, "hello"},
		"HTTP/1.0 is not kept":    {"GET /orders HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n" + field + "Transfer-Encoding: chunked\r\n\r\n" + second, 200, ""},
		"two hosts":               {head + "Host: b\r\n\r\n", 400, ""},
		"a chunk extension":       {head + "Transfer-Encoding: chunked\r\n\r\n5;a=1\r\nhello\r\n0;b\r\n\r\n", 200, "hello"},
		"a folded field":          {head + "X-A: 1\r\n Content-Length: 9\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
		"lengths with underlines": {head + "Content_Length: 9\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
		"length and coding":       {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
		"the same length twice":   {head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
		"a request in the body":   {head + "Content-Length: " + strconv.Itoa(len(second)) + "\r\n\r\n" + second, 200, second},
		"a request in the chunks": {head + "Transfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(second)), 16) + "\r\n" + second + "\r\n0\r\n\r\n", 200, second},
	} {
		t.Run(name, func(t *testing.T) {
			// The second request has no credential: it is 401 where the proxy sees it.
			c := s.dial()
			if _, err := io.WriteString(c, row.text+"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(c)
			a := s.answer(r, http.MethodPost)
			if a.StatusCode != row.status {
				t.Errorf("status %d, want %d", a.StatusCode, row.status)
			}
			if row.status == http.StatusOK {
				if got := s.reached(); string(got.body) != row.body || got.target != "/orders" {
					t.Errorf("the service reads %s %q", got.target, got.body)
				}
			}
			if !a.Close {
				if next := s.answer(r, http.MethodGet); next.StatusCode != http.StatusUnauthorized {
					t.Errorf("the second request: %d", next.StatusCode)
				}
			}
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("another answer: %.200q", rest)
			}
			s.untouched() // but for what a bad body had begun
		})
	}
}
