// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// TestNodeCutOffInATransaction parts a node from the database when all of a change but its
// COMMIT has been done, and neither side is told. The others wait no longer for it than the
// server lets a transaction lie idle.
func TestNodeCutOffInATransaction(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	proxy := testenv.NewProxy(t, hostOf(t, url))
	all := houses(t, url, through(t, url, proxy.Addr()))
	held, release := make(chan struct{}), make(chan struct{})
	proxy.Watch(func(block []byte) testenv.ProxyAct {
		if !bytes.Contains(block, []byte("commit\x00")) {
			return testenv.ProxyPass
		}
		close(held)
		<-release
		return testenv.ProxyCutBefore
	})
	lost := make(chan error)
	go func() { lost <- all[1].db.AppendEvent(context.Background(), event("lost")) }()
	<-held
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := all[0].db.AppendEvent(ctx, event("other")); err != nil {
		t.Errorf("another node: %v", err)
	}
	t.Logf("another node goes on after %v", time.Since(begin))
	proxy.Watch(nil)
	close(release)
	if err := <-lost; !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("a change without COMMIT: %v", err)
	}
}

// TestFrozenNetwork parts a node from the database, and neither side is told. Reads and
// writes end with their contexts, and go on at once when the network is back.
func TestFrozenNetwork(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	proxy := testenv.NewProxy(t, hostOf(t, url))
	h := houses(t, through(t, url, proxy.Addr()))[0]
	c, err := h.Create(t.Context(), operator, newKey("key"))
	if err != nil {
		t.Fatal(err)
	}
	const patience = 300 * time.Millisecond
	calls := []func(ctx context.Context) error{
		func(ctx context.Context) error { return h.db.AppendEvent(ctx, event("frozen")) },
		func(ctx context.Context) error { _, err := h.use(ctx, c.Token); return err },
		func(ctx context.Context) error { _, err := h.Revoke(ctx, operator, c.Key.ID, ""); return err },
	}
	proxy.Freeze()
	begin := time.Now()
	var tasks sync.WaitGroup
	for i := range 30 { // more than there are connections
		tasks.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := calls[i%len(calls)](ctx); !errors.Is(err, gatehouse.ErrUnavailable) {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	tasks.Wait()
	ended := time.Since(begin)
	proxy.Heal()
	begin = time.Now()
	for i, call := range calls {
		for err := call(t.Context()); err != nil; err = call(t.Context()) {
			if !errors.Is(err, gatehouse.ErrUnavailable) {
				t.Fatal(fmt.Sprint(i), err)
			}
		}
	}
	t.Logf("30 calls of %v ended after %v; all is well %v after the network is back", patience, ended, time.Since(begin))
	const bound = 5 * time.Second // of a machine that stands still for a while; less than a connection may take
	if back := time.Since(begin); ended > patience+bound || back > bound {
		t.Error("that is too long")
	}
	if d, err := h.use(t.Context(), c.Token); err != nil || d.Granted {
		t.Errorf("a revoked key: granted %v, %v", d.Granted, err)
	}
}
