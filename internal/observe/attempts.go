// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed14544106/gatehouse"
)

// Policy says which attempts are recorded. The zero value records none.
type Policy uint8

// The policies.
const (
	RecordNone Policy = iota
	RecordFailures
	RecordAll
)

// ParsePolicy reads "none", "failure" or "all". ok is false for anything else.
func ParsePolicy(text string) (p Policy, ok bool) {
	switch text {
	case "none":
		return RecordNone, true
	case "failure":
		return RecordFailures, true
	case "all":
		return RecordAll, true
	}
	return RecordNone, false
}

// Attempts records decisions for operators. It implements [gatehouse.Observer]. Use
// [NewAttempts].
//
// It takes nothing from a request but its peer and its user agent: the credential is not
// looked at. A request of which a dependency failed is not recorded: nothing was decided.
//
// In a minute it records 1,000 attempts that name an existing key, of these 60 of one key
// at most, and 60 others; what comes beyond, and what finds the queue full, is dropped and
// counted. So no flood fills the disk, and one under a single key hides only what else
// happens to that key, and to the few others that share its count: there are 256. It takes
// no secret to name a key: key ids travel in clear, and an attempt whose proof failed
// counts like the rest. Who knows seventeen of them can fill the minute of all keys; only
// the number of those that were dropped tells of it.
type Attempts struct {
	store  gatehouse.AttemptStore
	policy Policy
	tenant string
	seed   maphash.Seed // nobody outside can tell which keys share a window
	keys   [keyWindows]window
	named  window // attempts that name an existing key
	others window
	queue  chan gatehouse.Attempt

	flushing sync.Mutex
	unsaved  []gatehouse.Attempt // of a flush that failed, at most attemptBatch

	dropped, failures prometheus.Counter
}

const (
	attemptsAMinute = 1000
	ofKeyAMinute    = 60
	keyWindows      = 256
	othersAMinute   = 60
	attemptQueue    = 2 * attemptsAMinute
	attemptBatch    = 500
	maxAgent        = 255 // bytes of a user agent that are kept
	windowBase      = 1 << 20

	outcomeGranted = "granted"
)

// NewAttempts makes a recorder that writes to store and counts in the metrics. tenant is
// that of attempts without a key.
func NewAttempts(store gatehouse.AttemptStore, p Policy, tenant string, m *Metrics) *Attempts {
	return &Attempts{
		store: store, policy: p, tenant: tenant, seed: maphash.MakeSeed(), queue: make(chan gatehouse.Attempt, attemptQueue),
		dropped:  m.counter("gatehouse_attempts_dropped_total", "Attempts that were not recorded, because there were too many."),
		failures: m.counter("gatehouse_attempt_failures_total", "Writes of attempts that failed and are tried again."),
	}
}

// Observe records a decision, where the policy asks for it. It does not block.
func (a *Attempts) Observe(r *gatehouse.Request, d *gatehouse.Decision, err error, _ time.Duration) {
	if err != nil || a.policy == RecordNone || d.Granted && a.policy != RecordAll {
		return
	}
	if !a.admit(keyOf(d), d.Time) {
		a.dropped.Inc()
		return
	}
	select {
	case a.queue <- a.attempt(r, d):
	default:
		a.dropped.Inc()
	}
}

// keyOf is the id of the key that the credential named, proven or not; empty: none.
func keyOf(d *gatehouse.Decision) string {
	if d.Key != nil {
		return d.Key.ID
	}
	return d.NamedKey()
}

// admit reports whether an attempt is within the bounds of its minute. What a key's own
// bound keeps out takes nothing of the bound of all.
func (a *Attempts) admit(key string, now time.Time) bool {
	if key == "" {
		return a.others.admit(now, othersAMinute)
	}
	own := &a.keys[maphash.String(a.seed, key)%keyWindows]
	return own.admit(now, ofKeyAMinute) && a.named.admit(now, attemptsAMinute)
}

// window counts what was recorded in the running minute: the minute since 1970 times
// windowBase, and the number.
type window struct{ count atomic.Int64 }

// admit reports whether one more may be recorded in the minute of now.
func (w *window) admit(now time.Time, most int64) bool {
	minute := now.Unix() / 60
	for {
		held := w.count.Load()
		next := held + 1
		switch {
		case minute > held/windowBase:
			next = minute*windowBase + 1
		case held%windowBase >= most:
			return false
		}
		if w.count.CompareAndSwap(held, next) {
			return true
		}
	}
}

func (a *Attempts) attempt(r *gatehouse.Request, d *gatehouse.Decision) gatehouse.Attempt {
	// Copied, so that the record and the request are not kept with them.
	out := gatehouse.Attempt{Time: d.Time, Tenant: strings.Clone(cmp.Or(d.NamedTenant(), r.Tenant, a.tenant)), Scheme: d.Scheme, KeyID: strings.Clone(keyOf(d)), Peer: r.Peer, Outcome: d.Reason.Code()}
	if d.Granted {
		out.Outcome = outcomeGranted
	}
	if d.Key != nil {
		out.Tenant, out.Principal = strings.Clone(d.Key.Tenant), strings.Clone(d.Key.Principal)
	}
	if agents := r.Header["User-Agent"]; len(agents) > 0 {
		out.UserAgent = clip(agents[0])
	}
	return out
}

// clip copies the first bytes of a text that a client chose.
func clip(text string) string {
	if len(text) > maxAgent {
		return strings.ToValidUTF8(text[:maxAgent], "")
	}
	return strings.Clone(text)
}

// Flush writes what was recorded, in transactions of 500 at most. What could not be
// written is kept for the next flush, and the queue fills behind it; where the store did
// not know whether it had written them, they stand there twice then. Errors are those of
// the store.
func (a *Attempts) Flush(ctx context.Context) error {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	for {
		a.fill()
		if len(a.unsaved) == 0 {
			return nil
		}
		if err := a.store.InsertAttempts(ctx, a.unsaved); err != nil {
			a.failures.Inc()
			return fmt.Errorf("write attempts: %w", err)
		}
		a.unsaved = nil
	}
}

// fill takes attempts from the queue, until a batch is full or none is there.
func (a *Attempts) fill() {
	for len(a.unsaved) < attemptBatch {
		select {
		case one := <-a.queue:
			a.unsaved = append(a.unsaved, one)
		default:
			return
		}
	}
}
