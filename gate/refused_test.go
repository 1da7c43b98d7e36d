// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// record is what an observer is told, a line for each decision: the key and what it came to.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (o *record) Observe(_ *gatehouse.Request, d *gatehouse.Decision, err error, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	line := "granted"
	switch {
	case err != nil:
		line = err.Error()
	case !d.Granted:
		line = d.Reason.Code()
	}
	if d.Key != nil {
		line = d.Key.ID + " " + line
	}
	o.lines = append(o.lines, line)
}

// taken is what was told since it was asked last.
func (o *record) taken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

// gates are ways to ask a gate about a request: the answer's code, empty where it passes.
var gates = map[string]func(g *gate.Gate, r *http.Request) string{
	"judge": func(g *gate.Gate, r *http.Request) string {
		v := g.Judge(r.Context(), &gatehouse.Request{
			Method: r.Method, Scheme: "http", Authority: r.Host, Target: r.RequestURI, Peer: netip.MustParseAddr("192.0.2.1"), Header: gatehouse.Header(r.Header), Need: gatehouse.Scopes{"not-asked"},
		}, gate.Rule{}, r)
		switch {
		case v.Denial == nil:
			return ""
		case v.Decision != v.Denial.Decision:
			return "the verdict and its denial differ"
		}
		return v.Denial.Code
	},
	"middleware": func(g *gate.Gate, r *http.Request) string {
		w := httptest.NewRecorder()
		g.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		_, code, _ := strings.Cut(w.Body.String(), `"code":"`)
		code, _, _ = strings.Cut(code, `"`)
		return code
	},
	"forwardauth": func(g *gate.Gate, r *http.Request) string {
		h := r.Header.Clone()
		for name, value := range map[string]string{"Method": r.Method, "Proto": "http", "Host": r.Host, "Uri": r.RequestURI, "Addr": "192.0.2.1", "Body": "sent"} {
			h.Set("X-Original-"+name, value)
		}
		asks := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/v1/authz/haproxy", r.Body)
		asks.ContentLength, asks.Header, asks.RemoteAddr = r.ContentLength, h, "127.0.0.1:4711"
		w := httptest.NewRecorder()
		forwardauth.New(g, forwardauth.Options{}).ServeHTTP(w, asks)
		return w.Header().Get(forwardauth.HeaderError)
	},
}

// What a rule refuses is in the record of the key, once, with the reason that the answer has,
// and what else is wrong with the request is not hidden by it.
func TestRefusedByRule(t *testing.T) {
	t.Parallel()
	for name, ask := range gates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen record
			h, owner := house(t, &seen)
			g, err := gate.New(h.Authority, gate.Options{Rules: gate.Rules{
				"/open/": gate.Open(), "/key/": gate.AnyKey(), "/block/": gate.Block(), "/role/": gate.AnyKey().Roles("clerk"), "/scope/": gate.All("admin"),
			}})
			if err != nil {
				t.Fatal(err)
			}
			make := func(scheme string) gatehouse.Created {
				c, err := h.Authority.Create(t.Context(), h.Actor(), gatehouse.NewKey{
					Principal: owner, Schemes: []string{scheme}, Scopes: gatehouse.Scopes{"read"}, Limits: []gatehouse.Limit{{Name: "few", Count: 1, Period: time.Hour, Burst: 1}},
				})
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			bearer, barong, shield := make("bearer"), make("barong"), make("shield")
			nonce := sign.Barong(barong.Key.ID, barong.Secret)
			replay := request(t, "/none", nonce)
			for _, row := range []struct {
				r    *http.Request
				code string
				want []string
			}{
				{request(t, "/none", sign.Bearer(bearer.Token)), "no_rule", []string{bearer.Key.ID + " no_rule"}},
				{request(t, "/block/x", sign.Bearer(bearer.Token)), "route_not_allowed", []string{bearer.Key.ID + " route_not_allowed"}},
				{request(t, "/role/x", sign.Bearer(bearer.Token)), "route_not_allowed", []string{bearer.Key.ID + " route_not_allowed"}},
				{request(t, "/scope/x", sign.Bearer(bearer.Token)), "insufficient_scope", []string{bearer.Key.ID + " insufficient_scope"}},
				{request(t, "/none", sign.Shield(shield.Key.ID, shield.Secret)), "no_rule", []string{shield.Key.ID + " no_rule"}},
				{request(t, "/none", sign.Barong(barong.Key.ID, shield.Secret)), "no_rule", []string{"invalid_credential"}},
				{request(t, "/none", nil), "no_rule", []string{"no_rule"}},
				{request(t, "/open/x", sign.Bearer(bearer.Token)), "", nil},
				{request(t, "/a//b", sign.Bearer(bearer.Token)), "ambiguous_path", nil},
				{replay, "no_rule", []string{barong.Key.ID + " no_rule"}},
				{replay, "no_rule", []string{barong.Key.ID + " replayed"}},
				// Nothing of the limit was taken.
				{request(t, "/key/x", sign.Bearer(bearer.Token)), "", []string{bearer.Key.ID + " granted"}},
				{request(t, "/key/x", sign.Bearer(bearer.Token)), "rate_limited", []string{bearer.Key.ID + " rate_limited"}},
			} {
				code := ask(g, row.r)
				if diff := cmp.Diff(row.want, seen.taken()); code != row.code || diff != "" {
					t.Errorf("%s: %q, want %q (-want +got):\n%s", row.r.RequestURI, code, row.code, diff)
				}
			}
			if g, err = gate.New(silent{h.Authority}, gate.Options{Rules: gate.Rules{"/key/": gate.AnyKey()}, Log: slog.New(slog.DiscardHandler)}); err != nil {
				t.Fatal(err)
			}
			if code := ask(g, request(t, "/none", sign.Bearer(bearer.Token))); code != "no_rule" {
				t.Errorf("where the authority does not answer: %q", code)
			}
		})
	}
}

// silent is an authority that is not there when it is told of refusals.
type silent struct{ *gatehouse.Authority }

func (silent) Refuse(context.Context, *gatehouse.Request, gatehouse.Reason) (gatehouse.Decision, error) {
	return gatehouse.Decision{}, gatehouse.ErrUnavailable
}

func house(t *testing.T, o gatehouse.Observer) (h *embedded.House, owner string) {
	t.Helper()
	h, err := embedded.Open(context.Background(), filepath.Join(t.TempDir(), "data"), embedded.Options{Observer: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	a, err := h.Accounts.CreateAccount(context.Background(), h.Actor(), account.NewAccount{Email: "a@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	return h, a.ID
}

// request is one with a body, as a server has it.
func request(t *testing.T, target string, scheme sign.Scheme) *http.Request {
	t.Helper()
	body := "the body"
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if scheme == nil {
		return r
	}
	if err := scheme.Sign(r, []byte(body)); err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	return r
}
