// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"crypto/sha256"
	"encoding/binary"
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
	Address   netip.Addr
	UserAgent string
}

// everything reports whether the actor may manage every record of its tenant.
func (a *Actor) everything() bool { return a.Kind == ActorSystem || a.Kind == ActorOperator }

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
	Hash    []byte // [Event.ChainHash]; set by the store
}

// ChainHash computes the event's hash from all its other fields, Prev included:
// SHA-256 over the fields in order, each with its length in front, so that no two
// events read the same. Time counts in microseconds, the precision stores keep.
func (e *Event) ChainHash() []byte {
	h := sha256.New()
	num := func(n int64) { _ = binary.Write(h, binary.BigEndian, n) }
	text := func(s string) { num(int64(len(s))); _, _ = h.Write([]byte(s)) }
	text("gatehouse event 1")
	num(e.Seq)
	num(e.Time.UnixMicro())
	text(e.Tenant)
	text(e.Actor.Kind.String())
	text(e.Actor.ID)
	text(addrText(e.Actor.Address))
	text(e.Actor.UserAgent)
	text(e.Verb)
	text(e.Subject)
	text(e.Outcome.String())
	num(int64(len(e.Changes)))
	for _, c := range e.Changes {
		text(c.Field)
		text(c.Before)
		text(c.After)
	}
	text(string(e.Prev))
	return h.Sum(nil)
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
	Verbs    []string // any of these
	Outcome  Outcome
	From, To time.Time // From inclusive, To exclusive
	Oldest   bool      // oldest first
	Offset   int
	Limit    int // rows at most; zero: all
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
