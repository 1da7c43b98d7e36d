// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Event is one row of the audit log.
type Event struct {
	Seq       int64     `json:"seq" doc:"1, 2, … within the tenant"`
	Time      time.Time `json:"time"`
	Tenant    string    `json:"tenant"`
	Actor     string    `json:"actor" enum:"system,operator,account,key,nobody"`
	ActorID   string    `json:"actor_id,omitempty"`
	Address   string    `json:"address,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	Verb      string    `json:"verb"`
	Subject   string    `json:"subject,omitempty"`
	Outcome   string    `json:"outcome" enum:"succeeded,failed,denied"`
	Changes   []Change  `json:"changes,omitempty" nullable:"false"`
	Prev      string    `json:"prev,omitempty" doc:"hex"`
	Hash      string    `json:"hash" doc:"hex; see gatehouse.Event.ChainHash"`
}

// Change is one field before and after.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Events is a page of events.
type Events struct {
	Events []Event           `json:"events" nullable:"false"`
	Next   string            `json:"next,omitempty" doc:"cursor of the next page; absent: this is the last"`
	Names  map[string]string `json:"names,omitempty" doc:"of accounts that the events speak of, by the ids that events have of them: e-mail addresses, and the user names of service accounts; 200 at most"`
}

// VerifyChain asks for a check of a tenant's chain of events.
type VerifyChain struct {
	// Seq and Hash are a head that was noted earlier: the chain must go through it. Absent:
	// no such demand.
	Seq  int64  `json:"seq,omitempty" doc:"of an event that was noted earlier: the chain must go through it"`
	Hash string `json:"hash,omitempty" doc:"of that event, hex"`
}

// Chain is what a check of a chain found.
type Chain struct {
	Sound  bool         `json:"sound"`
	Events int64        `json:"events" doc:"that were read"`
	Seq    int64        `json:"seq" doc:"the head: worth noting elsewhere"`
	Hash   string       `json:"hash"`
	Since  int64        `json:"since,omitempty" doc:"the first event that the signature of the head vouches for; absent: none, or the signature is not right"`
	Faults []ChainFault `json:"faults,omitempty" doc:"the first hundred" nullable:"false"`
}

// ChainFault is one thing that is wrong with a chain.
type ChainFault struct {
	Seq     int64  `json:"seq"`
	To      int64  `json:"to" doc:"the last seq of several in a row; seq where it is one"`
	Problem string `json:"problem" doc:"such as 'changed', 'missing', 'out of order'"`
}
