// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	schemehttpsig "github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// pepper is a keyring with one pepper.
type pepper struct{}

func (pepper) PrimaryPepper() (string, []byte) { return "p1", []byte("a pepper of the test") }
func (pepper) PepperByID(id string) (key [bearer.PepperLen]byte, ok bool) {
	copy(key[:], "a pepper of the test")
	return key, id == "p1"
}

// party is a scheme on both sides: what verifies, and what signs for the same key.
type party struct {
	verifier gatehouse.Scheme
	minted   gatehouse.Minted
	signer   sign.Scheme
}

// parties are all schemes, each with a new key.
func parties(t *testing.T) map[string]party {
	t.Helper()
	out := map[string]party{}
	for _, v := range []gatehouse.Scheme{bearer.New(pepper{}), barong.New(barong.Options{}), shield.New(shield.Options{}), schemehttpsig.New(schemehttpsig.Options{})} {
		m, err := v.Mint("", "")
		if err != nil {
			t.Fatal(err)
		}
		p := party{verifier: v, minted: m}
		switch v.Name() {
		case "bearer":
			p.signer = sign.Bearer(m.Token)
		case "barong":
			p.signer = sign.Barong(m.KeyID, m.Secret)
		case "shield":
			p.signer = sign.Shield(m.KeyID, m.Secret)
		case "httpsig":
			key, err := httpsig.HMACKey([]byte(m.Secret.Reveal()))
			if err != nil {
				t.Fatal(err)
			}
			p.signer = sign.HTTPSig(&httpsig.Signer{KeyID: m.KeyID, Key: key})
		}
		out[v.Name()] = p
	}
	return out
}

// accepts reports whether the real scheme takes the request for the key's.
func (p *party) accepts(r *gatehouse.Request) bool {
	c, found := p.verifier.Extract(r)
	if found != gatehouse.CredentialPresent || c.KeyID != p.minted.KeyID || c.Flaw != 0 {
		return false
	}
	m := gatehouse.Material{Version: 1, Kind: gatehouse.MaterialSealed}
	opened := []byte(p.minted.Secret.Reveal())
	if p.minted.Digest != nil {
		m.Kind, m.Ref, m.Data, opened = gatehouse.MaterialDigest, p.minted.Ref, p.minted.Digest, nil
	}
	return p.verifier.Prove(r, c, &gatehouse.Key{ID: p.minted.KeyID, Prefix: p.minted.Prefix}, &m, opened)
}

// service answers 200 to the key's requests and 401 to others, and repeats target and
// body.
func (p *party) service(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if !p.accepts(&gatehouse.Request{
			Method: r.Method, Authority: r.Host, Target: r.RequestURI, Header: gatehouse.Header(r.Header),
			Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body},
		}) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.RequestURI, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func transport(t *testing.T, origin string, s sign.Scheme, o sign.Options) *http.Client {
	t.Helper()
	tr, err := sign.New(origin, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: tr}
}

// The real schemes accept what is signed here, with and without a body, whatever its
// length was known to be, and the request is not changed.
func TestRealSchemes(t *testing.T) {
	t.Parallel()
	for name, p := range parties(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := p.service(t)
			client := transport(t, s.URL, p.signer, sign.Options{})
			for _, row := range []struct {
				method string
				body   io.Reader
				want   string
			}{
				{"", nil, ""},
				{"GET", http.NoBody, ""},
				{"POST", strings.NewReader(`{"a":1}`), `{"a":1}`},
				{"PUT", io.MultiReader(strings.NewReader("in "), strings.NewReader("parts")), "in parts"},
				{"POST", io.MultiReader(), ""},
				{"DELETE", bytes.NewReader([]byte{0, 255}), "\x00\xff"},
			} {
				req, err := http.NewRequestWithContext(t.Context(), row.method, s.URL+"/a?b=c", row.body)
				if err != nil {
					t.Fatal(err)
				}
				if row.method == "" {
					req.Method, req.Header = "", nil
				}
				before := req.Clone(t.Context())
				resp, err := client.Transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := text(t, resp); resp.StatusCode != http.StatusOK || got != "/a?b=c "+row.want {
					t.Errorf("%s with %q: %s, %q", row.method, row.want, resp.Status, got)
				}
				if len(req.Header) != 0 || *req.URL != *before.URL || req.Host != before.Host || req.ContentLength != before.ContentLength || req.Method != before.Method {
					t.Errorf("%s: the request was changed: %v", row.method, req.Header)
				}
			}
			// Another body than the signed one.
			if p.signer.CoversBody() {
				r := httptest.NewRequest("POST", s.URL+"/", nil)
				r.RequestURI = ""
				if err := p.signer.Sign(r, []byte("one")); err != nil {
					t.Fatal(err)
				}
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader("two")), 3
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if _ = text(t, resp); resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("another body: %s", resp.Status)
				}
			}
		})
	}
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What HTTPSig signs is what is sent, in the one form that no server rewrites.
func TestCanonicalTargets(t *testing.T) {
	t.Parallel()
	all := parties(t)
	p := all["httpsig"]
	s := p.service(t)
	client := transport(t, s.URL, p.signer, sign.Options{})
	for target, want := range map[string]string{
		"":                 "/",
		"?a":               "/?a",
		"/a/b":             "/a/b",
		"/a/./b/../c":      "/a/c",
		"/a/..":            "/",
		"/%2e%2E/a":        "/a",
		"/%7ea%2db%5F":     "/~a-b_",
		"/a%2fb":           "/a%2Fb",
		"/caf\u00e9":       "/caf%C3%A9",
		"/a b?c d":         "/a%20b?c%20d",
		"/a?q=%3d%2f%7E&b": "/a?q=%3D%2F~&b",
		"/a?":              "/a?",
		"//a":              "//a",
	} {
		u, err := url.Parse(s.URL + target)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do((&http.Request{Method: "GET", URL: u}).WithContext(t.Context()))
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got := text(t, resp); resp.StatusCode != http.StatusOK || got != want+" " {
			t.Errorf("%s: %s, sent as %q, want %q", target, resp.Status, got, want)
		}
	}
}

