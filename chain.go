// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
)

// ChainPoint is a place in a chain of events. The zero value is before the first.
type ChainPoint struct {
	Seq  int64
	Hash []byte // of the event there
}

// ChainHead is the end of a tenant's chain. The store moves it on with every event, in the
// transaction of the event, so that a row that somebody took from the end is missed, and
// one that was put there past the store is noticed.
type ChainHead struct {
	Tenant string
	ChainPoint
	Since int64  // the first event that MAC vouches for; zero without MAC
	MAC   []byte // [ChainHead.Sum]; empty where the store has no key
}

// Sum computes the MAC of the head: HMAC-SHA-256 under key over the tenant, Since, Seq and
// Hash, written as [Event.ChainHash] writes its fields.
func (h *ChainHead) Sum(key []byte) []byte {
	d := digest{hmac.New(sha256.New, key)}
	d.text("gatehouse chain 1")
	d.text(h.Tenant)
	d.num(h.Since)
	d.num(h.Seq)
	d.text(string(h.Hash))
	return d.Hash.Sum(nil)
}

// Signed reports whether MAC is right under key.
func (h *ChainHead) Signed(key []byte) bool { return hmac.Equal(h.MAC, h.Sum(key)) }

// ChainFault is one thing that is wrong with a chain.
type ChainFault struct {
	Seq     int64  // of the event it is about, or would be
	To      int64  // the last Seq of several in a row; Seq where it is one
	Problem string // one of the Fault texts
}

// String returns such as "5: changed" and "7 to 9: missing".
func (f ChainFault) String() string {
	if f.To == f.Seq {
		return fmt.Sprintf("%d: %s", f.Seq, f.Problem)
	}
	return fmt.Sprintf("%d to %d: %s", f.Seq, f.To, f.Problem)
}

// What can be wrong with a chain.
const (
	FaultChanged   = "changed"                                            // the hash does not fit the fields, or the row cannot be read
	FaultMissing   = "missing"                                            // no event has this Seq
	FaultOrder     = "out of order"                                       // it comes after one with a greater Seq
	FaultDoubled   = "doubled"                                            // another came with this Seq
	FaultLink      = "does not follow the event before it"                // one of the two was replaced as a whole
	FaultNoted     = "not the event that was noted"                       // or the chain ends before it
	FaultHead      = "not the event that the head names"                  // the last one was replaced, or the head was
	FaultDropped   = "dropped from the end"                               // the head is further on
	FaultBehind    = "added behind the head"                              // not by the store
	FaultNoHead    = "the head is missing"                                // no event was added since there are heads, or it was taken away
	FaultNotSigned = "the head is not signed"                             // no event was added since there is a key, or it was set by another hand
	FaultWrongMAC  = "the signature of the head is wrong"                 // it was set by another hand, or signed with another key
	FaultEmpty     = "the log is empty"                                   // and should not be
	FaultUntold    = "none tells of the making of a record that is there" // they are younger than it: the log was emptied
	FaultUnvouched = "not vouched for by the signature: after an update from a version without heads, note the head and name it in each check"
)

const (
	chainFaultsMost = 100  // how many are kept
	chainPage       = 1000 // events that are read with one call
)

// Chain checks a tenant's events, which are added in their order, and goes on after a
// fault, so that one wrong event is one fault. It needs the same memory for a chain of any
// length. The zero value is ready; Noted may be set before the first event is added.
type Chain struct {
	Noted  ChainPoint   // a place that was noted earlier, which the chain must go through; zero: none
	Events int64        // that were added
	Last   ChainPoint   // the furthest event
	Since  int64        // the first event that the signature of the head vouches for; zero: it is not checked, or not right
	Faults []ChainFault // the first hundred, in the order they were found
	Found  int          // how many there are in all

	broken bool // the furthest event has a fault, or the ones before it are missing
	passed bool // the noted event was there, and is the one
}

// Sound reports whether no fault was found.
func (c *Chain) Sound() bool { return c.Found == 0 }

func (c *Chain) fault(seq, to int64, problem string) {
	c.Found++
	if len(c.Faults) < chainFaultsMost {
		c.Faults = append(c.Faults, ChainFault{seq, to, problem})
	}
}

// Add checks the next event.
func (c *Chain) Add(e *Event) {
	c.Events++
	changed := !bytes.Equal(e.Hash, e.ChainHash())
	if changed {
		c.fault(e.Seq, e.Seq, FaultChanged)
	}
	if e.Seq <= c.Last.Seq {
		c.late(e.Seq)
		return
	}
	if e.Seq > c.Last.Seq+1 {
		c.fault(c.Last.Seq+1, e.Seq-1, FaultMissing)
	}
	// What is before a gap, or a changed event, says nothing about this one.
	follows := e.Seq == c.Last.Seq+1 && !c.broken
	if follows && !changed && !bytes.Equal(e.Prev, c.Last.Hash) {
		c.fault(e.Seq, e.Seq, FaultLink)
	}
	if e.Seq == c.Noted.Seq {
		c.passed = bytes.Equal(e.Hash, c.Noted.Hash)
	}
	c.Last, c.broken = ChainPoint{e.Seq, e.Hash}, changed
}

// late is told of an event that comes after one with a greater Seq. Where it alone counted
// as missing, it does no more.
func (c *Chain) late(seq int64) {
	for i, f := range c.Faults {
		switch {
		case f.Problem != FaultMissing || seq < f.Seq || seq > f.To:
		case f.Seq == f.To:
			c.Faults[i].Problem = FaultOrder
			return
		default:
			c.fault(seq, seq, FaultOrder)
			return
		}
	}
	c.fault(seq, seq, FaultDoubled)
}

