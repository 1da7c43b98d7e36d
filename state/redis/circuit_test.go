// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestCircuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c circuit
		var calls int
		broken := errors.New("broken")
		call := func(err error) func() error { return func() error { calls++; return err } }
		want := func(err error, f func() error, made int) {
			t.Helper()
			before := calls
			if got := c.do(f); !errors.Is(got, err) || calls-before != made {
				t.Errorf("got %v and %d calls, want %v and %d", got, calls-before, err, made)
			}
		}
		want(nil, call(nil), 1)
		want(broken, call(broken), 1)
		want(broken, func() error { // a prober is under way
			calls++
			want(broken, call(nil), 0)
			return broken
		}, 1)
		want(nil, call(nil), 1) // the prober closes it
		want(nil, call(nil), 1)
		want(broken, call(broken), 1)
		<-time.After(pause)
		want(broken, func() error { // everybody tries again
			calls++
			want(nil, call(nil), 1)
			return broken
		}, 2)
	})
}