// Public keys sign too, and the authority is signed as it is sent.
func TestPublicKeyAndAuthority(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := httpsig.Ed25519PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	check, err := httpsig.Ed25519PublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := sign.New("https://API.example.com:443/", sign.HTTPSig(&httpsig.Signer{KeyID: "k", Key: key}), sign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.EXAMPLE.com:443/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tr.Sign(req)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Host != "api.example.com" || signed.URL.Host != "api.example.com" {
		t.Errorf("sent to %s as %s", signed.URL.Host, signed.Host)
	}
	sig, err := httpsig.Parse(&httpsig.Message{Method: "GET", Authority: "api.example.com", Target: "/x", Header: signed.Header, Body: httpsig.BodyNone}, httpsig.Policy{})
	if err != nil || sig.Verify(check) != nil {
		t.Errorf("the signature does not hold: %v", err)
	}
}

// signed is the header a scheme gives a request.
func signed(t *testing.T, s sign.Scheme) (http.Header, error) {
	t.Helper()
	r := httptest.NewRequest("GET", "https://a.example/", nil)
	err := s.Sign(r, nil)
	return r.Header, err
}

// A key that could end a header field early, or proves nothing, is refused, and no text
// of it is told.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "hunter2\r\nX: y", "hunter2 ", "\u00fchunter2", "hunter2\x00", "hunter2\x7f"} {
		secret, good := gatehouse.NewSecret(bad), gatehouse.NewSecret("good")
		for name, s := range map[string]sign.Scheme{
			"bearer": sign.Bearer(secret), "barong": sign.Barong("k", secret), "barong id": sign.Barong(bad, good),
			"shield": sign.Shield("k", secret), "shield id": sign.Shield(bad, good),
		} {
			if h, err := signed(t, s); !errors.Is(err, sign.ErrCredential) || len(h) != 0 || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %q: %v, %v", name, bad, err, h)
			}
		}
	}
}

// Whoever prints a scheme or a transport does not print the key.
func TestNothingPrintsTheKey(t *testing.T) {
	t.Parallel()
	secret := gatehouse.NewSecret("hunter2")
	for _, s := range []sign.Scheme{sign.Bearer(secret), sign.Barong("k", secret), sign.Shield("k", secret)} {
		tr, err := sign.New("https://a.example", s, sign.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "scheme", s, "transport", tr)
		asJSON, _ := json.Marshal([]any{s, tr})
		for _, got := range []string{fmt.Sprintf("%v %+v %#v %s %v %+v %#v", s, s, s, s, tr, *tr, tr), log.String(), string(asJSON)} {
			if strings.Contains(got, "hunter2") {
				t.Errorf("prints %s", got)
			}
		}
	}
}

// No two requests of one scheme have the same nonce, and the nonces grow in the order of
// each caller.
func TestNoncesAreUnique(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers, each = 8, 1250
		s := sign.Barong("k", gatehouse.NewSecret("secret"))
		var mu sync.Mutex
		seen := map[string]bool{}
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				last := ""
				for n := 0; n < each; {
					h, err := signed(t, s)
					if errors.Is(err, sign.ErrTooFast) {
						<-time.After(time.Millisecond)
						continue
					}
					nonce := h.Get("X-Auth-Nonce")
					mu.Lock()
					if err != nil || seen[nonce] || nonce <= last {
						t.Errorf("nonce %q after %q: %v", nonce, last, err)
					}
					seen[nonce] = true
					mu.Unlock()
					last, n = nonce, n+1
				}
			})
		}
		all.Wait()
		if len(seen) != callers*each {
			t.Errorf("%d different nonces, want %d", len(seen), callers*each)
		}
	})
}

// While the clock stands still, nonces run one second ahead and no further.
func TestNoncesStayNearTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sign.Barong("k", gatehouse.NewSecret("secret"))
		for i := range 1001 {
			h, err := signed(t, s)
			if want := fmt.Sprint(time.Now().UnixMilli() + int64(i)); err != nil || h.Get("X-Auth-Nonce") != want {
				t.Fatalf("nonce %q, %v; want %s", h.Get("X-Auth-Nonce"), err, want)
			}
		}
		if h, err := signed(t, s); !errors.Is(err, sign.ErrTooFast) || len(h) != 0 {
			t.Errorf("more than a second ahead: %v, %v", h, err)
		}
		<-time.After(time.Millisecond)
		if _, err := signed(t, s); err != nil {
			t.Errorf("a millisecond later: %v", err)
		}
		<-time.After(time.Hour)
		if h, err := signed(t, s); err != nil || h.Get("X-Auth-Nonce") != fmt.Sprint(time.Now().UnixMilli()) {
			t.Errorf("an hour later: %v, %v", h, err)
		}
	})
}
