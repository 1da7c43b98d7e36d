// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

const (
	rollClients = 8
	healthEvery = 20 * time.Millisecond
)

var rollRequests = sized(4000, 100_000)

// balancer sends requests to nodes in turn, as a load balancer does: not to one that says that
// it is draining, and to the next where a connection is refused. What was sent is not sent
// again.
type balancer struct {
	t        *testing.T
	backends []*backend
	http     *http.Client
	token    string
	turn     atomic.Int64

	served, failed, refused atomic.Int64 // refused: connections
}

// backend is a node as the balancer knows it.
type backend struct {
	addr  string
	ops   atomic.Pointer[string] // nil: it is being started
	ready atomic.Bool
}

// watch asks a backend whether it is ready, until enough is closed.
func (b *backend) watch(enough <-chan struct{}) {
	quick := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		ready := false
		if ops := b.ops.Load(); ops != nil {
			resp, err := quick.Get(*ops + "/readyz")
			if err == nil {
				_ = resp.Body.Close()
				ready = resp.StatusCode == http.StatusOK
			}
		}
		b.ready.Store(ready)
		select {
		case <-enough:
			return
		case <-tick.C:
		}
	}
}

// one sends a request to the first backend in turn that takes it.
func (lb *balancer) one() {
	first := int(lb.turn.Add(1))
	for i := range lb.backends {
		b := lb.backends[(first+i)%len(lb.backends)]
		if !b.ready.Load() {
			continue
		}
		sent, status, err := lb.send(b)
		switch {
		case sent == 0 && err != nil:
			lb.refused.Add(1)
			continue
		case sent != 1 || err != nil || status != http.StatusOK:
			lb.failed.Add(1)
			lb.t.Errorf("sent %d times: status %d, %v", sent, status, err)
		default:
			lb.served.Add(1)
		}
		return
	}
	lb.failed.Add(1)
	lb.t.Error("no node took the request")
}

// send sends a request and reports how often it went out: net/http sends one again that it
// thinks harmless, and that would hide a lost one.
func (lb *balancer) send(b *backend) (sent int64, status int, err error) {
	var count atomic.Int64
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			count.Add(1)
		}
	}})
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.addr+"/v1/self", nil)
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+lb.token)
	resp, err := lb.http.Do(req)
	if err != nil {
		return count.Load(), 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return count.Load(), resp.StatusCode, err
}

// TestNodesRolling restarts three nodes one after another under load. No request fails.
func TestNodesRolling(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	if _, err := f.admin().CreateAccount(t.Context(), api.NewAccount{Email: "roll@example.com"}); err != nil {
		t.Fatal(err)
	}
	k, err := f.admin().CreateKey(t.Context(), api.NewKey{Owner: "roll@example.com", Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	lb := &balancer{t: t, token: k.Token, http: &http.Client{Transport: &http.Transport{
		DialContext: new(net.Dialer).DialContext, MaxIdleConnsPerHost: rollClients,
	}}}
	enough := make(chan struct{})
	var work sync.WaitGroup
	for _, n := range f.nodes {
		b := &backend{addr: n.addr}
		b.ops.Store(&n.ops)
		lb.backends = append(lb.backends, b)
		work.Go(func() { b.watch(enough) })
	}
	lb.await(t, lb.backends...)
	begun := time.Now()
	for range rollClients {
		work.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
					lb.one()
				}
			}
		})
	}
	for i, n := range f.nodes {
		lb.serves(t, lb.served.Load()+int64(rollRequests/4))
		lb.restart(t, n, lb.backends[i])
	}
	lb.serves(t, int64(rollRequests))
	close(enough)
	work.Wait()
	t.Logf("%d requests in %v while %d nodes were restarted, %d failed, %d connections refused",
		lb.served.Load()+lb.failed.Load(), time.Since(begun).Round(time.Millisecond), len(f.nodes), lb.failed.Load(), lb.refused.Load())
}

// restart ends a node and starts it again.
func (lb *balancer) restart(t *testing.T, n *node, b *backend) {
	t.Helper()
	n.end(t)
	b.ops.Store(nil)
	n.again(t)
	b.ops.Store(&n.ops)
	lb.await(t, b)
}

// serves waits until so many requests are answered.
func (lb *balancer) serves(t *testing.T, count int64) {
	t.Helper()
	grows(t, "requests are answered", &lb.served, count)
}

// await waits until the balancer takes backends for ready.
func (lb *balancer) await(t *testing.T, backends ...*backend) {
	t.Helper()
	for _, b := range backends {
		eventually(t, "the node is ready", b.ready.Load)
	}
}
