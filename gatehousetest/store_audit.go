// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

func eventRoundTrip(t *testing.T, h *house) {
	full := h.event("key.update", "subject-1")
	full.Time = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("zone", 3600))
	full.Actor.Kind, full.Actor.Address = gatehouse.ActorKey, netip.MustParseAddr("fe80::1%eth0")
	full.Outcome = gatehouse.OutcomeDenied
	full.Changes = []gatehouse.Change{{Field: "name", Before: "a<b>", After: "\"\u2028'"}, {Field: "scopes", After: "x"}, {}}
	bare := &gatehouse.Event{Tenant: h.tenant, Actor: gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: h.tenant}, Outcome: gatehouse.OutcomeFailed}
	mapped := h.event("session.create", "subject-1")
	mapped.Actor.Address = netip.MustParseAddr("::ffff:1.2.3.4")
	early := h.event("x", "y")
	early.Time = time.Unix(0, 0)

	var want []gatehouse.Event
	for i, e := range []*gatehouse.Event{full, bare, mapped, early} {
		must(t, h.AppendEvent(t.Context(), e))
		if e.Seq != int64(i)+1 || !bytes.Equal(e.Hash, e.ChainHash()) || (len(e.Prev) == 0) != (i == 0) {
			t.Errorf("event %d after AppendEvent: %+v", i+1, *e)
		}
		want = append(want, *e)
	}
	if at := want[0].Time; !at.Equal(time.Date(2026, 3, 4, 4, 6, 7, 123456000, time.UTC)) {
		t.Errorf("time %v is not that of the event in microseconds", at)
	}
	same(t, "events", h.events(t, ""), want)
}

func eventChains(t *testing.T, h *house) {
	other := newHouse(t, h.AllStores)
	for i := range 3 {
		a, b := h.event("a", "s"), other.event("b", "s")
		must(t, h.AppendEvent(t.Context(), a))
		must(t, h.AppendEvent(t.Context(), b))
		if a.Seq != int64(i)+1 || b.Seq != int64(i)+1 {
			t.Errorf("Seq %d and %d; want %d", a.Seq, b.Seq, i+1)
		}
	}
	for _, e := range other.events(t, "") {
		if e.Tenant != other.tenant || e.Actor.Tenant != other.tenant || e.Verb != "b" {
			t.Errorf("event of another tenant: %+v", e)
		}
	}
}

