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
	Code   string `json:"code" doc:"stable"`
	Title  string `json:"title"`
	Field  string `json:"field,omitempty" doc:"the input that is wrong"`
	Detail string `json:"detail,omitempty" doc:"what is wrong with it"`
	Ref    string `json:"request_id,omitempty"`
}

// NewKey asks for a key.
type NewKey struct {
	Owner   string     `json:"owner" doc:"e-mail address or uid"`
	Name    string     `json:"name,omitempty"`
	Prefix  string     `json:"prefix,omitempty"`
	Schemes []string   `json:"schemes" nullable:"false"`
	Scopes  []string   `json:"scopes,omitempty" nullable:"false"`
	Expires *time.Time `json:"expires,omitempty"`
	Replay  string     `json:"replay,omitempty" enum:"strict,window"`
	Unused  int64      `json:"unused_s,omitempty" doc:"seconds it may lie unused before it expires; absent: for ever"`

	NotBefore *time.Time        `json:"not_before,omitempty"`
	Networks  []string          `json:"networks,omitempty" doc:"CIDR; absent: anywhere" nullable:"false"`
	Methods   []string          `json:"methods,omitempty" doc:"request methods in upper case; absent: any" nullable:"false"`
	Paths     []string          `json:"paths,omitempty" doc:"'/orders', or '/orders/' for all below; absent: any" nullable:"false"`
	Signed    bool              `json:"signed_only,omitempty"`
	Limits    []Limit           `json:"limits,omitempty" nullable:"false"`
	Metadata  map[string]string `json:"metadata,omitempty"`

	// PublicKey is a public key in PEM. The holder keeps the private one, and no secret is
	// made. Absent: make one.
	PublicKey string `json:"public_key,omitempty"`
}

// Key is a key without its secret.
type Key struct {
	ID        string     `json:"kid"`
	Tenant    string     `json:"tenant"`
	Owner     string     `json:"owner" doc:"uid"`
	Name      string     `json:"name,omitempty"`
	Prefix    string     `json:"prefix,omitempty"`
	Schemes   []string   `json:"schemes" nullable:"false"`
	Scopes    []string   `json:"scopes" nullable:"false"`
	State     string     `json:"state" enum:"active,disabled,revoked"`
	StateText string     `json:"state_text,omitempty"`
	Replay    string     `json:"replay" enum:"strict,window"`
	Created   time.Time  `json:"created"`
	Updated   time.Time  `json:"updated"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty" doc:"at most ten seconds late; in lists, to about a minute"`
	Unused    int64      `json:"unused_s,omitempty" doc:"seconds it may lie unused before it expires"`

	Networks []string          `json:"networks,omitempty" nullable:"false"`
	Methods  []string          `json:"methods,omitempty" nullable:"false"`
	Paths    []string          `json:"paths,omitempty" nullable:"false"`
	Signed   bool              `json:"signed_only,omitempty"`
	Limits   []Limit           `json:"limits,omitempty" nullable:"false"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Rotating *time.Time        `json:"rotating_until,omitempty" doc:"when the old secret stops; absent: no rotation is under way, or not told in lists"`
	Version  int64             `json:"version" doc:"the ETag"`
}

// Limit is a rate limit, or, with Refill, a quota.
type Limit struct {
	Name   string `json:"name"`
	Count  int64  `json:"count"`
	Period int64  `json:"period_ms,omitempty" doc:"of a rate limit"`
	Burst  int64  `json:"burst,omitempty" doc:"of a rate limit; absent: count"`
	Refill string `json:"refill,omitempty" doc:"of a quota: 'hour', 'day', 'week' or 'month', by the calendar in UTC" enum:"hour,day,week,month"`
}

// PatchKey changes a key. Absent members stay as they are; an empty list, and for times the
// text "never", takes a bound away.
type PatchKey struct {
	Name      *string            `json:"name,omitempty"`
	Schemes   *[]string          `json:"schemes,omitempty"`
	Scopes    *[]string          `json:"scopes,omitempty"`
	Networks  *[]string          `json:"networks,omitempty"`
	Methods   *[]string          `json:"methods,omitempty"`
	Paths     *[]string          `json:"paths,omitempty"`
	Signed    *bool              `json:"signed_only,omitempty"`
	Limits    *[]Limit           `json:"limits,omitempty"`
	Metadata  *map[string]string `json:"metadata,omitempty" doc:"replaces all pairs"`
	Replay    *string            `json:"replay,omitempty" enum:"strict,window"`
	NotBefore *string            `json:"not_before,omitempty" doc:"RFC 3339, or 'never': at once"`
	Expires   *string            `json:"expires,omitempty" doc:"RFC 3339, or 'never'"`
	Unused    *int64             `json:"unused_s,omitempty" doc:"0: for ever"`
}

// Revoke ends one key.
type Revoke struct {
	Reason string `json:"reason,omitempty" doc:"kept in the audit log"`
}

// Rotate asks for a new secret.
type Rotate struct {
	Grace     int64  `json:"grace_s" doc:"seconds that the old secret works on; 0: it ends at once"`
	PublicKey string `json:"public_key,omitempty"`
}

// Extend moves the end of a rotation.
type Extend struct {
	Grace int64 `json:"grace_s" doc:"seconds from now"`
}

// Rotation is where a key's rotation stands.
type Rotation struct {
	State string          `json:"state" enum:"none,running"`
	Began *time.Time      `json:"began,omitempty" doc:"when the new secret was made"`
	Ends  *time.Time      `json:"ends,omitempty" doc:"when the old one stops"`
	Old   *RotationSecret `json:"old,omitempty"`
	New   *RotationSecret `json:"new,omitempty"`
	Safe  bool            `json:"safe_to_finish"`
	Why   string          `json:"why,omitempty" doc:"the state in words, such as who still uses the old secret"`
}

// RotationSecret is one secret of a rotation and who uses it. What is told is at most ten
// seconds old.
type RotationSecret struct {
	FirstUsed *time.Time `json:"first_used,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
	Uses      int64      `json:"uses"`
	By        []UsedBy   `json:"by,omitempty" doc:"the latest first, 32 at most" nullable:"false"`
}

