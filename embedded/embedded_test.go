// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	sig "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
)

func open(t *testing.T, dir string, o embedded.Options) *embedded.House {
	t.Helper()
	h, err := embedded.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func key(t *testing.T, h *embedded.House, owner, scheme string) gatehouse.Created {
	t.Helper()
	c, err := h.Authority.Create(context.Background(), h.Actor(), gatehouse.NewKey{Principal: owner, Schemes: []string{scheme}, Scopes: gatehouse.Scopes{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func owner(t *testing.T, h *embedded.House) string {
	t.Helper()
	a, err := h.Accounts.CreateAccount(context.Background(), h.Actor(), account.NewAccount{Email: "a@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// counter is an observer.
type counter struct{ n atomic.Int64 }

func (c *counter) Observe(*gatehouse.Request, *gatehouse.Decision, error, time.Duration) { c.n.Add(1) }

// Every scheme goes through the gate with its body, and what was signed is what counts.
func TestSchemesThroughTheGate(t *testing.T) {
	t.Parallel()
	var seen counter
	h := open(t, filepath.Join(t.TempDir(), "data"), embedded.Options{Observer: &seen})
	t.Cleanup(func() { _ = h.Close() })
	g, err := gate.New(h.Authority, gate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(g.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := gatehouse.FromContext(r.Context())
		b, _ := io.ReadAll(r.Body)
		if len(r.Header["Authorization"])+len(r.Header["Signature"])+len(r.Header["X-Auth-Apikey"]) > 0 {
			t.Error("the handler sees a credential")
		}
		_, _ = w.Write(append([]byte(d.Scheme+" "+d.Key.ID+" "+d.Body.String()+" "), b...))
	})))
	t.Cleanup(s.Close)
	me := owner(t, h)
	for name, row := range map[string]struct {
		sign func(c gatehouse.Created) sign.Scheme
		body string // what the decision says of the body
	}{
		"bearer": {func(c gatehouse.Created) sign.Scheme { return sign.Bearer(c.Token) }, "unavailable"},
		"barong": {func(c gatehouse.Created) sign.Scheme { return sign.Barong(c.Key.ID, c.Secret) }, "unavailable"},
		"shield": {func(c gatehouse.Created) sign.Scheme { return sign.Shield(c.Key.ID, c.Secret) }, "verified"},
		"httpsig": {func(c gatehouse.Created) sign.Scheme {
			k, err := sig.HMACKey([]byte(c.Secret.Reveal()))
			if err != nil {
				t.Fatal(err)
			}
			return sign.HTTPSig(&sig.Signer{KeyID: c.Key.ID, Key: k})
		}, "verified"},
	} {
		c := key(t, h, me, name)
		tr, err := sign.New(s.URL, row.sign(c), sign.Options{})
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat(name, 10_000)
		if got, want := post(t, tr, s.URL+"/x%2Fy?q=1", body), name+" "+c.Key.ID+" "+row.body+" "+body; got != want {
			t.Errorf("%s: %.300s", name, got)
		}
		// A byte changes on the way.
		changing, err := sign.New(s.URL, row.sign(c), sign.Options{Base: changes{}})
		if err != nil {
			t.Fatal(err)
		}
		if got := post(t, changing, s.URL+"/x", body); strings.Contains(got, "invalid_credential") != (row.body == "verified") {
			t.Errorf("%s, changed: %.300s", name, got)
		}
	}
	if seen.n.Load() != 8 {
		t.Errorf("%d decisions observed, want 8", seen.n.Load())
	}
}

// changes alters the body that is sent.
type changes struct{}

func (changes) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b[len(b)-1] ^= 1
	r.Body = io.NopCloser(bytes.NewReader(b))
	return http.DefaultTransport.RoundTrip(r)
}

func post(t *testing.T, tr http.RoundTripper, url, body string) string {
	t.Helper()
	resp, err := (&http.Client{Transport: tr}).Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What was made, used and claimed is still so after a restart.
func TestReopen(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "data")
	h := open(t, dir, embedded.Options{})
	me := owner(t, h)
	token, triple := key(t, h, me, "bearer"), key(t, h, me, "barong")
	bearer := &gatehouse.Request{Header: gatehouse.Header{"X-Api-Key": {token.Token.Reveal()}}}
	nonce := strconv.FormatInt(time.Now().UnixMilli(), 10)
	signed := &gatehouse.Request{Header: gatehouse.Header{
		barong.HeaderKey: {triple.Key.ID}, barong.HeaderNonce: {nonce}, barong.HeaderSignature: {barong.Sign(triple.Secret.Reveal(), nonce, triple.Key.ID)},
	}}
	for _, r := range []*gatehouse.Request{bearer, signed} {
		if d, err := h.Authority.Verify(ctx, r); err != nil || !d.Granted {
			t.Fatalf("before: %v, %v", d.Reason, err)
		}
	}
	if _, err := embedded.Open(ctx, dir, embedded.Options{}); err == nil || !strings.Contains(err.Error(), "uses it") {
		t.Errorf("opened twice: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = open(t, dir, embedded.Options{})
	if d, err := h.Authority.Verify(ctx, bearer); err != nil || !d.Granted || d.Key.LastUsed.IsZero() {
		t.Errorf("after: %v, %v; last use noted %v", d.Reason, err, d.Key != nil && !d.Key.LastUsed.IsZero())
	}
	if d, err := h.Authority.Verify(ctx, signed); err != nil || d.Granted {
		t.Errorf("a nonce counts twice: %v, %v", d.Granted, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "keyring")); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(ctx, dir, embedded.Options{}); err == nil || !strings.Contains(err.Error(), "keyring") {
		t.Errorf("without its keyring: %v", err)
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for _, o := range []embedded.Options{
		{Barong: barong.Options{Window: time.Minute}}, {HTTPSig: httpsig.Options{MaxAge: 2 * time.Minute}}, {HTTPSig: httpsig.Options{Skew: 2 * time.Minute}},
	} {
		if _, err := embedded.Open(context.Background(), dir, o); err == nil || !strings.Contains(err.Error(), "two minutes") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
