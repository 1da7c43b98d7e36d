// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Attempt is one decision about a request. It holds nothing of the credential.
type Attempt struct {
	Time      time.Time `json:"time"`
	Outcome   string    `json:"outcome"`          // "granted", or the stable code of the denial
	Scheme    string    `json:"scheme,omitempty"` // absent: no credential was read
	KeyID     string    `json:"kid,omitempty"`    // absent: the proof held for no key
	Owner     string    `json:"owner,omitempty"`  // uid
	Peer      string    `json:"peer,omitempty"`   // the client's address
	UserAgent string    `json:"user_agent,omitempty"`
}

// Attempts are the newest attempts, newest first.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
}
