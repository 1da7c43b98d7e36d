// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// willing is a verifier that grants at once.
type willing struct{ judge }

func (*willing) Verify(context.Context, *gatehouse.Request) (gatehouse.Decision, error) {
	return granted, nil
}

// void takes an answer and keeps its status.
type void struct {
	header http.Header
	status int
}

func (w *void) Header() http.Header         { return w.header }
func (w *void) Write(p []byte) (int, error) { return len(p), nil }
func (w *void) WriteHeader(status int)      { w.status = status }

// BenchmarkNginx measures an answer to nginx, without the server and without the authority,
// beside a handler that does the least: it takes six fields, looks at the path, asks, and
// sets the fields of the answer.
func BenchmarkNginx(b *testing.B) {
	v := &willing{}
	g, err := gate.New(v, gate.Options{})
	if err != nil {
		b.Fatal(err)
	}
	door := forwardauth.New(g, forwardauth.Options{})
	r := dialects["nginx"](plain().with("User-Agent", "curl/8", "Content-Type", "application/json", "X-Request-Id", "7"))
	sent, w := maps.Clone(r.Header), &void{header: http.Header{}}
	again := func(h http.Handler) func() {
		return func() {
			maps.Copy(r.Header, sent) // the server makes it anew for each request
			clear(w.header)
			w.status = 0
			if h.ServeHTTP(w, r); w.status != http.StatusOK {
				b.Fatal(w.status, w.header)
			}
		}
	}
	whole, bare := again(door), again(bareNginx(v))
	allocs := testing.AllocsPerRun(1000, whole)
	inTurns(b, "nginx", whole, bare)
	b.ReportMetric(allocs, "nginx-allocs")
}

func bareNginx(v gate.Verifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := gatehouse.Header(r.Header)
		q := gatehouse.Request{Header: h}
		q.Method, _, _ = h.One("X-Original-Method")
		q.Scheme, _, _ = h.One("X-Original-Proto")
		q.Authority, _, _ = h.One("X-Original-Host")
		q.Target, _, _ = h.One("X-Original-Uri")
		_, _, _ = h.One("X-Original-Addr")
		_, _, _ = h.One("X-Original-Body")
		_, _ = gate.CanonicalPath(q.Target)
		d, err := v.Verify(r.Context(), &q)
		out := w.Header()
		for _, name := range identity {
			out[name] = []string{d.Key.ID}
		}
		out["X-Auth-Status"], out["X-Auth-Error"], out["Cache-Control"] = []string{"200"}, []string{""}, []string{"no-store"}
		if err == nil && d.Granted {
			w.WriteHeader(http.StatusOK)
		}
	})
}

// inTurns runs two things in turns and reports the median of their ratio, and both in
// nanoseconds.
func inTurns(b *testing.B, name string, what, floor func()) {
	b.Helper()
	const round = 500
	clock := func(do func()) float64 {
		begin := time.Now()
		for range round {
			do()
		}
		return float64(time.Since(begin).Nanoseconds()) / round
	}
	var took, least, ratio []float64
	for b.Loop() {
		x, y := clock(what), clock(floor)
		took, least, ratio = append(took, x), append(least, y), append(ratio, x/y)
	}
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	for unit, all := range map[string][]float64{name + "-ns": took, name + "-bare-ns": least, name + "/bare": ratio} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
}
