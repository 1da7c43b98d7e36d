// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/server"
)

// words hands on what is written to it.
type words chan string

func (w words) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

// house is a server that runs until stop is called.
type house struct {
	t     *testing.T
	admin *client.Client // through the admin socket
	url   string
	stop  func()
}

func start(t *testing.T) *house {
	t.Helper()
	return startIn(t, filepath.Join(t.TempDir(), "d"))
}

// startIn starts a server on the data that another may have left.
func startIn(t *testing.T, dir string) *house {
	t.Helper()
	cfg, err := config.Load("", nil, map[string]string{"data": dir, "listen": "127.0.0.1:0", "ops_listen": ""})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(words, 1), make(chan error, 1)
	go func() { done <- server.Run(ctx, cfg, "v9", out, io.Discard) }()
	h := &house{t: t, admin: client.Socket(filepath.Join(dir, api.SocketName))}
	select {
	case text := <-out:
		h.url = regexp.MustCompile(`http://[0-9.:]+`).FindString(text)
	case err := <-done:
		t.Fatalf("the server did not start: %v", err)
	}
	ended := false
	h.stop = func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	}
	t.Cleanup(h.stop)
	return h
}

// key makes a key of an account that is there from the first key on.
func (h *house) key(scheme string, scopes ...string) api.CreatedKey {
	h.t.Helper()
	const owner = "root@example.com"
	ctx := h.t.Context()
	if _, err := h.admin.Account(ctx, owner); err != nil {
		if _, err := h.admin.CreateAccount(ctx, api.NewAccount{Email: owner, Role: "superadmin"}); err != nil {
			h.t.Fatal(err)
		}
	}
	k, err := h.admin.CreateKey(ctx, api.NewKey{Owner: owner, Schemes: []string{scheme}, Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

// client calls the server with a key that has the scopes.
func (h *house) client(over http.RoundTripper, scopes ...string) *client.Client {
	h.t.Helper()
	o := client.Options{Server: h.url, Token: gatehouse.NewSecret(h.key("bearer", scopes...).Token)}
	if over != nil {
		o.HTTPClient = &http.Client{Transport: over}
	}
	c, err := client.New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// A service far from the authority has the same gate as one beside it.
func TestVerifierBehindAGate(t *testing.T) {
	t.Parallel()
	house, ctx := start(t), t.Context()
	made := map[string]api.CreatedKey{"bearer": house.key("bearer", "read"), "shield": house.key("shield", "read")}
	g, err := gate.New(client.NewVerifier(house.client(nil, "keys:verify"), client.VerifierOptions{}), gate.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := g.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte(gatehouse.FromContext(r.Context()).Key.ID+" "), body...))
	}))
	bearer := sign.Bearer(gatehouse.NewSecret(made["bearer"].Token))
	shield := sign.Shield(made["shield"].ID, gatehouse.NewSecret(made["shield"].Secret))
	try := func(s sign.Scheme, signed, sent string) (int, string) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/orders", bytes.NewReader([]byte(sent)))
		if s != nil {
			if err := s.Sign(r, []byte(signed)); err != nil {
				t.Fatal(err)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	want := func(name string, s sign.Scheme, signed, sent string, code int, text string) {
		t.Helper()
		if got, body := try(s, signed, sent); got != code || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s, want %d with %q", name, got, body, code, text)
		}
	}
	want("bearer", bearer, "", "x=1", 200, made["bearer"].ID+" x=1")
	want("shield", shield, "x=1", "x=1", 200, made["shield"].ID+" x=1")
	want("another body", shield, "x=1", "x=2", 401, "invalid_credential")
	want("nobody", nil, "", "", 401, "no_credential")
	if _, err := house.admin.RevokeKey(ctx, made["bearer"].ID, "lost"); err != nil {
		t.Fatal(err)
	}
	want("revoked", bearer, "", "x=1", 401, "key_revoked")
	house.stop()
	want("no server", shield, "x=1", "x=1", 503, "unavailable")
}

// A client may sign its calls, body included, instead of showing a token.
func TestSignedCalls(t *testing.T) {
	t.Parallel()
	h, ctx := start(t), t.Context()
	k := h.key("httpsig", "keys:create", "accounts:read")
	key, err := httpsig.HMACKey([]byte(k.Secret))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{Server: h.url, Signer: sign.HTTPSig(&httpsig.Signer{KeyID: k.ID, Key: key})})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Self(ctx); err != nil || s.Key == nil || s.Key.ID != k.ID {
		t.Fatalf("%+v, %v", s, err)
	}
	if made, err := c.CreateKey(ctx, api.NewKey{Owner: k.Owner, Schemes: []string{"httpsig"}}); err != nil || made.Secret == "" {
		t.Errorf("%+v, %v", made.Key, err)
	}
	if a, err := c.Account(ctx, "root@example.com"); err != nil || a.UID != k.Owner {
		t.Errorf("%+v, %v", a, err)
	}
}

// deaf loses the first answer to a change, after the server has given it.
type deaf struct{ heard bool }

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost || d.heard {
		return resp, err
	}
	d.heard = true
	_, _ = io.Copy(io.Discard, resp.Body)
	return nil, errors.Join(errors.New("connection reset"), resp.Body.Close())
}

// Where the answer is lost one key is made, and who asked hears that its secret is gone.
func TestOneKeyForOneCall(t *testing.T) {
	t.Parallel()
	h, ctx := start(t), t.Context()
	lost := &deaf{}
	c := h.client(lost, "keys:create", "keys:rotate", "accounts:read")
	self, err := c.Self(ctx)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.CreateKey(ctx, api.NewKey{Owner: self.Account.UID, Schemes: []string{"bearer"}, Name: "one"})
	if !errors.Is(err, client.ErrSecretLost) || k.ID == "" || !lost.heard {
		t.Fatalf("%+v, %v", k.Key, err)
	}
	n := 0
	for got, err := range h.admin.Keys(ctx, client.KeyQuery{Text: "one"}) {
		if n++; err != nil || got.ID != k.ID {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if n != 1 {
		t.Errorf("%d keys were made", n)
	}
	next, err := c.RotateKey(ctx, k.ID, api.Rotate{})
	if err != nil || next.Token == "" {
		t.Fatalf("rotated: %+v, %v", next.Key, err)
	}
	if d, err := h.admin.Verify(ctx, api.Check{Headers: map[string][]string{"X-Api-Key": {next.Token}}}); err != nil || !d.Granted {
		t.Errorf("%+v, %v", d, err)
	}
}
