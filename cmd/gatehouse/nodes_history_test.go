// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// outcome is what came of an operation.
type outcome uint8

const (
	unanswered outcome = iota // no answer came, or half of one
	failed                    // 5xx
	granted                   // of a verification
	refused                   // of a verification: the key is revoked
	done                      // of a revoke: it was acknowledged
)

// op is one operation on one key. Times are of one monotonic clock, in nanoseconds.
type op struct {
	revoke    bool // else it verifies
	node      string
	call, ret int64
	out       outcome
}

// tracked is a key and everything that was done to it.
type tracked struct {
	kid, token string

	mu  sync.Mutex
	ops []op
}

func (k *tracked) add(o op) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ops = append(k.ops, o)
}

// acknowledged is when the first revoke returned that succeeded; none: ok is false.
func acknowledged(ops []op) (at int64, ok bool) {
	at = math.MaxInt64
	for _, o := range ops {
		if o.revoke && o.out == done && o.ret < at {
			at, ok = o.ret, true
		}
	}
	return at, ok
}

// late are the verifications that began after a revoke was acknowledged, and were granted.
// There must be none.
func late(ops []op) (found []op) {
	at, _ := acknowledged(ops)
	for _, o := range ops {
		if !o.revoke && o.out == granted && o.call > at {
			found = append(found, o)
		}
	}
	return found
}

// step is an operation of a model.
type step uint8

const (
	stepVerify step = iota
	stepRevoke      // the whole of a revoke, at one moment
	stepBegin       // a revoke begins
	stepEnd         // a revoke is acknowledged
)

// The states of a key in the models.
const (
	keyActive   = iota
	keyRevoking // somebody began to revoke it, and nobody was told of success
	keyRevoked
)

// keyModel is a key that verifies while it is active and does not once it is revoked. While
// it is being revoked both answers are right.
var keyModel = porcupine.Model{
	Init: func() any { return keyActive },
	Step: func(state, input, output any) (bool, any) {
		now := state.(int)
		switch input.(step) {
		case stepRevoke:
			return true, keyRevoked
		case stepBegin:
			return true, max(now, keyRevoking)
		case stepEnd:
			return now >= keyRevoking, keyRevoked
		}
		if output.(outcome) == granted {
			return now != keyRevoked, now
		}
		return now != keyActive, now
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
}

// promised is a history as the promise has it: a revoke is in force from its
// acknowledgement on and may be in force from its beginning. One without acknowledgement
// may take effect at any time, or never.
func promised(ops []op) (history []porcupine.Operation) {
	for i, o := range ops {
		switch {
		case o.revoke:
			history = append(history, porcupine.Operation{ClientId: i, Input: stepBegin, Call: o.call, Output: o.out, Return: o.call})
			if o.out == done {
				history = append(history, porcupine.Operation{ClientId: i, Input: stepEnd, Call: o.ret, Output: o.out, Return: o.ret})
			}
		case o.out == granted || o.out == refused:
			history = append(history, porcupine.Operation{ClientId: i, Input: stepVerify, Call: o.call, Output: o.out, Return: o.ret})
		}
	}
	return history
}

// atOneMoment is a history of a key that all nodes see change at one moment. That is more than
// is promised: while a revoke is under way, nodes may differ.
func atOneMoment(ops []op) (history []porcupine.Operation) {
	for i, o := range ops {
		switch {
		case o.revoke && o.out == done:
			history = append(history, porcupine.Operation{ClientId: i, Input: stepRevoke, Call: o.call, Output: o.out, Return: o.ret})
		case o.revoke:
			history = append(history, porcupine.Operation{ClientId: i, Input: stepRevoke, Call: o.call, Output: o.out, Return: math.MaxInt64})
		case o.out == granted || o.out == refused:
			history = append(history, porcupine.Operation{ClientId: i, Input: stepVerify, Call: o.call, Output: o.out, Return: o.ret})
		}
	}
	return history
}

// checkTime bounds the search for an order of one history.
const checkTime = patience

// keepsPromise reports whether a history is one that the promise allows.
func keepsPromise(ops []op) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(keyModel, promised(ops), checkTime)
}

// isAtomic reports whether a history is one of a key that changes everywhere at once. It
// may not find out.
func isAtomic(ops []op) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(keyModel, atOneMoment(ops), checkTime/450)
}

