// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"net/netip"
	"time"
)

// Record is what one look-up reads: the key, and the principal and the tenant behind it.
type Record struct {
	Key       Key
	Principal Principal
	Tenant    TenantBrief
}

// KeyQuery selects keys for a list. Zero fields do not select.
type KeyQuery struct {
	Tenant    string // required
	Principal string // keys of this principal only
	States    []State
	Order     KeyOrder
	Desc      bool
	Offset    int
	Limit     int // rows at most; zero: all
}

// KeyOrder names the column a list of keys is ordered by; equal values are ordered
// by creation. The zero value orders by creation.
type KeyOrder uint8

// The orders of a list of keys.
const (
	KeyOrderCreated KeyOrder = iota
	KeyOrderID
	KeyOrderUpdated
	KeyOrderState // by the state's text
	KeyOrderScopes
)

// KeySearch selects keys for a page. Zero fields do not select; fields together narrow.
//
// The order is the newest key first; with Expires before, the one that expires first; else
// with UnusedSince, the one that was unused longest. Equal ones come in the same direction
// by id.
type KeySearch struct {
	Tenant        string // required
	Principal     string
	States        []State
	Scheme        string
	Scope         Scope     // held by name
	ExpiresBefore time.Time // keys with an expiry before this, past ones too
	UnusedSince   time.Time // keys last used before this; never used ones where they were made before this
	Metadata      Metadata  // all of these pairs
	Limited       bool      // with limits of its own
	Text          string    // each of its words begins a word of the name, or it begins the key id, with 4 characters or more, or is it; case does not count
	After         KeyCursor // the page begins behind this; zero: at the start
	Limit         int       // rows at most; required
}

// KeyCursor is a place in the order of a [KeySearch]. The zero value is before the start.
type KeyCursor struct {
	Time time.Time // of the last row of the page before: when it was made, expires, or was last used; may be zero
	ID   string    // its id
}

// Cursor is the place of k in the order of the search.
func (s *KeySearch) Cursor(k *Key) KeyCursor {
	switch {
	case !s.ExpiresBefore.IsZero():
		return KeyCursor{k.Expires, k.ID}
	case !s.UnusedSince.IsZero():
		return KeyCursor{k.LastUsed, k.ID}
	}
	return KeyCursor{k.Created, k.ID}
}

// Store keeps keys. Every write takes the Event that explains it and stores both or
// neither. Where the event's actor acts once (see [Once]), the receipt is stored with them,
// or ErrRepeated is the answer and nothing is stored. Implementations pass
// gatehousetest.Store.
//
// Text that no engine keeps (not UTF-8, U+0000 or U+001F in it) is an *[InvalidError]
// where it is written, and finds nothing where it is asked for. All errors that are not
// named here wrap [ErrUnavailable].
type Store interface {
	// Lookup reads the record of a key id over all tenants, with all its materials,
	// newest first. It reads what was last acknowledged. The record may be shared with
	// other callers and must not be changed. ErrNotFound.
	Lookup(ctx context.Context, keyID string) (*Record, error)

	// Principal reads a principal. ErrNotFound.
	Principal(ctx context.Context, tenant, id string) (Principal, error)

	// GetKey reads a key with its materials. ErrNotFound.
	GetKey(ctx context.Context, tenant, keyID string) (Key, error)

	// ListKeys reads keys without materials, and how many there are in all.
	ListKeys(ctx context.Context, q KeyQuery) (keys []Key, total int, err error)

	// FindKeys reads keys without materials, and whom they speak for, one page, in the order
	// of the search. Of tenants nothing is told. Deleted keys are in no page.
	FindKeys(ctx context.Context, s KeySearch) ([]Record, error)

	// InsertKey adds a key with Version 1. ErrExists when the id is taken;
	// ErrNotFound when there is no such principal.
	InsertKey(ctx context.Context, k *Key, e *Event) error

	// InsertKeys adds keys with Version 1, each with the event of the same index, all or
	// none of them. No keys are no change; events of another number are an *[InvalidError].
	// Other errors as of InsertKey.
	InsertKeys(ctx context.Context, ks []*Key, es []*Event) error

	// UpdateKey replaces the key and its materials where the stored Version equals
	// k.Version, and stores it with Version+1 (k itself is not changed). A revoked
	// key stays revoked, a deleted one deleted, and LastUsed as it is, whatever k says.
	// ErrNotFound, ErrConflict.
	UpdateKey(ctx context.Context, k *Key, e *Event) error
}

// Use says when a key last let a request pass.
type Use struct {
	KeyID string
	Time  time.Time // UTC
}

// UseStore keeps when keys were last used, apart from the key's own changes: a use moves
// no version and leaves no event. Implementations pass gatehousetest.UseStore.
type UseStore interface {
	// TouchKeys moves the last use of keys to the given times, never back. Unknown ids
	// are left out. It stores all or nothing. A Lookup may tell of it a second late, and
	// only of it.
	TouchKeys(ctx context.Context, uses []Use) error
}

