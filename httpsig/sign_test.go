// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// What SignRequest signs is what a server reads, whatever the URL looked like.
func TestSignRequest(t *testing.T) {
	t.Parallel()
	answer := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			answer <- err
			return
		}
		s := &store{key: shared, nonces: map[string]bool{}}
		m := MessageOf(r)
		_, err = s.verifier(Policy{NonceAlways: true}).Verify(r.Context(), &m, body)
		answer <- err
	}))
	t.Cleanup(server.Close)
	for _, target := range []string{
		"", "/", "/v1/orders?dry=1", "?", "/?", "?a=b", "/a/../b/./c", "/%7euser/%2Fx%2fy", "/a%2e%2e/b", "/%2e%2e/%2E/x",
		"//a//b", "/ü", "/a b", "/a;b=c", "/a%00b", "/?q=a+b%20c|d&q=ü&%7e=%zz", "/%25", "/[x]", "/'\"<>", "/a:b@c", "/x/..",
	} {
		for _, body := range []string{"", "the body"} {
			method := map[string]string{"": "GET", "the body": "POST"}[body]
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			path, query, _ := strings.Cut(target, "?")
			r.URL.RawQuery, r.URL.ForceQuery = query, strings.HasSuffix(target, "?")
			if r.URL.Path, err = url.PathUnescape(path); err != nil {
				t.Fatal(err)
			}
			r.URL.RawPath = path
			if err := signer().SignRequest(r, []byte(body)); err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			signedTarget := r.URL.RequestURI()
			response, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if err := <-answer; err != nil {
				t.Errorf("%s, signed as %s: %v", target, signedTarget, err)
			}
		}
	}
}

func TestSignRequestReplaces(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "https://api.example.com/a/%2e./b", strings.NewReader("an old body"))
	r.RequestURI = ""
	r.Header.Set("Content-Digest", "sha-256=:AAAA:")
	r.Header["Signature"] = []string{"a=:AAAA:", "b=:AAAA:"}
	if err := signer().SignRequest(r, []byte("x")); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "x" || r.ContentLength != 1 || r.Header.Get("Content-Digest") != ContentDigest([]byte("x")) {
		t.Errorf("body %q of %d bytes, %v, digest %s", body, r.ContentLength, err, r.Header.Get("Content-Digest"))
	}
	again, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if body, err = io.ReadAll(again); err != nil || string(body) != "x" {
		t.Errorf("body %q, %v", body, err)
	}
	if len(r.Header["Signature"]) != 1 || r.URL.String() != "https://api.example.com/b" {
		t.Errorf("%d signatures for %s", len(r.Header["Signature"]), r.URL)
	}
	if err := signer().SignRequest(r, nil); err != nil {
		t.Fatal(err)
	}
	if r.Body != http.NoBody || r.ContentLength != 0 || r.Header.Get("Content-Digest") != ContentDigest(nil) || !strings.Contains(r.Header.Get("Signature-Input"), `"content-digest"`) {
		t.Error("the body is still there, or its absence is not signed")
	}
	r.Method = http.MethodGet
	if err := signer().SignRequest(r, nil); err != nil || r.Header.Get("Content-Digest") != "" {
		t.Errorf("a read without body has a digest: %v", err)
	}
	unnamed := signer()
	unnamed.KeyID = ""
	if err := unnamed.SignRequest(r, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("signed without a key id: %v", err)
	}
	for _, u := range []*url.URL{{Path: "/x"}, {Scheme: "https", Path: "/x"}, {Scheme: "https", Host: "h", Opaque: "//h/x"}} {
		if err := signer().SignRequest(&http.Request{URL: u}, nil); err == nil {
			t.Errorf("signed %s", u)
		}
	}
}