// UsedBy is one place that a secret is used from.
type UsedBy struct {
	Peer   string    `json:"peer" doc:"address; empty: unknown"`
	Agent  string    `json:"agent" doc:"class of the user agent, such as 'curl', 'python', 'browser'"`
	Scheme string    `json:"scheme"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Uses   int64     `json:"uses"`
}

// CreatedKey is a key with its secret, shown once.
type CreatedKey struct {
	Key
	Secret string `json:"secret" doc:"empty for a key with a public key"`
	Token  string `json:"token,omitempty" doc:"kid and secret in one text, for the bearer scheme"`
}

// String is the key without its secret: what is logged by mistake tells nothing.
func (k CreatedKey) String() string { return "key " + k.ID + " (secret withheld)" }

// GoString is String.
func (k CreatedKey) GoString() string { return k.String() }

// RevokeKeys asks for the end of an account's keys.
type RevokeKeys struct {
	Owner  string `json:"owner" doc:"e-mail address or uid"`
	Scheme string `json:"scheme,omitempty" doc:"only keys that allow this scheme; absent: all"`
}

// RevokedKeys says how many keys were ended.
type RevokedKeys struct {
	Revoked int `json:"revoked"`
}

// Keys is a page of keys.
type Keys struct {
	Keys []Key  `json:"keys" nullable:"false"`
	Next string `json:"next,omitempty" doc:"cursor of the next page; absent: this is the last"`
}

// NewAccount asks for an account. Without a password it cannot sign in.
type NewAccount struct {
	Email    string `json:"email"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Role     string `json:"role,omitempty" doc:"default 'member'"`
	State    string `json:"state,omitempty" doc:"default 'active'"`
	Level    int    `json:"level,omitempty"`
}