// Attempt is one decision about a request, kept for operators alone: it tells which key a
// credential named although its proof failed, and nothing else of the credential.
type Attempt struct {
	Time      time.Time // UTC
	Tenant    string
	Scheme    string     // empty: no credential was read
	KeyID     string     // the existing key that the credential named, even where its proof failed; empty: none
	Principal string     // id of the principal it speaks for, where the proof held; empty: none
	Peer      netip.Addr // without its zone; invalid: unknown
	UserAgent string
	Outcome   string // "granted" or the code of a [Reason]
}

// AttemptQuery selects attempts for a list. Zero fields do not select.
type AttemptQuery struct {
	Tenant string // required
	KeyID  string
	Limit  int // rows at most; zero: all
}

// AttemptStore keeps attempts, apart from the chain of events. Implementations pass
// gatehousetest.AttemptStore.
type AttemptStore interface {
	// InsertAttempts adds attempts, all or none. Text that no engine keeps is replaced
	// (U+FFFD).
	InsertAttempts(ctx context.Context, as []Attempt) error

	// ListAttempts reads attempts, newest first.
	ListAttempts(ctx context.Context, q AttemptQuery) ([]Attempt, error)

	// PurgeAttempts deletes the oldest attempts of all tenants that were made before a
	// time: some thousands with one call, so that nobody waits long for it.
	PurgeAttempts(ctx context.Context, before time.Time) error
}

// AuditStore keeps the chain of events. Implementations pass gatehousetest.AuditStore.
type AuditStore interface {
	// AppendEvent stores an event that changes nothing else, such as a refused attempt.
	AppendEvent(ctx context.Context, e *Event) error

	// ListEvents reads events, newest first unless the query says otherwise, and how
	// many there are in all.
	ListEvents(ctx context.Context, q EventQuery) (events []Event, total int, err error)
}

// DataKey is a data-encryption key (DEK), wrapped under a key-encryption key (KEK).
type DataKey struct {
	ID      string
	Tenant  string
	Purpose string
	KEK     string // id of the KEK that wraps it
	Wrapped []byte
	Created time.Time
}

// DataKeyStore keeps wrapped data keys for a [Sealer].
type DataKeyStore interface {
	// DataKeys reads all data keys, newest first. It reads what was last acknowledged by
	// any node, never a replica that lags.
	DataKeys(ctx context.Context) ([]DataKey, error)

	// InsertDataKey adds a data key. ErrExists when its id is taken.
	InsertDataKey(ctx context.Context, k *DataKey, e *Event) error

	// RewrapDataKey replaces Wrapped and KEK of a data key whose KEK is oldKEK.
	// ErrNotFound when there is none.
	RewrapDataKey(ctx context.Context, k *DataKey, oldKEK string, e *Event) error
}

// SigningKey is a private key that signs assertions, sealed, with its public half.
type SigningKey struct {
	ID        string // RFC 7638 thumbprint
	Tenant    string
	Algorithm string // JWS name: "ES256", "RS256"
	Private   Sealed // PKCS #8, sealed with purpose "signing-key"
	Public    []byte // PKIX
	Created   time.Time
	Signs     time.Time // when it begins to sign; zero: when it was made
	Retires   time.Time // when it stops signing; zero: not planned
}

// SigningKeyStore keeps signing keys.
type SigningKeyStore interface {
	// SigningKeys reads all signing keys of a tenant, newest first.
	SigningKeys(ctx context.Context, tenant string) ([]SigningKey, error)

	// InsertSigningKey adds a signing key. ErrExists when its id is taken.
	InsertSigningKey(ctx context.Context, k *SigningKey, e *Event) error

	// RetireSigningKey sets when a signing key stops signing. ErrNotFound.
	RetireSigningKey(ctx context.Context, tenant, id string, retires time.Time, e *Event) error

	// DeleteSigningKey takes a signing key away. ErrNotFound.
	DeleteSigningKey(ctx context.Context, tenant, id string, e *Event) error
}

// Sealed is a sealed secret and the name of the data key that opens it.
type Sealed struct {
	Ref  string
	Data []byte
}

// Binding says what a sealed secret belongs to. It is authenticated with the
// ciphertext: bytes moved to another row, purpose or version do not open.
type Binding struct {
	Purpose string // such as "key-secret" or "totp"
	Tenant  string
	ID      string // the row's id
	Version int64
}

// Sealer encrypts secrets at rest. Implementations pass gatehousetest.Sealer.
// Errors wrap [ErrUnavailable] where a dependency failed; a ciphertext that does not
// open is an error too, never an empty secret.
type Sealer interface {
	// Seal encrypts plaintext, bound to b. An empty plaintext, and a binding without
	// purpose, tenant or id, is an error.
	Seal(ctx context.Context, b Binding, plaintext []byte) (Sealed, error)

	// Open decrypts s, which must have been sealed with the same binding.
	Open(ctx context.Context, b Binding, s Sealed) ([]byte, error)
}
