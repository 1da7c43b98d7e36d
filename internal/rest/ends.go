// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// orderEnds is the order of the list in cursors; those of other lists have smaller numbers.
const orderEnds byte = 'e'

// The list of what ended is read from the notices of the store, by each process for itself
// and once for all that ask at the same time. A place in it is a time, when a node read it,
// and a sum over the ends that it knew then from endsOverlap before, because a notice can
// appear later than its time says. Any node can tell from these whether there are others.

const (
	endsReach   = gatehouse.KeepNotices - 10*time.Minute // less than the store keeps, by nobody's exact clock
	endsOverlap = time.Minute                            // how much later a notice may appear than its time, by slow commits and clocks that differ
	endsMost    = 10_000                                 // of a tenant
	endsIdle    = 10 * time.Minute                       // after which the list of a tenant that nobody asks for is forgotten
)

// end is one entry of the list.
type end struct {
	notice string // id
	api.Revocation
}

// endsRead is the list of a tenant as one reading found it. It is never changed.
type endsRead struct {
	list  []end // oldest first
	floor time.Time
	began time.Time
	heard <-chan struct{} // closed when there may be more
}

// since are the entries from a time on.
func (s *endsRead) since(at time.Time) []end {
	i, _ := slices.BinarySearchFunc(s.list, at, func(e end, at time.Time) int { return e.Time.Compare(at) })
	return s.list[i:]
}

// mark is the place behind the list.
func (s *endsRead) mark() cursor {
	return cursor{Order: orderEnds, At: s.began.UnixMicro(), ID: sum(s.since(s.began.Add(-endsOverlap)))}
}

// sum tells sets of ends from each other. The ids are random, and not the callers'.
func sum(list []end) string {
	var total uint64
	for _, e := range list {
		h := fnv.New64a()
		_, _ = io.WriteString(h, e.notice)
		total += h.Sum64()
	}
	return strconv.FormatUint(total, 36)
}

// after are the entries that who stands at a place may not know, and whether there are any
// that it does not. Who comes from too long ago, or from nowhere, knows none.
func (s *endsRead) after(c cursor) (list []end, news bool) {
	at := timeAt(c.At)
	if !at.After(s.floor) {
		return s.list, true
	}
	list = s.since(at.Add(-endsOverlap))
	return list, sum(list) != c.ID
}

// ends are the lists of tenants.
type ends struct {
	store  gatehouse.NoticeStore
	people *account.Directory
	now    func() time.Time

	mu sync.Mutex
	of map[string]*tenantEnds
}

// tenantEnds is the list of one tenant. Who reads holds the turn; the others wait for it.
type tenantEnds struct {
	turn chan struct{}
	last *endsRead
	used time.Time // guarded by ends.mu
}

// tenant is the list of a tenant, which may not have been read yet.
func (es *ends) tenant(name string) *tenantEnds {
	es.mu.Lock()
	defer es.mu.Unlock()
	now := es.now()
	for other, t := range es.of {
		if now.Sub(t.used) > endsIdle {
			delete(es.of, other)
		}
	}
	t := es.of[name]
	if t == nil {
		t = &tenantEnds{turn: make(chan struct{}, 1)}
		if es.of == nil {
			es.of = map[string]*tenantEnds{}
		}
		es.of[name] = t
	}
	t.used = now
	return t
}

// read is the list of a tenant by a reading that began at asked or later, and after all of
// which this process has heard. It reads only where no other has done so.
func (es *ends) read(ctx context.Context, tenant string, asked time.Time) (*endsRead, error) {
	t := es.tenant(tenant)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.turn }()
	if t.last != nil && !t.last.began.Before(asked) && !closed(t.last.heard) {
		return t.last, nil
	}
	s, err := es.next(ctx, tenant, t.last)
	if err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	t.last = s
	return s, nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// next reads what came to a list; last is nil for the first reading.
func (es *ends) next(ctx context.Context, tenant string, last *endsRead) (*endsRead, error) {
	s := &endsRead{heard: es.store.Noticed(), began: es.now()}
	s.floor = s.began.Add(-endsReach).UTC().Truncate(time.Microsecond)
	from, known := s.floor, map[string]bool{}
	if last != nil && last.began.Add(-endsOverlap).After(s.floor) {
		from = last.began.Add(-endsOverlap)
		s.list = last.list[:len(last.list):len(last.list)]
		s.floor = latest(s.floor, last.floor)
		for _, e := range last.since(from) {
			known[e.notice] = true
		}
	}
	notices, err := es.store.Notices(ctx, tenant, from)
	if err != nil {
		return nil, err
	}
	for i := range notices {
		if n := &notices[i]; n.Ends && !known[n.ID] {
			told, err := es.told(ctx, tenant, n)
			if err != nil {
				return nil, err
			}
			s.list = append(s.list, end{n.ID, told})
		}
	}
	if last == nil || len(s.list) > len(last.list) { // else it is the last one's own
		slices.SortStableFunc(s.list, func(a, b end) int { return a.Time.Compare(b.Time) })
	}
	if over := len(s.list) - endsMost; over > 0 {
		s.floor = latest(s.floor, s.list[over-1].Time)
	}
	s.list = s.since(s.floor.Add(time.Microsecond))
	return s, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// told is a notice as the list tells it. Services know principals by uid. Where there is no
// better name for what ended, more ends than has to.
func (es *ends) told(ctx context.Context, tenant string, n *gatehouse.Notice) (api.Revocation, error) {
	out := api.Revocation{Kind: n.Kind.String(), Time: n.Time.UTC().Truncate(time.Microsecond)}
	switch n.Kind {
	case gatehouse.NoticeKey:
		out.ID = n.Subject
	case gatehouse.NoticeTenant:
	case gatehouse.NoticePrincipal:
		a, err := es.people.In(tenant).Account(ctx, account.ByID, n.Subject)
		if errors.Is(err, gatehouse.ErrNotFound) {
			out.Kind = gatehouse.NoticeTenant.String()
			return out, nil
		}
		out.ID = a.UID
		return out, err
	default:
		out.Kind = gatehouse.NoticeAll.String()
	}
	return out, nil
}
