// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sign_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client/sign"
)

// A redirect to the same origin is signed anew; one to another carries nothing.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for name, p := range parties(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("another origin was sent %v", r.Header) }))
			t.Cleanup(foreign.Close)
			inner := p.service(t)
			mux := http.NewServeMux()
			mux.Handle("/there", inner.Config.Handler)
			mux.Handle("/here", http.RedirectHandler("/there?x", http.StatusTemporaryRedirect))
			mux.Handle("/away", http.RedirectHandler(foreign.URL, http.StatusTemporaryRedirect))
			s := httptest.NewServer(mux)
			t.Cleanup(s.Close)
			client := transport(t, s.URL, p.signer, sign.Options{})
			resp, err := client.Post(s.URL+"/here", "text/plain", strings.NewReader("kept"))
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, resp); resp.StatusCode != http.StatusOK || got != "/there?x kept" {
				t.Errorf("the same origin: %s, %q", resp.Status, got)
			}
			resp, err = client.Post(s.URL+"/away", "text/plain", strings.NewReader("kept"))
			if !errors.Is(err, sign.ErrOrigin) {
				t.Errorf("another origin: %v, %v", resp, err)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := sign.Bearer(gatehouse.NewSecret("hunter2"))
	for origin, want := range map[string]error{
		"https://api.example.com":      nil,
		"https://api.example.com:8443": nil,
		"https://192.0.2.1/":           nil,
		"http://127.0.0.1:8080":        nil,
		"http://[::1]:8080":            nil,
		"http://LOCALHOST":             nil,
		"http://api.example.com":       sign.ErrPlainHTTP,
		"http://192.0.2.1":             sign.ErrPlainHTTP,
		"http://localhost.example.com": sign.ErrPlainHTTP,
		"http://0.0.0.0":               sign.ErrPlainHTTP,
	} {
		if _, err := sign.New(origin, s, sign.Options{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", origin, err, want)
		}
		if _, err := sign.New(origin, s, sign.Options{PlainHTTP: true}); err != nil {
			t.Errorf("%s, plain allowed: %v", origin, err)
		}
	}
	for _, origin := range []string{"", "api.example.com", "https://", "https://:443", "ftp://a", "https://a/b", "https://a?b", "https://a#b", "https://hunter2:hunter2@a", "https://a\x7f", "mailto:a@b"} {
		_, err := sign.New(origin, s, sign.Options{})
		if invalid, ok := errors.AsType[*gatehouse.InvalidError](err); !ok || invalid.Field != "origin" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", origin, err)
		}
	}
	tr, err := sign.New("https://a.example", s, sign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for target, host := range map[string]string{
		"http://a.example/": "", "https://b.example/": "", "https://a.example:444/": "", "https://a.example./": "", "https://a.example.b/": "", "//a.example/": "",
		"https://a.example/": "b.example", "https://a.example:443/": "a.example:444", "https://evil.example/": "a.example",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Sign(&http.Request{URL: u, Host: host}); !errors.Is(err, sign.ErrOrigin) {
			t.Errorf("%s with Host %q: %v", target, host, err)
		}
	}
}

// body is a request's body that tells whether it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// What covers a body reads it, up to the limit; what does not never touches it. It is
// closed in every case.
func TestBodies(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, p := range parties(t) {
		for _, row := range []struct {
			name   string
			read   io.Reader
			length int64
			want   error
		}{
			{"longest", strings.NewReader("12345678"), -1, nil},
			{"too long", strings.NewReader("123456789"), -1, sign.ErrBodyTooLong},
			{"said to be too long", strings.NewReader("1"), 9, sign.ErrBodyTooLong},
			{"broken", io.MultiReader(strings.NewReader("1"), errorReader{broken}), -1, broken},
		} {
			tr, err := sign.New("https://a.example", p.signer, sign.Options{MaxBody: 8})
			if err != nil {
				t.Fatal(err)
			}
			b := &body{Reader: row.read}
			req := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/"}, Body: b, ContentLength: row.length}
			signed, err := tr.Sign(req)
			switch {
			case !p.signer.CoversBody():
				if err != nil || b.closed || signed.Body != req.Body || signed.ContentLength != row.length {
					t.Errorf("%s, %s: %v; the body was touched", name, row.name, err)
				}
			case !errors.Is(err, row.want) || !b.closed:
				t.Errorf("%s, %s: %v, closed %v", name, row.name, err, b.closed)
			case err == nil:
				for range 2 {
					again, err := signed.GetBody()
					if err != nil {
						t.Fatal(err)
					}
					if got, _ := io.ReadAll(again); string(got) != "12345678" || signed.ContentLength != 8 {
						t.Errorf("%s: the body reads again as %q", name, got)
					}
				}
			}
		}
	}
	tr, err := sign.New("https://a.example", sign.Bearer(gatehouse.NewSecret("x")), sign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &body{Reader: strings.NewReader("")}
	req := &http.Request{URL: &url.URL{Scheme: "https", Host: "b.example"}, Body: b}
	if _, err := tr.RoundTrip(req); !errors.Is(err, sign.ErrOrigin) || !b.closed {
		t.Errorf("refused: %v, closed %v", err, b.closed)
	}
}

type errorReader struct{ error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.error }