func TestCanonicalTarget(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"":                      "/",
		"/":                     "/",
		"/a/b":                  "/a/b",
		"/a/./b/../c":           "/a/c",
		"/../../a":              "/a",
		"/a/..":                 "/",
		"/a/b/..":               "/a/",
		"/a/.":                  "/a/",
		"/a/%2e%2E/b":           "/b",
		"/%2e%2e%2fa":           "/..%2Fa",
		"/%7Euser/%c3%a9":       "/~user/%C3%A9",
		"/a%2fb%5cc":            "/a%2Fb%5Cc",
		"//a//b":                "//a//b",
		"/a?b=../c&d=%2e%3d":    "/a?b=../c&d=.%3D",
		"/a?":                   "/a?",
		"/a?b?c":                "/a?b?c",
		"/a b\x7fé\"":           "/a%20b%7F%C3%A9%22",
		"/100%":                 "/100%25",
		"/%4":                   "/%254",
		"/%zz":                  "/%25zz",
		"/!$&'()*+,;=:@[]-._~1": "/!$&'()*+,;=:@[]-._~1",
	} {
		got := canonicalTarget(target)
		if got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
		if again := canonicalTarget(got); again != got {
			t.Errorf("%s: not stable: %s, then %s", target, got, again)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*Signer, *Message)
		want  error
	}{
		"no digest":           {func(_ *Signer, m *Message) { delete(m.Header, "Content-Digest") }, ErrMissing},
		"body not known":      {func(_ *Signer, m *Message) { m.Body = BodyUnknown; delete(m.Header, "Content-Digest") }, ErrMissing},
		"no authority":        {func(_ *Signer, m *Message) { m.Authority = "" }, ErrMissing},
		"no method":           {func(_ *Signer, m *Message) { m.Method = "" }, ErrMissing},
		"no target":           {func(_ *Signer, m *Message) { m.Target = "" }, ErrMissing},
		"label":               {func(s *Signer, _ *Message) { s.Label = "Sig 1" }, ErrMalformed},
		"no key id":           {func(s *Signer, _ *Message) { s.KeyID = "" }, ErrMalformed},
		"key id not ASCII":    {func(s *Signer, _ *Message) { s.KeyID = "é" }, ErrMalformed},
		"key id long":         {func(s *Signer, _ *Message) { s.KeyID = strings.Repeat("k", 257) }, ErrMalformed},
		"tag with tab":        {func(s *Signer, _ *Message) { s.Tag = "\t" }, ErrMalformed},
		"nonce with line end": {func(s *Signer, _ *Message) { s.Nonce = func() string { return "\n" } }, ErrMalformed},
		"component":           {func(s *Signer, _ *Message) { s.Components = []string{`da"te`} }, ErrMalformed},
		"component empty":     {func(s *Signer, _ *Message) { s.Components = []string{""} }, ErrMalformed},
		"component sf":        {func(s *Signer, _ *Message) { s.Components = []string{"date;sf"} }, ErrUnsupported},
		"component twice":     {func(s *Signer, _ *Message) { s.Components = []string{"date", "date"} }, ErrMalformed},
		"zero key":            {func(s *Signer, _ *Message) { s.Key = SharedKey{} }, ErrKey},
	} {
		s, m := signer(), post()
		tt.spoil(s, m)
		if _, _, err := s.Sign(m); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// Without a Nonce of its own a signer never repeats one.
func TestSignerNonce(t *testing.T) {
	t.Parallel()
	s := Signer{KeyID: "k1", Key: shared, Tag: "app"}
	seen := map[string]bool{}
	for range 3 {
		g, err := Parse(signed(t, &s, post()), Policy{Tag: "app"})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Nonce) < 26 || seen[g.Nonce] {
			t.Errorf("nonce %q", g.Nonce)
		}
		seen[g.Nonce] = true
	}
}

func TestMessageOf(t *testing.T) {
	t.Parallel()
	client := &http.Request{URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/x y"}, Body: io.NopCloser(bytes.NewReader(nil))}
	served := httptest.NewRequest(http.MethodPut, "/x%2Fy?z", nil)
	secure := httptest.NewRequest(http.MethodPut, "https://a.example/", strings.NewReader("x"))
	for _, tt := range []struct {
		r    *http.Request
		want Message
	}{
		{client, Message{Method: "GET", Scheme: "https", Authority: "a.example", Target: "/x%20y", Body: BodyPresent}},
		{served, Message{Method: "PUT", Scheme: "http", Authority: "example.com", Target: "/x%2Fy?z", Body: BodyNone, Header: served.Header}},
		{secure, Message{Method: "PUT", Scheme: "https", Authority: "a.example", Target: "https://a.example/", Body: BodyPresent, Header: secure.Header}},
	} {
		if got := MessageOf(tt.r); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("got %+v, want %+v", got, tt.want)
		}
	}
}

func TestAcceptSignature(t *testing.T) {
	t.Parallel()
	p := Policy{Tag: `a"p`}
	field := p.AcceptSignature("sig1", BodyPresent)
	if want := `sig1=("@method" "@authority" "@path" "@query" "content-digest");created;tag="a\"p"`; field != want {
		t.Errorf("got %s", field)
	}
	all, err := ParseAcceptSignature([]string{field, `other=("@query-param";name="x" "@method";req);expires;keyid="k";alg="ed25519";nonce="n";created=?0`})
	if err != nil {
		t.Fatal(err)
	}
	want := []Wanted{
		{Label: "sig1", Components: DefaultComponents(BodyPresent), Created: true, Tag: `a"p`},
		{Label: "other", Components: []string{`@query-param;name="x"`, "@method;req"}, Expires: true, KeyID: "k", Alg: "ed25519", Nonce: "n"},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("got %+v", all)
	}
	// Who does what is asked is accepted.
	s := signer()
	s.Label, s.Tag, s.Components = all[0].Label, all[0].Tag, all[0].Components
	wantErr(t, check(signed(t, s, post()), p, shared), nil)
	for _, bad := range []string{
		"", "sig1", "sig1=x", `sig1=();created=1`, `sig1=();keyid`, `sig1=();any`, `sig1=();created;created`,
		`a=(),a=()`, `a=("a;b")`, `a=("A")`, `a=("")`, `a=();tag="` + strings.Repeat("x", 257) + `"`,
	} {
		if _, err := ParseAcceptSignature([]string{bad}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
