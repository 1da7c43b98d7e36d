// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/extauthz"
)

// bare gives every check the same answer, which it does not make anew.
type bare struct {
	auth.UnimplementedAuthorizationServer
	answer *auth.CheckResponse
}

func (b *bare) Check(context.Context, *auth.CheckRequest) (*auth.CheckResponse, error) {
	return b.answer, nil
}

// BenchmarkCheck measures checks of a hot bearer key, with the authority and everything,
// beside a server that gives each the same answer and does nothing else: over loopback TCP,
// 32 at a time, in turns. Less than 85 % of that server's throughput is a failure.
func BenchmarkCheck(b *testing.B) {
	h := open(b)
	_, conn := serve(b, gateOf(b, h.Authority, gate.Options{}), extauthz.Options{}, loopback(b))
	whole := auth.NewAuthorizationClient(conn)
	in := h.signed(b, "bearer", "GET", "/orders/7?x=1", "").with("User-Agent", "curl/8", "Accept", "*/*", "X-Request-Id", "7").check(true)
	model, err := whole.Check(b.Context(), in)
	if err != nil || model.GetOkResponse() == nil {
		b.Fatal(model, err)
	}
	ln := loopback(b)
	floor := auth.NewAuthorizationClient(bareServer(b, ln, &bare{answer: model}))
	var ratios, rates []float64
	round := func(c auth.AuthorizationClient) float64 {
		const callers, calls = 32, 10
		begin := time.Now()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range calls {
					ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second) // as Envoy does
					out, err := c.Check(ctx, in)
					if cancel(); err != nil || out.GetOkResponse() == nil {
						b.Error(out, err)
						return
					}
				}
			})
		}
		wg.Wait()
		return callers * calls / time.Since(begin).Seconds()
	}
	for b.Loop() {
		rate := round(whole)
		rates, ratios = append(rates, rate), append(ratios, rate/round(floor))
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	ratio := ratios[len(ratios)/2]
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	b.ReportMetric(rates[len(rates)/2], "checks/s")
	b.ReportMetric(ratio, "of-bare")
	if len(ratios) > 20 && ratio < 0.85 {
		b.Errorf("%.2f of a bare server's throughput, want 0.85", ratio)
	}
}

func bareServer(b *testing.B, ln net.Listener, s *bare) *grpc.ClientConn {
	b.Helper()
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	b.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return dial(b, ln.Addr())
}
