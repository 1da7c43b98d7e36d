// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package api holds the wire types of the native API, shared by the server and its
// clients. Times are RFC 3339 in UTC; absent optional members are left out.
package api

import "time"

// SocketName is the file name of the admin socket in the data directory.
const SocketName = "admin.sock"

// ProblemType is the media type of an error body (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is the body of every error (RFC 9457). It never repeats input.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"` // stable
	Title  string `json:"title"`
	Field  string `json:"field,omitempty"`  // the input that is wrong
	Detail string `json:"detail,omitempty"` // what is wrong with it
	Ref    string `json:"request_id,omitempty"`
}

// NewKey asks for a key.
type NewKey struct {
	Owner   string     `json:"owner"` // e-mail address or uid
	Name    string     `json:"name,omitempty"`
	Prefix  string     `json:"prefix,omitempty"`
	Schemes []string   `json:"schemes"`
	Scopes  []string   `json:"scopes,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Replay  string     `json:"replay,omitempty"`   // "strict" or "window"
	Unused  int64      `json:"unused_s,omitempty"` // seconds it may lie unused before it expires; absent: for ever

	// PublicKey is a public key in PEM. The holder keeps the private one, and no secret is
	// made. Absent: make one.
	PublicKey string `json:"public_key,omitempty"`
}

// Key is a key without its secret.
type Key struct {
	ID        string     `json:"kid"`
	Tenant    string     `json:"tenant"`
	Owner     string     `json:"owner"` // uid
	Name      string     `json:"name,omitempty"`
	Prefix    string     `json:"prefix,omitempty"`
	Schemes   []string   `json:"schemes"`
	Scopes    []string   `json:"scopes"`
	State     string     `json:"state"`
	StateText string     `json:"state_text,omitempty"`
	Replay    string     `json:"replay"`
	Created   time.Time  `json:"created"`
	Updated   time.Time  `json:"updated"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"` // to about a minute
	Unused    int64      `json:"unused_s,omitempty"`  // seconds it may lie unused before it expires
}

// CreatedKey is a key with its secret, shown once.
type CreatedKey struct {
	Key
	Secret string `json:"secret"`          // empty for a key with a public key
	Token  string `json:"token,omitempty"` // kid and secret in one text, for the bearer scheme
}

// RevokeKeys asks for the end of an account's keys.
type RevokeKeys struct {
	Owner  string `json:"owner"`            // e-mail address or uid
	Scheme string `json:"scheme,omitempty"` // only keys that allow this scheme; absent: all
}

// RevokedKeys says how many keys were ended.
type RevokedKeys struct {
	Revoked int `json:"revoked"`
}

// Keys is a page of keys.
type Keys struct {
	Keys  []Key `json:"keys"`
	Total int   `json:"total"`
}

// NewAccount asks for an account. Without a password it cannot sign in.
type NewAccount struct {
	Email    string `json:"email"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Role     string `json:"role,omitempty"`  // default "member"
	State    string `json:"state,omitempty"` // default "active"
	Level    int    `json:"level,omitempty"`
}

// Account is an account without its secrets.
type Account struct {
	UID      string    `json:"uid"`
	Tenant   string    `json:"tenant"`
	Kind     string    `json:"kind"` // "account" or "service"
	Email    string    `json:"email"`
	Username string    `json:"username,omitempty"`
	Role     string    `json:"role"`
	Level    int       `json:"level"`
	State    string    `json:"state"`
	OTP      bool      `json:"otp"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// Accounts is a page of accounts.
type Accounts struct {
	Accounts []Account `json:"accounts"`
	Total    int       `json:"total"`
}

// NewState asks for another state of an account.
type NewState struct {
	State string `json:"state"`
}

// Check asks for a decision about a request that carries these header fields. It
// consumes what the request would: a nonce, a limit.
type Check struct {
	Method    string              `json:"method,omitempty"`
	Scheme    string              `json:"scheme,omitempty"` // "http" or "https"
	Authority string              `json:"authority,omitempty"`
	Target    string              `json:"target,omitempty"`
	Peer      string              `json:"peer,omitempty"` // the client's address
	Headers   map[string][]string `json:"headers"`
	Scopes    []string            `json:"scopes,omitempty"`    // what the route demands, all of them
	AnyScope  []string            `json:"any_scope,omitempty"` // of these the route demands one
	Body      *[]byte             `json:"body,omitempty"`      // the whole body; absent: it cannot be supplied
}

// Decision is the answer to a Check.
type Decision struct {
	Granted    bool   `json:"granted"`
	Reason     string `json:"reason,omitempty"` // stable code of the denial
	Status     int    `json:"status"`           // HTTP status a gate answers with
	Scheme     string `json:"scheme,omitempty"`
	Key        *Key   `json:"key,omitempty"`
	Body       string `json:"body,omitempty"`           // with a grant: "verified", "deferred" or "unavailable"
	Digest     string `json:"content_digest,omitempty"` // the proven field, to compare with a deferred body
	RetryAfter int64  `json:"retry_after_ms,omitempty"`
}