// eventConcurrent is the test that a chain grows without gap or fork, while other
// writes go on and some fail.
func eventConcurrent(t *testing.T, h *house) {
	const writers, each = 16, 32
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	other := newHouse(t, h.AllStores)
	errs := attempts(writers, func(i int) error {
		for n := range each {
			e := h.event("suite.append", fmt.Sprintf("%d/%d", i, n))
			if err := h.AppendEvent(t.Context(), e); err != nil {
				return err
			}
			if n%8 == 0 {
				if err := h.InsertKey(t.Context(), &k, h.event("key.create", k.ID)); err == nil {
					return fmt.Errorf("a taken id was inserted")
				}
				if err := h.AppendEvent(t.Context(), other.event("suite.append", "s")); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, err := range errs {
		must(t, err)
	}
	events := h.events(t, "")
	if len(events) != writers*each+2 { // two from account and key
		t.Errorf("%d events; want %d", len(events), writers*each+2)
	}
	seen := map[string]bool{}
	for _, e := range events {
		if e.Verb == "suite.append" {
			seen[e.Subject] = true
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d different events; want %d", len(seen), writers*each)
	}
}

func eventHostileText(t *testing.T, h *house) {
	for _, text := range slices.Concat(hostile, unstorable) {
		e := h.event("suite."+text, text)
		e.Actor.ID, e.Actor.UserAgent = text, text
		e.Changes = []gatehouse.Change{{Field: text, Before: text, After: text}}
		must(t, h.AppendEvent(t.Context(), e))
		events, _, err := h.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: h.tenant, Limit: 1})
		must(t, err)
		same(t, label("event with %.40q", text), events, []gatehouse.Event{*e})
		if slices.Contains(hostile, text) {
			if e.Subject != text || e.Actor.UserAgent != text || e.Changes[0].After != text {
				t.Errorf("the text %.40q was changed: %+v", text, e)
			}
		}
	}
	for _, text := range unstorable {
		events, total, err := h.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: h.tenant, Subject: text})
		must(t, err)
		if len(events) != 0 || total != 0 {
			t.Errorf("%d events about %q", total, text)
		}
	}
}

func eventInvalid(t *testing.T, h *house) {
	for what, spoil := range map[string]func(*gatehouse.Event){
		"no actor":        func(e *gatehouse.Event) { e.Actor.Kind = gatehouse.ActorInvalid },
		"an actor beyond": func(e *gatehouse.Event) { e.Actor.Kind = 99 },
		"no outcome":      func(e *gatehouse.Event) { e.Outcome = gatehouse.OutcomeInvalid },
		"another outcome": func(e *gatehouse.Event) { e.Outcome = 99 },
	} {
		e := h.event("x", "y")
		spoil(e)
		mustInvalid(t, "append with "+what, h.AppendEvent(t.Context(), e))
	}
	if events := h.events(t, ""); len(events) != 0 {
		t.Errorf("%d events were stored", len(events))
	}
}

func eventList(t *testing.T, h *house) {
	var all []gatehouse.Event
	for i, row := range []struct{ verb, subject string }{{"a", "s1"}, {"b", "s1"}, {"c", "s2"}, {"a", "s2"}, {"b", "s3"}} {
		e := h.event(row.verb, row.subject)
		e.Actor.ID = []string{"actor-1", "actor-2"}[i%2]
		e.Outcome = []gatehouse.Outcome{gatehouse.OutcomeSucceeded, gatehouse.OutcomeFailed, gatehouse.OutcomeDenied}[i%3]
		must(t, h.AppendEvent(t.Context(), e))
		all = append(all, *e)
	}
	must(t, h.AppendEvent(t.Context(), newHouse(t, h.AllStores).event("a", "s1")))
	for _, row := range []struct {
		what string
		q    gatehouse.EventQuery
		want []int
	}{
		{"all", gatehouse.EventQuery{}, []int{4, 3, 2, 1, 0}},
		{"oldest first", gatehouse.EventQuery{Oldest: true}, []int{0, 1, 2, 3, 4}},
		{"subject", gatehouse.EventQuery{Subject: "s1"}, []int{1, 0}},
		{"a verb", gatehouse.EventQuery{Verbs: []string{"a"}}, []int{3, 0}},
		{"one of three verbs", gatehouse.EventQuery{Verbs: []string{"a", "c", "none"}}, []int{3, 2, 0}},
		{"a verb that is no text", gatehouse.EventQuery{Verbs: []string{"a", "\xff"}}, []int{3, 0}},
		{"verbs that are no text", gatehouse.EventQuery{Verbs: []string{"\x00", "\xff"}}, nil},
		{"outcome", gatehouse.EventQuery{Outcome: gatehouse.OutcomeFailed}, []int{4, 1}},
		{"actor", gatehouse.EventQuery{ActorID: "actor-2"}, []int{3, 1}},
		{"an actor that is no text", gatehouse.EventQuery{ActorID: "\xff"}, nil},
		{"actor and subject", gatehouse.EventQuery{ActorID: "actor-1", Subject: "s1"}, []int{0}},
		{"subject and verb", gatehouse.EventQuery{Subject: "s2", Verbs: []string{"a"}}, []int{3}},
	} {
		row.q.Tenant = h.tenant
		h.wantEvents(t, row.what, row.q, all, row.want)
	}
}

func (h *house) wantEvents(t *testing.T, what string, q gatehouse.EventQuery, all []gatehouse.Event, indexes []int) {
	t.Helper()
	var want []gatehouse.Event
	for _, i := range indexes {
		want = append(want, all[i])
	}
	events, total, err := h.ListEvents(t.Context(), q)
	must(t, err)
	same(t, "events: "+what, events, want)
	if total != len(want) {
		t.Errorf("events: %s: total %d; want %d", what, total, len(want))
	}
}

func eventListByTime(t *testing.T, h *house) {
	start := h.now()
	var all []gatehouse.Event
	for i := range 4 {
		e := h.event("a", "s")
		e.Time = start.Add(time.Duration(i) * time.Microsecond)
		must(t, h.AppendEvent(t.Context(), e))
		all = append(all, *e)
	}
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Microsecond) }
	for _, row := range []struct {
		what     string
		from, to time.Time
		want     []int
	}{
		{"from is inclusive", at(2), time.Time{}, []int{3, 2}},
		{"to is exclusive", time.Time{}, at(2), []int{1, 0}},
		{"from and to", at(1), at(3), []int{2, 1}},
		{"an empty span", at(2), at(2), nil},
	} {
		h.wantEvents(t, row.what, gatehouse.EventQuery{Tenant: h.tenant, From: row.from, To: row.to}, all, row.want)
	}
}

