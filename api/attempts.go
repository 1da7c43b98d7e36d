// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Attempt is one decision about a request. It holds nothing of the credential.
type Attempt struct {
	Time      time.Time `json:"time"`
	Outcome   string    `json:"outcome" doc:"'granted', or the stable code of the denial"`
	Scheme    string    `json:"scheme,omitempty" doc:"absent: no credential was read"`
	KeyID     string    `json:"kid,omitempty" doc:"absent: the proof held for no key"`
	Owner     string    `json:"owner,omitempty" doc:"uid"`
	Peer      string    `json:"peer,omitempty" doc:"the client's address"`
	UserAgent string    `json:"user_agent,omitempty"`
}

// Attempts are the newest attempts, newest first.
type Attempts struct {
	Attempts []Attempt `json:"attempts" nullable:"false"`
}
