// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) auditOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/audit", ID: "listEvents", Tag: "audit", Summary: "Read the audit log", Status: http.StatusOK,
			Text:   "The newest event comes first, or the oldest. Filters narrow together. What accounts are called, in `names`, is told to callers that hold accounts:read too.",
			limits: small, Scope: gatehouse.ScopeAuditRead, Everyone: true,
		}, h.listEvents),
		does(route{
			Method: http.MethodPost, Path: "/v1/audit/verify", ID: "verifyChain", Tag: "audit", Summary: "Check that the audit log is whole", Status: http.StatusOK,
			Text:   "All events of the tenant are read. Faults are an answer, 200. The body may be left out; where `since` is above 1, it must name an event that was noted at or after the one before.",
			limits: limits{MaxBody: small.MaxBody, Timeout: 10 * time.Minute}, Scope: gatehouse.ScopeAuditRead, Everyone: true, Repeat: repeatFresh, Reads: true,
		}, h.verifyChain),
	}
}

// eventFilter is what a list of events is asked.
type eventFilter struct {
	Page
	Subject string    `query:"subject" maxLength:"255" doc:"id of the record an event is about; of an account its e-mail address or uid, too"`
	Verb    []string  `query:"verb,explode" maxItems:"32" nullable:"false" doc:"such as key.create; any of these"`
	Outcome string    `query:"outcome" enum:"succeeded,failed,denied"`
	Actor   string    `query:"actor" maxLength:"255" doc:"id of the key or the account that acted; of an account its e-mail address or uid, too"`
	From    time.Time `query:"from" doc:"RFC 3339"`
	To      time.Time `query:"to" doc:"RFC 3339, exclusive"`
	Order   string    `query:"order" enum:"asc,desc" default:"desc" doc:"asc: the oldest first"`
}

// The orders of a list of events, in cursors.
const (
	orderNewest byte = iota + 1
	orderOldest
)

type eventsOut struct{ Body api.Events }

func (h *Handler) listEvents(ctx context.Context, c *caller, in *eventFilter) (*eventsOut, error) {
	q := gatehouse.EventQuery{
		Tenant: c.actor.Tenant, Verbs: in.Verb, Outcome: gatehouse.ParseOutcome(in.Outcome), From: in.From, To: in.To,
		Limit: in.Limit + 1, After: math.MaxInt64,
	}
	order := orderNewest
	if q.Oldest = in.Order == "asc"; q.Oldest {
		order, q.After = orderOldest, -1
	}
	at, err := parseCursor(in.Cursor, order)
	if err == nil && at != (cursor{}) {
		q.After = at.At
	}
	if err == nil {
		q.Subject, err = c.recordID(ctx, in.Subject)
	}
	if err == nil {
		q.ActorID, err = c.recordID(ctx, in.Actor)
	}
	if err != nil {
		return nil, err
	}
	events, _, err := h.c.Audit.ListEvents(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &eventsOut{Body: api.Events{Events: []api.Event{}}}
	for i := range events {
		if i == in.Limit {
			out.Body.Next = cursor{Order: order, At: events[i-1].Seq}.String()
			break
		}
		out.Body.Events = append(out.Body.Events, eventBody(&events[i]))
	}
	if c.readsAccounts() {
		out.Body.Names, err = c.names(ctx, events[:len(out.Body.Events)])
	}
	return out, err
}

// readsAccounts reports whether the caller, who reads the records of everybody, may read those
// of accounts.
func (c *caller) readsAccounts() bool {
	return c.decision == nil || c.decision.Key.Scopes.Holds(gatehouse.ScopeAccountsRead)
}

// mostNames is how many accounts a page of events names: each is read by itself.
const mostNames = 200

// otherRecords are the families of verbs whose subject is no account.
var otherRecords = []string{"key", "tenant", "rules", "system", "signing_key", "keyring", "api"}

// names are what the accounts are called that events speak of, by the ids that events have of
// them. One that is gone has none.
func (c *caller) names(ctx context.Context, events []gatehouse.Event) (map[string]string, error) {
	names, asked := map[string]string{}, map[string]bool{"": true}
	for i := range events {
		for _, id := range accountsOf(&events[i]) {
			if asked[id] || len(asked) > mostNames {
				continue
			}
			asked[id] = true
			a, err := c.directory.Account(ctx, account.ByID, id)
			if errors.Is(err, gatehouse.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if names[id] = a.Email; a.Kind == gatehouse.PrincipalService {
				names[id] = a.Username // its address is made up
			}
		}
	}
	return names, nil
}

// accountsOf are ids of an event that may be those of accounts.
func accountsOf(e *gatehouse.Event) (ids []string) {
	if e.Actor.Kind == gatehouse.ActorAccount {
		ids = append(ids, e.Actor.ID)
	}
	if family, _, _ := strings.Cut(e.Verb, "."); !slices.Contains(otherRecords, family) {
		ids = append(ids, e.Subject)
	}
	for _, c := range e.Changes {
		if c.Field == "principal" || c.Field == "owner" {
			ids = append(ids, c.Before, c.After)
		}
	}
	return ids
}

// recordID is the id that events have of an account that is named by e-mail address or uid;
// what names no account is an id already.
func (c *caller) recordID(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	a, err := c.find(ctx, ref)
	if errors.Is(err, gatehouse.ErrNotFound) {
		return ref, nil
	}
	return a.ID, err
}

// eventBody is an event as the wire has it: all that its hash is made of.
func eventBody(e *gatehouse.Event) api.Event {
	out := api.Event{
		Seq: e.Seq, Time: e.Time, Tenant: e.Tenant, Actor: e.Actor.Kind.String(), ActorID: e.Actor.ID, UserAgent: e.Actor.UserAgent,
		Verb: e.Verb, Subject: e.Subject, Outcome: e.Outcome.String(), Prev: hex.EncodeToString(e.Prev), Hash: hex.EncodeToString(e.Hash),
	}
	if e.Actor.Address.IsValid() {
		out.Address = e.Actor.Address.String()
	}
	for _, c := range e.Changes {
		out.Changes = append(out.Changes, api.Change(c))
	}
	return out
}

type chainOut struct{ Body api.Chain }

func (h *Handler) verifyChain(ctx context.Context, c *caller, in *struct{ Body *api.VerifyChain }) (*chainOut, error) {
	var noted gatehouse.ChainPoint
	if in.Body != nil {
		hash, err := hex.DecodeString(in.Body.Hash)
		if err != nil || in.Body.Seq < 0 || (in.Body.Seq > 0) != (len(hash) > 0) {
			return nil, &gatehouse.InvalidError{Field: "hash", Problem: "is not hex, or not together with seq"}
		}
		noted = gatehouse.ChainPoint{Seq: in.Body.Seq, Hash: hash}
	}
	chain, _, err := gatehouse.VerifyChain(ctx, h.c.Chains, c.actor.Tenant, noted, h.c.ChainKey)
	if err != nil {
		return nil, err
	}
	out := api.Chain{
		Sound: chain.Sound(), Events: chain.Events, Seq: chain.Last.Seq, Hash: hex.EncodeToString(chain.Last.Hash), Since: chain.Since,
	}
	for _, f := range chain.Faults {
		out.Faults = append(out.Faults, api.ChainFault{Seq: f.Seq, To: f.To, Problem: f.Problem})
	}
	return &chainOut{Body: out}, nil
}
