// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package intake reads keys out of other systems' stores, so that they can be taken
// over. It only reads: what a key becomes here is decided by gatehouse.Authority.Adopt.
//
// [Shield] is a database of CodeIgniter Shield, [Prefixed] a file of prefixed API keys.
// Both tell how many rows there are and yield them one by one. A row that cannot be
// taken over says why, and the next one follows; an error ends the reading. No problem
// and no error holds a secret, a hash or a password.
package intake

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// Row is one key of another system. With a Problem it holds what could be read. All
// times are UTC; zero: not known.
type Row struct {
	Source   string           // where it stands: "auth_identities 7", "line 12"
	Owner    Owner            // whom the key speaks for
	Name     string           // free text for people, as stored; may be empty
	Prefix   string           // first part of a printable token; empty for Shield
	KeyID    string           // the public name, as its holder uses it
	Secret   gatehouse.Secret // from Shield; empty where only a hash is known
	Hash     []byte           // of a prefixed key's long token; empty for Shield
	HashName string           // of Hash: "sha-224", "sha-256", "sha-384", "sha-512", "sha-512-224" or "sha-512-256"
	Scopes   []string         // as stored; empty: none
	Created  time.Time
	Updated  time.Time
	LastUsed time.Time
	Expires  time.Time // exclusive; zero: never
	Problem  string    // why the row cannot be taken over, in words; empty: nothing speaks against it
}

// Owner is whom a key of another system speaks for.
type Owner struct {
	ExternalID string // the other system's id of it
	Username   string
	Email      string
	// State is empty where the source does not tell. A Shield user who is not active is
	// pending: like ours, its keys work.
	State gatehouse.PrincipalState
}

// What a row may hold, so that one cannot fill the request that takes it over with
// others. The ground takes no more either.
const (
	maxName = 255 // characters of a name
	maxID   = 128 // bytes of a key id and of a prefix
	maxText = 255 // bytes of a secret, and of each name of an owner
)

// problems collects what speaks against a row.
type problems []string

// add notes a problem of a field; an empty problem is none.
func (p *problems) add(field, problem string) {
	if problem != "" {
		*p = append(*p, field+": "+problem)
	}
}

// err notes an error, which must hold nothing secret.
func (p *problems) err(field string, err error) {
	if err != nil {
		p.add(field, err.Error())
	}
}

// scopes notes what [gatehouse.ParseScopes] says against the words.
func (p *problems) scopes(words []string) {
	if _, err := gatehouse.ParseScopes(words); err != nil {
		*p = append(*p, err.Error())
	}
}

// size notes a text that is longer than most bytes.
func (p *problems) size(field, text string, most int) {
	if len(text) > most {
		p.add(field, fmt.Sprintf("longer than %d bytes", most))
	}
}

// name notes a name that no key can have here.
func (p *problems) name(name string) {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		p.add("name", "longer than 255 characters, or holds control characters")
	}
}

// owner notes names of an owner that are too long.
func (p *problems) owner(o *Owner) {
	for _, text := range []string{o.ExternalID, o.Username, o.Email} {
		p.size("owner", text, maxText)
	}
}

func (p problems) String() string { return strings.Join(p, "; ") }
