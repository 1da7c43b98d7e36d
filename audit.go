// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ActorKind says what kind of actor changes something. The zero value is invalid
// and may nothing.
type ActorKind uint8

// The kinds of actor.
const (
	ActorInvalid  ActorKind = iota
	ActorSystem             // the process itself: start-up, clean-up
	ActorOperator           // whoever holds the machine: the admin socket, a setup token
	ActorAccount            // a signed-in person, or a person proving a mailed token
	ActorKey                // a management call made with a key
	ActorNobody             // an unauthenticated caller, in events only
)

var actorNames = [...]string{ActorInvalid: "invalid", ActorSystem: "system", ActorOperator: "operator", ActorAccount: "account", ActorKey: "key", ActorNobody: "nobody"}

// String returns the kind's name in the audit log.
func (k ActorKind) String() string {
	if int(k) < len(actorNames) {
		return actorNames[k]
	}
	return actorNames[ActorInvalid]
}

// ParseActorKind is the inverse of [ActorKind.String]; unknown text gives
// [ActorInvalid].
func ParseActorKind(text string) ActorKind {
	if i := slices.Index(actorNames[:], text); i > 0 {
		return ActorKind(i)
	}
	return ActorInvalid
}

// Actor is who changes something. Every verb that changes takes one.
type Actor struct {
	Kind      ActorKind
	ID        string // account id or key id; empty for system, operator and nobody
	Tenant    string // the tenant the actor belongs to and acts in
	Via       *Key   // with ActorKey: the key the call was made with; it bounds what the actor may pass on
	Material  int64  // with ActorKey: version of the material that proved the call; zero: not told
	Everyone  bool   // with ActorKey and ActorAccount: it may manage the records of others in its tenant too
	Role      string // with ActorKey and ActorAccount: the role by which the call was judged; empty: not told
	Once      *Once  // what it asks for shall happen once, however often it asks; nil: every time
	Address   netip.Addr
	UserAgent string
}

// everything reports whether the actor is bound by nothing in its tenant.
func (a *Actor) everything() bool { return a.Kind == ActorSystem || a.Kind == ActorOperator }

// everyone reports whether the actor may manage the records of others in its tenant. One
// that is a key is still bound by what the key can.
func (a *Actor) everyone() bool {
	return a.everything() || a.Everyone && (a.Kind == ActorAccount || a.Kind == ActorKey && a.Via != nil)
}

// Outcome says how an attempt ended. The zero value is invalid.
type Outcome uint8

// The outcomes of an attempt.
const (
	OutcomeInvalid Outcome = iota
	OutcomeSucceeded
	OutcomeFailed // a wrong password, code or token
	OutcomeDenied // not allowed to try
)

var outcomeNames = [...]string{OutcomeInvalid: "invalid", OutcomeSucceeded: "succeeded", OutcomeFailed: "failed", OutcomeDenied: "denied"}

// String returns "succeeded", "failed" or "denied".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return outcomeNames[OutcomeInvalid]
}

// ParseOutcome is the inverse of [Outcome.String]; unknown text gives
// [OutcomeInvalid].
func ParseOutcome(text string) Outcome {
	if i := slices.Index(outcomeNames[:], text); i > 0 {
		return Outcome(i)
	}
	return OutcomeInvalid
}

// Change is one field before and after. It never holds a secret.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Event is one row of the audit log: who did what to whom, and how it ended.
// Events of a tenant form a chain: each carries the hash of the one before.
type Event struct {
	Seq     int64 // 1, 2, … within the tenant; set by the store
	Time    time.Time
	Tenant  string
	Actor   Actor
	Verb    string // such as "key.create", "session.create"
	Subject string // id of the record it is about
	Outcome Outcome
	Changes []Change
	Prev    []byte // hash of the event before; empty for the first; set by the store
	Hash    []byte // [Event.ChainHash]; set by the store; empty: the row was spoiled and not all of it could be read
}

// ChainHash computes the event's hash from all its other fields, Prev included:
// SHA-256 over the fields in order, each with its length in front, so that no two
// events read the same. Time counts in microseconds, the precision stores keep.
func (e *Event) ChainHash() []byte {
	d := digest{sha256.New()}
	d.text("gatehouse event 1")
	d.num(e.Seq)
	d.num(e.Time.UnixMicro())
	d.text(e.Tenant)
	d.text(e.Actor.Kind.String())
	d.text(e.Actor.ID)
	d.text(addrText(e.Actor.Address))
	d.text(e.Actor.UserAgent)
	d.text(e.Verb)
	d.text(e.Subject)
	d.text(e.Outcome.String())
	d.num(int64(len(e.Changes)))
	for _, c := range e.Changes {
		d.text(c.Field)
		d.text(c.Before)
		d.text(c.After)
	}
	d.text(string(e.Prev))
	return d.Sum(nil)
}

// digest takes numbers as 8 bytes, big-endian, and texts with their length in front.
type digest struct{ hash.Hash }

func (d digest) num(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	_, _ = d.Write(b[:])
}

func (d digest) text(s string) {
	d.num(int64(len(s)))
	_, _ = io.WriteString(d, s)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// EventQuery selects events for a list. Zero fields do not select.
type EventQuery struct {
	Tenant   string // required
	Subject  string
	ActorID  string
	Verbs    []string // any of these
	Outcome  Outcome
	From, To time.Time // From inclusive, To exclusive
	Oldest   bool      // oldest first
	Offset   int       // rows to skip; not with After
	Limit    int       // rows at most; zero: all

	// After is a cursor: the rows with a smaller Seq, with Oldest those with a greater one.
	// From the start are math.MaxInt64 and, with Oldest, -1. The rows behind a cursor are
	// not counted: the total is zero. Zero: no cursor.
	After int64
}

// maxAgent is how much of a user agent an event keeps, in bytes: a client chooses it,
// and must not fill the log with it.
const maxAgent = 255

// NewEvent makes the event of an actor's attempt on subject. Of a long user agent the
// first 255 bytes are kept. The store sets Seq, Prev and Hash.
func NewEvent(a Actor, now time.Time, verb, subject string, outcome Outcome, changes ...Change) *Event {
	if len(a.UserAgent) > maxAgent {
		a.UserAgent = strings.ToValidUTF8(a.UserAgent[:maxAgent], "")
	}
	return &Event{Time: now.UTC().Truncate(time.Microsecond), Tenant: a.Tenant, Actor: a, Verb: verb, Subject: subject, Outcome: outcome, Changes: changes}
}