// End checks the noted place and the head, after the last event. head nil: only the events
// are at hand. key empty: the signature of the head is not checked.
func (c *Chain) End(head *ChainHead, key []byte) {
	if c.Noted.Seq > 0 && !c.passed {
		c.fault(c.Noted.Seq, c.Noted.Seq, FaultNoted)
	}
	if head == nil {
		return
	}
	switch {
	case head.Seq == 0 && c.Last.Seq == 0:
		return // nothing has begun
	case head.Seq == 0:
		if len(key) > 0 {
			c.fault(c.Last.Seq, c.Last.Seq, FaultNoHead)
		}
		return
	case head.Seq > c.Last.Seq:
		c.fault(c.Last.Seq+1, head.Seq, FaultDropped)
	case head.Seq < c.Last.Seq:
		c.fault(head.Seq+1, c.Last.Seq, FaultBehind)
	case !c.broken && !bytes.Equal(head.Hash, c.Last.Hash):
		c.fault(head.Seq, head.Seq, FaultHead)
	}
	switch {
	case len(key) == 0:
	case head.Signed(key):
		c.vouched(head.Since)
	case len(head.MAC) == 0:
		c.fault(head.Seq, head.Seq, FaultNotSigned)
	default:
		c.fault(head.Seq, head.Seq, FaultWrongMAC)
	}
}

// vouched is told since which event a signature vouches. Who can write rows can cut the end
// of the events before it and go on, or make them anew: only a noted place tells.
func (c *Chain) vouched(since int64) {
	c.Since = since
	if since > 1 && (!c.passed || c.Noted.Seq < since-1) {
		c.fault(1, since-1, FaultUnvouched)
	}
}

// ChainStore is what [VerifyChain] reads.
type ChainStore interface {
	// ListEvents is that of [AuditStore].
	ListEvents(ctx context.Context, q EventQuery) (events []Event, total int, err error)

	// ChainHead reads the head of a tenant's chain. ErrNotFound: no event was added since
	// there are heads.
	ChainHead(ctx context.Context, tenant string) (ChainHead, error)

	// ChainWitnesses reads the ids of records whose making a tenant's chain must tell of:
	// its data keys, which cannot be made anew past the [Sealer], and its oldest account.
	ChainWitnesses(ctx context.Context, tenant string) ([]string, error)
}

// VerifyChain reads a tenant's chain, page after page, and checks it while others add to
// it. noted is a place that was noted earlier, zero for none; key is the one that heads are
// signed with, empty for none. The head is zero where there is none. Events that are not
// sound are faults, not errors; errors wrap [ErrUnavailable].
//
// With a key, the chain of the default tenant must not be empty, and events that the
// signature does not vouch for are a fault, unless the chain goes through a noted place that
// is not before the last of them.
func VerifyChain(ctx context.Context, s ChainStore, tenant string, noted ChainPoint, key []byte) (Chain, ChainHead, error) {
	// The witnesses are older than what is read: none is made meanwhile.
	ids, err := s.ChainWitnesses(ctx, tenant)
	if err != nil {
		return Chain{}, ChainHead{}, fmt.Errorf("verify chain: %w", err)
	}
	r := chainReader{s: s, tenant: tenant, chain: Chain{Noted: noted}, after: -1, untold: map[string]bool{}}
	for _, id := range ids {
		r.untold[id] = true
	}
	if err := r.read(ctx, math.MaxInt64); err != nil {
		return Chain{}, ChainHead{}, err
	}
	head, err := s.ChainHead(ctx, tenant)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Chain{}, ChainHead{}, fmt.Errorf("verify chain: %w", err)
	}
	// The head is younger than what was read: others may have added meanwhile.
	if err := r.read(ctx, head.Seq); err != nil {
		return Chain{}, ChainHead{}, err
	}
	r.chain.End(&head, key)
	r.compare(&head, len(key) > 0)
	return r.chain, head, nil
}

// chainReader adds the events of a store to a chain.
type chainReader struct {
	s      ChainStore
	tenant string
	chain  Chain
	after  int64
	untold map[string]bool // the witnesses that no event told of yet
}

// read adds the events up to a seq, those that are there.
func (r *chainReader) read(ctx context.Context, last int64) error {
	for r.after < last {
		events, _, err := r.s.ListEvents(ctx, EventQuery{Tenant: r.tenant, Oldest: true, After: r.after, Limit: chainPage})
		if err != nil {
			return fmt.Errorf("verify chain: %w", err)
		}
		for i := range events {
			if events[i].Seq > last {
				return nil
			}
			r.chain.Add(&events[i])
			r.after = events[i].Seq
			if e := &events[i]; e.Outcome == OutcomeSucceeded && (e.Verb == "datakey.create" || e.Verb == "account.create") {
				delete(r.untold, e.Subject)
			}
		}
		if len(events) < chainPage {
			return nil
		}
	}
	return nil
}

// compare compares the chain with the other records: a log that was emptied, with its head,
// begins again as if it were new, and they are older.
func (r *chainReader) compare(head *ChainHead, signed bool) {
	c, untold := &r.chain, len(r.untold) > 0
	switch {
	case c.Events > 0 && untold:
		c.fault(1, c.Last.Seq, FaultUntold)
	case c.Events == 0 && head.Seq == 0 && (untold || signed && r.tenant == DefaultTenant):
		c.fault(1, 1, FaultEmpty)
	}
}
