// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/proxy"
)

// BenchmarkProxy measures how many requests a second pass with a bearer key whose record is
// in memory, beside httputil.ReverseProxy alone, in turns, over real connections. The bar is
// 0.7 of its throughput.
func BenchmarkProxy(b *testing.B) {
	service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":7}`) })
	s := newSite(b, setting{service: service, rules: gate.Rules{"/": gate.AnyKey()}, proxy: proxy.Options{}})
	to, err := url.Parse(s.service.URL)
	if err != nil {
		b.Fatal(err)
	}
	alone := httptest.NewServer(&httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
		},
	})
	b.Cleanup(alone.Close)
	token := s.key("bearer", "").Token.Reveal()
	clients := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(clients.CloseIdleConnections)
	const round, workers = 400, 8
	rate := func(address string) float64 {
		var all sync.WaitGroup
		begin := time.Now()
		for range workers {
			all.Go(func() {
				for range round / workers {
					r, _ := http.NewRequest(http.MethodGet, address+"/orders/7?expand=items", nil)
					r.Header.Set("Authorization", "Bearer "+token)
					a, err := clients.RoundTrip(r)
					if err != nil || a.StatusCode != http.StatusOK {
						b.Error(err, a)
						return
					}
					_, _ = io.Copy(io.Discard, a.Body)
					_ = a.Body.Close()
				}
			})
		}
		all.Wait()
		return round / time.Since(begin).Seconds()
	}
	rate(s.url)
	rate(alone.URL)
	var guarded, plain, ratio []float64
	for b.Loop() {
		x, y := rate(s.url), rate(alone.URL)
		guarded, plain, ratio = append(guarded, x), append(plain, y), append(ratio, x/y)
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	b.ReportMetric(median(guarded), "req/s")
	b.ReportMetric(median(plain), "alone-req/s")
	b.ReportMetric(median(ratio), "ratio")
	if m := median(ratio); m < 0.7 {
		b.Errorf("%.2f of the throughput of httputil.ReverseProxy alone, want 0.7 at least", m)
	}
}
