// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Revocations tells of whom what was asserted no longer holds; see docs/spec/api.md.
type Revocations struct {
	Tenant      string       `json:"tenant" doc:"whose list it is: of other tenants it says nothing"`
	Revocations []Revocation `json:"revocations" doc:"the oldest first; some may have been told before" nullable:"false"`
	Floor       time.Time    `json:"floor" doc:"what was asserted until then counts as revoked: the list does not reach back further"`
	Cursor      string       `json:"cursor" doc:"since for the next question"`
}

// Revocation is one end.
type Revocation struct {
	Kind string    `json:"kind" enum:"key,principal,tenant,all" doc:"what ended; the tenant of the list, or everything"`
	ID   string    `json:"id,omitempty" doc:"kid of the key, uid of the principal; else absent"`
	Time time.Time `json:"at" doc:"what was asserted of it until then no longer holds"`
}
