// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed14544106/gatehouse"
)

// looks is how many buckets a call of Tend looks at.
const looks = 8

// Tend looks for a memory that was lost, so that its floor counts from about now and not from
// the next claim. Call it every second. It looks at eight buckets, other ones each time, whose
// questions travel together: one round trip to each server. Where one was born it has all
// buckets looked at in the background, and so after a look at all that did not succeed.
//
// Errors wrap [gatehouse.ErrUnavailable]; beside it [ErrBusy], os.ErrClosed after Close, or what
// ctx, the network or the server said. After an error the next call goes on.
func (r *Replay) Tend(ctx context.Context) error {
	const stride = len(buckets) / looks
	first := int(r.tended.Add(1) % uint32(stride))
	var errs [looks]error
	var births atomic.Int32
	var done sync.WaitGroup
	for i := range looks {
		done.Go(func() {
			verdict, _, err := r.run(ctx, []string{buckets[first+i*stride] + "birth"}, r.clock())
			if errs[i] = err; err == nil && verdict == born {
				births.Add(1)
			}
		})
	}
	done.Wait()
	err := cmp.Or(errs[:]...)
	if births.Load() > 0 || err == nil && r.due.Load() {
		r.touchSoon()
	}
	if err != nil {
		return gatehouse.Unavailable("tend births", err)
	}
	return nil
}

// touchSoon looks at all buckets in the background. Where that is under way already it may have
// passed what was lost since: the next Tend looks again.
func (r *Replay) touchSoon() {
	r.due.Store(true)
	if r.touching.CompareAndSwap(false, true) {
		r.c.background(func(ctx context.Context) {
			defer r.touching.Store(false)
			r.touch(ctx)
		})
	}
}

// touch sees to the births of all buckets, as far as the server answers.
func (r *Replay) touch(ctx context.Context) {
	const workers = 8
	r.due.Store(false)
	var done sync.WaitGroup
	for first := range workers {
		done.Go(func() {
			for i := first; i < len(buckets); i += workers {
				if _, _, err := r.run(ctx, []string{buckets[i] + "birth"}, r.clock()); err != nil {
					r.due.Store(true)
					return // the next Tend, or the next birth that a claim meets, brings us back
				}
			}
		})
	}
	done.Wait()
}
