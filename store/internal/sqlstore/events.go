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

	insertEvent = "INSERT INTO events (" + eventColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
)

// errNothing ends a change that found nothing to do. It is no error, and no event.
var errNothing = errors.New("nothing to do")

// change runs apply and adds e to its tenant's chain, in one transaction. When it is
// durable, e is as it was stored: text that no engine keeps is replaced (U+FFFD), the
// time is in microseconds, Seq, Prev and Hash are set. Otherwise e is untouched. Where
// the actor acts once, the receipt is stored too, or gatehouse.ErrRepeated is the answer.
func (db *DB) change(ctx context.Context, what string, e *gatehouse.Event, apply func(ctx context.Context, tx Querier) error) error {
	return db.changes(ctx, what, []*gatehouse.Event{e}, quietly(apply))
}

// told is change where apply returns notices of what may be other than it was. It returns
// when they are in force on every node.
func (db *DB) told(ctx context.Context, what string, e *gatehouse.Event, apply telling) error {
	return db.changes(ctx, what, []*gatehouse.Event{e}, apply)
}

// telling is a change that tells what may be other than it was.
type telling func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error)

func quietly(apply func(ctx context.Context, tx Querier) error) telling {
	return func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) { return nil, apply(ctx, tx) }
}

// changes is told with one event or more, added in their order.
func (db *DB) changes(ctx context.Context, what string, es []*gatehouse.Event, apply telling) error {
	kept := make([]*gatehouse.Event, len(es))
	for i, e := range es {
		var err error
		if kept[i], err = storableEvent(e); err != nil {
			return db.fail(what, err)
		}
	}
	// One turn is taken for all: events of a second chain may meet others, and the whole
	// runs again.
	err := db.commit(ctx, kept[0].Tenant, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		if err := once(ctx, tx, kept); err != nil {
			return nil, err
		}
		notices, err := apply(ctx, tx)
		if err != nil {
			return nil, err
		}
		return notices, db.extend(ctx, tx, kept)
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

// insertEvent adds an event that has its place in the chain.
func (db *DB) insertEvent(ctx context.Context, tx Querier, e *gatehouse.Event) error {
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
	if q.ActorID != "" {
		s.and("actor_id <> '' AND actor_id =", q.ActorID)
	}
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
	var events []gatehouse.Event
	total, err := db.eventPage(ctx, s, &q, func(r Row) error {
		c := columnsOf(r)
		events = append(events, c.event())
		return c.done()
	})
	if err != nil {
		return nil, 0, db.fail("list events", err)
	}
	return events, total, nil
}

// eventPage is page for events. Behind a cursor nothing is counted.
func (db *DB) eventPage(ctx context.Context, s *selection, q *gatehouse.EventQuery, each func(Row) error) (total int, err error) {
	order, behind := "seq DESC", "seq <"
	if q.Oldest {
		order, behind = "seq", "seq >"
	}
	if q.After == 0 {
		return db.page(ctx, eventColumns, s, order, q.Offset, q.Limit, each)
	}
	s.and(behind, q.After)
	text := "SELECT " + eventColumns + " " + s.text.String() + " ORDER BY " + order
	if q.Limit > 0 {
		text += " LIMIT " + s.parameter(int64(q.Limit))
	}
	return 0, db.read(ctx, text, s.args, each)
}

// event reads the columns of eventColumns. An actor acts in the tenant of the event. One
// row that was spoiled must not hide the others: it has no hash.
func (c *columns) event() gatehouse.Event {
	e := gatehouse.Event{Seq: c.number(), Time: c.moment(), Tenant: c.text()}
	e.Actor = gatehouse.Actor{Kind: enum(c, gatehouse.ParseActorKind), ID: c.text(), Tenant: e.Tenant, Address: c.address(), UserAgent: c.text()}
	e.Verb, e.Subject = c.text(), c.text()
	e.Outcome = enum(c, gatehouse.ParseOutcome)
	e.Changes = list[gatehouse.Change](c, c.text())
	e.Prev, e.Hash = c.blob(), c.blob()
	if c.err != nil && e.Seq != 0 && c.next == len(c.row) {
		e.Hash, c.err = nil, nil
	}
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