// Account is an account without its secrets.
type Account struct {
	UID      string    `json:"uid"`
	Tenant   string    `json:"tenant"`
	Kind     string    `json:"kind" enum:"account,service"`
	Email    string    `json:"email"`
	Username string    `json:"username,omitempty"`
	Role     string    `json:"role"`
	Level    int       `json:"level"`
	State    string    `json:"state"`
	OTP      bool      `json:"otp"`
	Owner    string    `json:"owner,omitempty" doc:"of a service account: uid of whom it belongs to"`
	Limits   []Limit   `json:"limits,omitempty" nullable:"false"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// Accounts is a page of accounts.
type Accounts struct {
	Accounts []Account `json:"accounts" nullable:"false"`
	Next     string    `json:"next,omitempty" doc:"cursor of the next page; absent: this is the last"`
}

// PatchAccount changes an account. Absent members stay as they are.
type PatchAccount struct {
	Role     *string  `json:"role,omitempty"`
	Level    *int     `json:"level,omitempty"`
	Limits   *[]Limit `json:"limits,omitempty" doc:"of all its keys together"`
	Password *string  `json:"password,omitempty" doc:"changed alone, by the operator on the machine"`
}

// NewServiceAccount asks for a service account: a principal that never signs in.
type NewServiceAccount struct {
	Name  string  `json:"name" doc:"its user name, 4 to 12 letters or digits"`
	Owner string  `json:"owner,omitempty" doc:"e-mail address or uid of the account it belongs to; absent: none"`
	Role  string  `json:"role,omitempty"`
	Limit []Limit `json:"limits,omitempty" nullable:"false"`
}

// NewState asks for another state of an account.
type NewState struct {
	State string `json:"state"`
}

// Check asks for a decision about a request that carries these header fields. It
// consumes what the request would: a nonce, a limit.
type Check struct {
	Method    string              `json:"method,omitempty"`
	Scheme    string              `json:"scheme,omitempty" enum:"http,https"`
	Authority string              `json:"authority,omitempty"`
	Target    string              `json:"target,omitempty"`
	Peer      string              `json:"peer,omitempty" doc:"the client's address"`
	Headers   map[string][]string `json:"headers,omitempty"`
	Scopes    []string            `json:"scopes,omitempty" doc:"what the route demands, all of them" nullable:"false"`
	AnyScope  []string            `json:"any_scope,omitempty" doc:"of these the route demands one" nullable:"false"`
	Body      *[]byte             `json:"body,omitempty" doc:"the whole body; absent: it cannot be supplied"`
	Cost      int64               `json:"cost,omitempty" doc:"under limits and quotas; absent: 1"`
	Roles     []string            `json:"roles,omitempty" doc:"of these the principal has one" nullable:"false"`
	Schemes   []string            `json:"schemes,omitempty" doc:"by one of these the key is presented" nullable:"false"`
	Signed    bool                `json:"signed,omitempty" doc:"by a scheme that signs: not by one that shows the secret"`
	Rules     bool                `json:"rules,omitempty" doc:"demand what the tenant's route rules demand of method, authority and target, besides"`
}

// Checks asks for several decisions.
type Checks struct {
	Checks []Check `json:"checks" maxItems:"100" nullable:"false" doc:"each is answered for itself"`
}

// Decisions are the answers to Checks, in their order.
type Decisions struct {
	Decisions []Decision `json:"decisions" nullable:"false"`
}

// Decision is the answer to a Check.
type Decision struct {
	Granted    bool   `json:"granted"`
	Reason     string `json:"reason,omitempty" doc:"stable code of the denial"`
	Status     int    `json:"status" doc:"HTTP status a gate answers with"`
	Scheme     string `json:"scheme,omitempty"`
	Signed     bool   `json:"signed,omitempty" doc:"the scheme signs: it is not shown the secret"`
	Key        *Key   `json:"key,omitempty" doc:"absent until the proof held"`
	Body       string `json:"body,omitempty" doc:"with a grant: 'verified', 'deferred' or 'unavailable'"`
	Digest     string `json:"content_digest,omitempty" doc:"the proven field, to compare with a deferred body"`
	RetryAfter int64  `json:"retry_after_ms,omitempty"`

	Principal  *Principal  `json:"principal,omitempty" doc:"whom the key speaks for; with the key"`
	Limit      *LimitState `json:"limit,omitempty" doc:"the tightest limit that the request came to"`
	Deprecated *time.Time  `json:"deprecated,omitempty" doc:"since when the secret has a successor"`
	Sunset     *time.Time  `json:"sunset,omitempty" doc:"when the secret stops, or the key expires, if that is near"`
	Problem    *Problem    `json:"problem,omitempty" doc:"in a batch: the check could not be answered; then nothing is granted"`
}

// LimitState is how a limit stands.
type LimitState struct {
	Name      string `json:"name"`
	Count     int64  `json:"count" doc:"how much it admits at once when full"`
	Remaining int64  `json:"remaining"`
	Reset     int64  `json:"reset_s" doc:"seconds until it is full again"`
	Period    int64  `json:"period_s" doc:"seconds in which it admits so much"`
}

// Principal is whom a key speaks for.
type Principal struct {
	UID          string `json:"uid"`
	Kind         string `json:"kind" enum:"account,service"`
	Email        string `json:"email"`
	Username     string `json:"username,omitempty"`
	Role         string `json:"role"`
	Level        int    `json:"level"`
	State        string `json:"state"`
	SecondFactor bool   `json:"otp"`
}

// Self says who the caller is.
type Self struct {
	Key        *Key       `json:"key,omitempty" doc:"the key the call was made with; absent: a session, or the admin socket"`
	Account    *Account   `json:"account,omitempty" doc:"whom it speaks for"`
	Tenant     string     `json:"tenant"`
	Everyone   bool       `json:"everyone" doc:"it may manage the records of others in its tenant"`
	Scopes     []string   `json:"scopes" doc:"what it may do here" nullable:"false"`
	Ends       *time.Time `json:"ends,omitempty"`
	Deprecated *time.Time `json:"deprecated,omitempty"`
}
