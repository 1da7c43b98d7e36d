// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/seed14544106/gatehouse"
)

const (
	eventColumns = "seq, time, tenant, actor_kind, actor_id, address, user_agent, verb, subject, outcome, changes, prev, hash"

	lastEvent = "SELECT seq, hash FROM events WHERE tenant = $1 ORDER BY seq DESC LIMIT 1"

	insertEvent = "INSERT INTO events (" + eventColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
)

// errNothing ends a change that found nothing to do. It is no error, and no event.
var errNothing = errors.New("nothing to do")

// change runs apply and adds e to its tenant's chain, in one transaction. When it is
// durable, e is as it was stored: text that no engine keeps is replaced (U+FFFD), the
// time is in microseconds, Seq, Prev and Hash are set. Otherwise e is untouched.
func (db *DB) change(ctx context.Context, what string, e *gatehouse.Event, apply func(ctx context.Context, tx Querier) error) error {
	return db.changes(ctx, what, []*gatehouse.Event{e}, apply)
}

// changes is change with one event or more, added in their order.
func (db *DB) changes(ctx context.Context, what string, es []*gatehouse.Event, apply func(ctx context.Context, tx Querier) error) error {
	kept := make([]*gatehouse.Event, len(es))
	for i, e := range es {
		var err error
		if kept[i], err = storableEvent(e); err != nil {
			return db.fail(what, err)
		}
	}
	// Whatever became of it: before anyone is told, no kept record answers any more.
	defer db.hot.changed()
	// One turn is taken for all: events of a second chain may meet others, and the whole
	// runs again.
	err := db.engine.Write(ctx, kept[0].Tenant, func(ctx context.Context, tx Querier) error {
		if err := apply(ctx, tx); err != nil {
			return err
		}
		for _, e := range kept {
			if err := db.extend(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return db.fail(what, err)
	}
	for i := range es {
		*es[i] = *kept[i]
	}
	return nil
}

// write runs a change that has no event.
func (db *DB) write(ctx context.Context, what string, apply func(ctx context.Context, tx Querier) error) error {
	return db.fail(what, db.engine.Write(ctx, "", apply))
}

// extend adds e to the end of its tenant's chain. It comes last in a transaction, so
// that chains are held up as shortly as can be.
func (db *DB) extend(ctx context.Context, tx Querier, e *gatehouse.Event) error {
	e.Seq, e.Prev = 1, nil
	err := tx.Query(ctx, lastEvent, []any{e.Tenant}, func(r Row) error {
		c := columnsOf(r)
		e.Seq, e.Prev = c.number()+1, c.blob()
		return c.done()
	})
	if err != nil {
		return err
	}
	e.Hash = e.ChainHash()
	changes, err := jsonList(e.Changes)
	if err != nil {
		return err
	}
	address := ""
	if e.Actor.Address.IsValid() {
		address = e.Actor.Address.String()
	}
	_, err = exec(ctx, tx, insertEvent,
		e.Seq, micros(e.Time), e.Tenant, e.Actor.Kind.String(), e.Actor.ID, address, e.Actor.UserAgent,
		e.Verb, e.Subject, e.Outcome.String(), changes, blob(e.Prev), e.Hash)
	if db.engine.IsUnique(err) {
		return ErrAgain
	}
	return err
}

// storableEvent returns e as it is read back. Hostile text must not keep an event from
// being written, and the hash is over what is stored.
func storableEvent(e *gatehouse.Event) (*gatehouse.Event, error) {
	if gatehouse.ParseActorKind(e.Actor.Kind.String()) == gatehouse.ActorInvalid {
		return nil, &gatehouse.InvalidError{Field: "actor", Problem: "is none"}
	}
	if gatehouse.ParseOutcome(e.Outcome.String()) == gatehouse.OutcomeInvalid {
		return nil, &gatehouse.InvalidError{Field: "outcome", Problem: "is none"}
	}
	kept := *e
	kept.Time = asStored(e.Time)
	for _, s := range []*string{&kept.Tenant, &kept.Actor.ID, &kept.Actor.UserAgent, &kept.Verb, &kept.Subject} {
		*s = unkept.Replace(asText(*s))
	}
	if !storable(kept.Actor.Address.Zone()) {
		kept.Actor.Address = kept.Actor.Address.WithZone("")
	}
	kept.Changes = nil
	for _, c := range e.Changes {
		// Control characters are escaped in JSON and need no replacement.
		kept.Changes = append(kept.Changes, gatehouse.Change{Field: asText(c.Field), Before: asText(c.Before), After: asText(c.After)})
	}
	return &kept, nil
}

var unkept = strings.NewReplacer("\x00", "\uFFFD", separator, "\uFFFD")

func asText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// AppendEvent implements [gatehouse.AuditStore].
func (db *DB) AppendEvent(ctx context.Context, e *gatehouse.Event) error {
	return db.change(ctx, "append event", e, func(context.Context, Querier) error { return nil })
}

// ListEvents implements [gatehouse.AuditStore].
func (db *DB) ListEvents(ctx context.Context, q gatehouse.EventQuery) ([]gatehouse.Event, int, error) {
	s := selectFrom("events", q.Tenant)
	if q.Subject != "" {
		s.and("subject =", q.Subject)
	}
	if len(q.Verbs) > 0 {
		s.in("verb", q.Verbs)
	}
	if q.Outcome != gatehouse.OutcomeInvalid {
		s.and("outcome =", q.Outcome.String())
	}
	if !q.From.IsZero() {
		s.and("time >=", micros(q.From))
	}
	if !q.To.IsZero() {
		s.and("time <", micros(q.To))
	}
	order := "seq DESC"
	if q.Oldest {
		order = "seq"
	}
	var events []gatehouse.Event
	total, err := db.page(ctx, eventColumns, s, order, q.Offset, q.Limit, func(r Row) error {
		c := columnsOf(r)
		events = append(events, c.event())
		return c.done()
	})
	if err != nil {
		return nil, 0, db.fail("list events", err)
	}
	return events, total, nil
}

// event reads the columns of eventColumns. An actor acts in the tenant of the event.
func (c *columns) event() gatehouse.Event {
	e := gatehouse.Event{Seq: c.number(), Time: c.moment(), Tenant: c.text()}
	e.Actor = gatehouse.Actor{Kind: enum(c, gatehouse.ParseActorKind), ID: c.text(), Tenant: e.Tenant, Address: c.address(), UserAgent: c.text()}
	e.Verb, e.Subject = c.text(), c.text()
	e.Outcome = enum(c, gatehouse.ParseOutcome)
	e.Changes = list[gatehouse.Change](c, c.text())
	e.Prev, e.Hash = c.blob(), c.blob()
	return e
}

func (c *columns) address() netip.Addr {
	text := c.text()
	if text == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		c.spoil("holds no address")
	}
	return a
}
