// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/epoch"
)

// ErrTooFar: a claim ends or was signed further in the future than the options allow. It
// comes with [gatehouse.ErrUnavailable].
var ErrTooFar = errors.New("too far in the future")

// Defaults of [ReplayOptions].
const (
	DefaultMaxWindow = 90 * time.Second
	DefaultSkew      = time.Second
)

// ReplayOptions says how a [Replay] is made. All nodes have the same. The zero value is
// usable.
type ReplayOptions struct {
	// MaxWindow is the longest span from now to the end of a claim. Zero means
	// DefaultMaxWindow.
	MaxWindow time.Duration
	// MaxAhead is the longest span from now to the signed time of a claim: how far the
	// clocks of clients may be ahead. A floor lets nothing pass for so long, and Skew
	// more. Zero means MaxWindow.
	MaxAhead time.Duration
	// Skew is how far the clocks of two nodes may differ, and how far the server's may
	// jump. Zero means DefaultSkew.
	Skew time.Duration
	// Now is the clock of this node. Nil means time.Now.
	Now func() time.Time
}

// Replay is a [gatehouse.ReplayCache] that several nodes share. The package comment says
// how. It is safe for concurrent use.
type Replay struct {
	c         *Client
	now       func() time.Time
	maxWindow int64 // nanoseconds, like all times below
	maxAhead  int64
	skew      int64
	latest    atomic.Int64 // the latest time the clock showed
	touching  atomic.Bool  // a look at all buckets is under way
	due       atomic.Bool  // one is wanted that did not begin yet, or failed
	tended    atomic.Uint32
}

// Replay returns the cache of nonces in the server's memory and looks at all of it, which
// takes some milliseconds, or a few timeouts where the server does not answer. On a server
// that never served before no claim is granted for MaxAhead + Skew from then on. Who calls
// [Replay.Tend] every second lets that time begin soon after a loss, not with a claim. Options
// below zero or above a day are a bug of the caller, and a panic.
func (c *Client) Replay(o ReplayOptions) *Replay {
	if o.MaxWindow == 0 {
		o.MaxWindow = DefaultMaxWindow
	}
	if o.MaxAhead == 0 {
		o.MaxAhead = o.MaxWindow
	}
	if o.Skew == 0 {
		o.Skew = DefaultSkew
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range []time.Duration{o.MaxWindow, o.MaxAhead, o.Skew} {
		if d < 0 || d > 24*time.Hour {
			panic(fmt.Sprintf("redis: ReplayOptions: %v is not between zero and a day", d))
		}
	}
	r := &Replay{c: c, now: o.Now, maxWindow: int64(o.MaxWindow), maxAhead: int64(o.MaxAhead), skew: int64(o.Skew)}
	r.touch(context.Background())
	return r
}

//go:embed claim.lua
var claimText string

var claimScript = rueidis.NewLuaScript(claimText)

// What the script answers.
const (
	refused = iota
	granted
	below // the floor: not signed after it
	born  // the same, and the memory begins
)

// Claim implements [gatehouse.ReplayCache]. It takes one round trip to the server.
//
// A claim that ends when the clock shows its end or before is refused, and so is one signed
// at or before the floor, once the clock has passed that. Errors wrap
// [gatehouse.ErrUnavailable]; beside it *[gatehouse.RetryError] until then, [ErrTooFar] for a
// claim beyond MaxWindow or MaxAhead, [ErrBusy], os.ErrClosed after Close, or what the network
// or the server said. After one of the last the nonce may be used up.
func (r *Replay) Claim(ctx context.Context, key, nonce string, signed, until time.Time) (bool, error) {
	now, s, u := r.clock(), epoch.Nanos(signed), epoch.Nanos(until)
	if u > now+r.maxWindow || s > now+r.maxAhead {
		return false, gatehouse.Unavailable("claim nonce", ErrTooFar)
	}
	if u <= now && r.c.closing.Err() == nil {
		return false, nil
	}
	bucket, digest := place(key, nonce)
	verdict, floor, err := r.run(ctx, []string{bucket + "birth", bucket + digest}, now,
		micros(s), -micros(-u), (u-now+2*r.skew)/1e6+1)
	if err != nil {
		return false, gatehouse.Unavailable("claim nonce", err)
	}
	switch verdict {
	case born:
		r.touchSoon()
		fallthrough
	case below:
		return false, gatehouse.BelowFloor(time.Duration(floor - now))
	}
	return verdict == granted, nil
}

// run runs the script for keys, with more after now and the floor of a birth. It returns the
// verdict and the floor.
func (r *Replay) run(ctx context.Context, keys []string, now int64, more ...int64) (verdict, floor int64, err error) {
	args := make([]string, 0, 5)
	for _, n := range append([]int64{micros(now), -micros(-(now + r.maxAhead + r.skew))}, more...) {
		args = append(args, strconv.FormatInt(n, 10))
	}
	said, err := r.c.run(ctx, claimScript, keys, args).AsIntSlice()
	if err == nil && len(said) != 2 {
		err = fmt.Errorf("the script answers with %d numbers", len(said))
	}
	if err != nil {
		return 0, 0, err
	}
	return said[0], said[1] * 1e3, nil
}

// clock is now. A step back of the clock must not bring back what has expired.
func (r *Replay) clock() int64 {
	now := epoch.Nanos(r.now())
	for {
		latest := r.latest.Load()
		if now <= latest {
			return latest
		}
		if r.latest.CompareAndSwap(latest, now) {
			return now
		}
	}
}

var buckets = func() (names [256]string) {
	for i := range names {
		names[i] = fmt.Sprintf("{gh:%02x}", i)
	}
	return names
}()

// place is where a pair is remembered. The client's text does not reach the server.
func place(key, nonce string) (bucket, digest string) {
	text := make([]byte, 0, 256)
	text = binary.LittleEndian.AppendUint64(text, uint64(len(key)))
	text = append(append(text, key...), nonce...)
	sum := sha256.Sum256(text)
	return buckets[sum[16]], base64.RawURLEncoding.EncodeToString(sum[:16])
}

// micros is a time in microseconds, rounded down.
func micros(ns int64) int64 {
	us := ns / 1e3
	if us*1e3 > ns {
		us--
	}
	return us
}
