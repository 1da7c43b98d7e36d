// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
	"github.com/seed14544106/gatehouse/gate/proxy"
)

// gateNames are the gates, as metrics name them: the dialects over HTTP, and the others.
var gateNames = []string{"nginx", "haproxy", "ingress-nginx", "caddy", "traefik", "envoy", "extauthz", "spoe", "proxy"}

// seenFunc is told of each check; the code is that of the denial, empty where it was allowed.
type seenFunc func(gate, code string, took time.Duration)

// of is told of the checks of one gate.
func (f seenFunc) of(gate string) func(code string, took time.Duration) {
	return func(code string, took time.Duration) { f(gate, code, took) }
}

// watchChecks tells of checks over HTTP. What a check came to stands in its answer.
func watchChecks(h http.Handler, seen seenFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		h.ServeHTTP(w, r)
		dialect := strings.TrimPrefix(r.RequestURI, forwardauth.Root)
		if i := strings.IndexAny(dialect, "/?*"); i >= 0 {
			dialect = dialect[:i]
		}
		seen(dialect, w.Header().Get(forwardauth.HeaderError), time.Since(begun))
	})
}

// passage is what the gate of the proxy has said of a request. The rest of the exchange, which
// may be a long one, is not part of the check.
type passage struct {
	said time.Time // when the gate did something last; zero: it was not asked
	code string    // of the denial; empty: there is none
}

type passageKey struct{}

func noteOf(ctx context.Context) *passage {
	p, _ := ctx.Value(passageKey{}).(*passage)
	if p == nil {
		p = new(passage) // nobody watches
	}
	p.said = time.Now()
	return p
}

// watchRequests tells of what the gate of a proxy said, whose options went through [watchProxy].
func watchRequests(h http.Handler, seen seenFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, p := time.Now(), new(passage)
		defer func() { // a broken exchange ends in a panic
			if !p.said.IsZero() {
				seen("proxy", p.code, p.said.Sub(begun))
			}
		}()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), passageKey{}, p)))
	})
}

// watchProxy makes the options of a proxy's gate, which lets [watchRequests] know.
func watchProxy(o gate.Options) gate.Options {
	o.Book, o.Tokens = watchedBook{o.Book}, watchedTokens{o.Tokens}
	o.Denials = func(w http.ResponseWriter, r *http.Request, d *gate.Denial) {
		noteOf(r.Context()).code = d.Code
		proxy.Denials(w, r, d)
	}
	return o
}

type watchedBook struct{ gate.Rulebook }

func (b watchedBook) Rule(ctx context.Context, tenant, method, authority, target string) (gate.Found, error) {
	defer noteOf(ctx)
	return b.Rulebook.Rule(ctx, tenant, method, authority, target)
}

type watchedTokens struct{ gate.Minter }

func (t watchedTokens) Mint(ctx context.Context, d *gatehouse.Decision) (string, error) {
	token, err := t.Minter.Mint(ctx, d)
	if note := noteOf(ctx); err != nil {
		note.code = "unavailable"
	}
	return token, err
}
