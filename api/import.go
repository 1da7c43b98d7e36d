// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Import asks to take over keys that another system issued, at most 1,000: all of them,
// or none where one is refused. Doing it again changes nothing.
type Import struct {
	Scheme string `json:"scheme"`
	DryRun bool   `json:"dry_run,omitempty" doc:"only tell what would become of them"`

	// ExistingOwners lets keys go to ordinary accounts that no import has made; without it
	// they are refused.
	ExistingOwners bool `json:"existing_owners,omitempty"`

	Owners []ImportOwner `json:"owners"`
	Keys   []ImportKey   `json:"keys"`
}

// ImportOwner is an owner of imported keys. Where no account has its e-mail address one
// is made, without a password. An account that is there already is taken where an import
// has made it for the same Origin, or by ExistingOwners; never where its role is not
// "member", or where it may act and State says that the owner may not.
type ImportOwner struct {
	Email    string `json:"email" doc:"or the uid of an account that is there"`
	Username string `json:"username,omitempty" doc:"left out where it is taken or our rules refuse it"`
	State    string `json:"state,omitempty" doc:"of a new account; default 'active'"`
	Origin   string `json:"origin,omitempty" doc:"names the owner in the other system, such as 'shield:17'"`
}

// ImportKey is one key with what checks it: a secret, or a hash of one.
type ImportKey struct {
	ID       string     `json:"kid"`
	Owner    string     `json:"owner" doc:"email of one of the owners"`
	Name     string     `json:"name,omitempty"`
	Prefix   string     `json:"prefix,omitempty"`
	Scopes   []string   `json:"scopes"`
	Secret   string     `json:"secret,omitempty"`
	Hash     []byte     `json:"hash,omitempty"`
	HashName string     `json:"hash_name,omitempty" doc:"such as 'sha-512'; empty: SHA-256"`
	Created  *time.Time `json:"created,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Unused   int64      `json:"unused_s,omitempty" doc:"seconds it may lie unused; 0: for ever"`
}

// Imported is the answer to an Import.
type Imported struct {
	Written bool     `json:"written"`
	Owners  []string `json:"new_owners,omitempty" doc:"for whom accounts were made, or would be" nullable:"false"`
	// Existing are the accounts that were there already and were no import's.
	Existing []string      `json:"existing_owners,omitempty" nullable:"false"`
	Keys     []ImportedKey `json:"keys" doc:"in the order asked" nullable:"false"`
}

// ImportedKey is what became of one key.
type ImportedKey struct {
	ID      string `json:"kid"`
	Outcome string `json:"outcome" doc:"'new', 'same' (imported before) or 'refused'" enum:"new,same,refused"`
	Problem string `json:"problem,omitempty" doc:"why it was refused"`
}