func eventListPages(t *testing.T, h *house) {
	for range 5 {
		must(t, h.AppendEvent(t.Context(), h.event("a", "s")))
	}
	for _, row := range []struct {
		offset, limit int
		want          []int64
	}{
		{0, 2, []int64{5, 4}}, {2, 2, []int64{3, 2}}, {4, 2, []int64{1}}, {5, 2, nil}, {3, 0, []int64{2, 1}},
	} {
		events, total, err := h.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: h.tenant, Offset: row.offset, Limit: row.limit})
		must(t, err)
		var got []int64
		for _, e := range events {
			got = append(got, e.Seq)
		}
		same(t, label("page from %d", row.offset), got, row.want)
		if total != 5 {
			t.Errorf("total %d from %d; want 5", total, row.offset)
		}
	}
}

// eventListCursor walks lists from page to page, while the chain grows.
func eventListCursor(t *testing.T, h *house) {
	for i := range 7 {
		must(t, h.AppendEvent(t.Context(), h.event("a", label("s%d", i%2))))
	}
	for _, row := range []struct {
		what  string
		q     gatehouse.EventQuery
		start int64
		want  []int64
	}{
		{"newest first", gatehouse.EventQuery{}, math.MaxInt64, []int64{7, 6, 5, 4, 3, 2, 1}},
		{"from the middle", gatehouse.EventQuery{}, 4, []int64{3, 2, 1}},
		{"before the first", gatehouse.EventQuery{}, 1, nil},
		{"oldest first", gatehouse.EventQuery{Oldest: true}, -1, []int64{1, 2, 3, 4, 5, 6, 7}},
		{"oldest first from the middle", gatehouse.EventQuery{Oldest: true}, 4, []int64{5, 6, 7}},
		{"behind the last", gatehouse.EventQuery{Oldest: true}, 7, nil},
		{"narrowed", gatehouse.EventQuery{Subject: "s1"}, math.MaxInt64, []int64{6, 4, 2}},
	} {
		for _, limit := range []int{1, 2, 3, 100, 0} {
			row.q.Tenant, row.q.After, row.q.Limit = h.tenant, row.start, limit
			var got []int64
			for range 10 {
				events, total, err := h.ListEvents(t.Context(), row.q)
				must(t, err)
				if total != 0 || limit > 0 && len(events) > limit {
					t.Errorf("%s: %d events of %d, limit %d", row.what, len(events), total, limit)
				}
				for _, e := range events {
					got = append(got, e.Seq)
					row.q.After = e.Seq
				}
				if len(events) == 0 || limit == 0 {
					break
				}
			}
			same(t, label("%s, limit %d", row.what, limit), got, row.want)
		}
	}
}