// TestKeyHistory: both checks see what they are there for.
func TestKeyHistory(t *testing.T) {
	t.Parallel()
	verify := func(call, ret int64, out outcome) op { return op{call: call, ret: ret, out: out} }
	revoke := func(call, ret int64, out outcome) op { return op{revoke: true, call: call, ret: ret, out: out} }
	for name, test := range map[string]struct {
		ops             []op
		late            int
		promise, atomic porcupine.CheckResult
	}{
		"nothing":              {promise: porcupine.Ok, atomic: porcupine.Ok},
		"in turn":              {[]op{verify(0, 1, granted), revoke(2, 3, done), verify(4, 5, refused)}, 0, porcupine.Ok, porcupine.Ok},
		"granted afterwards":   {[]op{revoke(2, 3, done), verify(4, 5, granted)}, 1, porcupine.Illegal, porcupine.Illegal},
		"afterwards, at last":  {[]op{revoke(2, 3, done), verify(4, 5, refused), verify(9, 20, granted)}, 1, porcupine.Illegal, porcupine.Illegal},
		"granted meanwhile":    {[]op{revoke(2, 9, done), verify(3, 10, granted)}, 0, porcupine.Ok, porcupine.Ok},
		"began before, slow":   {[]op{verify(1, 99, granted), revoke(2, 9, done), verify(10, 11, refused)}, 0, porcupine.Ok, porcupine.Ok},
		"refused too early":    {[]op{verify(0, 1, refused), revoke(2, 3, done)}, 0, porcupine.Illegal, porcupine.Illegal},
		"refused for nothing":  {[]op{verify(0, 1, refused)}, 0, porcupine.Illegal, porcupine.Illegal},
		"nodes differ":         {[]op{revoke(2, 9, done), verify(3, 4, refused), verify(5, 6, granted)}, 0, porcupine.Ok, porcupine.Illegal},
		"unknown, in force":    {[]op{revoke(2, 3, unanswered), verify(4, 5, refused)}, 0, porcupine.Ok, porcupine.Ok},
		"unknown, not":         {[]op{revoke(2, 3, failed), verify(4, 5, granted)}, 0, porcupine.Ok, porcupine.Ok},
		"unknown, later":       {[]op{revoke(2, 3, failed), verify(4, 5, granted), verify(6, 7, refused)}, 0, porcupine.Ok, porcupine.Ok},
		"unknown, then told":   {[]op{revoke(2, 3, failed), revoke(4, 5, done), verify(6, 7, granted)}, 1, porcupine.Illegal, porcupine.Illegal},
		"told twice":           {[]op{revoke(1, 9, done), revoke(2, 3, done), verify(4, 5, granted)}, 1, porcupine.Illegal, porcupine.Illegal},
		"no answer says none":  {[]op{revoke(2, 3, done), verify(4, 5, failed), verify(4, 5, unanswered)}, 0, porcupine.Ok, porcupine.Ok},
		"order does not count": {[]op{verify(4, 5, granted), revoke(2, 3, done)}, 1, porcupine.Illegal, porcupine.Illegal},
	} {
		if got := len(late(test.ops)); got != test.late {
			t.Errorf("%s: %d late, want %d", name, got, test.late)
		}
		if got := keepsPromise(test.ops); got != test.promise {
			t.Errorf("%s: the promise %v, want %v", name, got, test.promise)
		}
		if got := isAtomic(test.ops); got != test.atomic {
			t.Errorf("%s: atomic %v, want %v", name, got, test.atomic)
		}
	}
}

// tally is what a history of many keys says in numbers.
type tally struct {
	latency, last                  []int64 // of acknowledged revokes; of the last grant of a key, its beginning after the acknowledgement
	granted, refused, after        int     // after: refused, and begun after the acknowledgement
	failed, unanswered             int     // verifications
	unknown, silent, differ, doubt int     // revokes without acknowledgement; keys without one; keys that nodes differed about; not found out
}

// judge checks the history of every key and counts.
func judge(t *testing.T, keys []*tracked) *tally {
	t.Helper()
	var sum tally
	wrong := 0
	for _, k := range keys {
		for _, o := range late(k.ops) {
			at, _ := acknowledged(k.ops)
			t.Errorf("key %s: node %s granted what began %v after the acknowledgement", k.kid, o.node, time.Duration(o.call-at))
		}
		if got := keepsPromise(k.ops); got != porcupine.Ok {
			if wrong++; wrong <= 3 {
				t.Errorf("key %s: its history is %v:\n%v", k.kid, got, k.ops)
			}
		}
		switch isAtomic(k.ops) {
		case porcupine.Illegal:
			sum.differ++
		case porcupine.Unknown:
			sum.doubt++
		}
		sum.count(k.ops)
	}
	if wrong > 0 {
		t.Errorf("the histories of %d of %d keys are none that the promise allows", wrong, len(keys))
	}
	slices.Sort(sum.latency)
	slices.Sort(sum.last)
	return &sum
}

// count adds the history of one key.
func (s *tally) count(ops []op) {
	at, ok := acknowledged(ops)
	if !ok {
		s.silent++
	}
	lastGrant := int64(math.MinInt64)
	for _, o := range ops {
		switch {
		case o.revoke && o.out == done:
			s.latency = append(s.latency, o.ret-o.call)
		case o.revoke:
			s.unknown++
		case o.out == failed:
			s.failed++
		case o.out == unanswered:
			s.unanswered++
		case o.out == refused:
			s.refused++
			if o.call > at {
				s.after++
			}
		default:
			s.granted++
			lastGrant = max(lastGrant, o.call)
		}
	}
	if ok && lastGrant > math.MinInt64 {
		s.last = append(s.last, lastGrant-at)
	}
}

// String has the distributions with the numbers.
func (s *tally) String() string {
	return fmt.Sprintf("%d revokes acknowledged after %s, %d attempts without; last acceptance %s after the acknowledgement; "+
		"%d verifications: %d granted, %d refused (%d of them begun after the acknowledgement), %d failed, %d unanswered; nodes differed about %d keys (%d unknown)",
		len(s.latency), spread(s.latency), s.unknown, spread(s.last), s.granted+s.refused+s.failed+s.unanswered, s.granted, s.refused, s.after, s.failed, s.unanswered, s.differ, s.doubt)
}

// spread describes sorted times.
func spread(times []int64) string {
	if len(times) == 0 {
		return "(none)"
	}
	at := func(percent int) time.Duration {
		return time.Duration(times[(len(times)-1)*percent/100]).Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, max %v", at(50), at(99), at(100))
}
