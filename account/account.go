// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package account is the second ground: people and service accounts, how people
// prove who they are, and the sessions that follow from it.
//
// Its hot verb is [Directory.SignIn]. One function issues sessions, so that no way
// in can forget a factor. Like the root package it names its needs as interfaces
// ([Store], [SessionStore], [TicketStore]); stores fill them and pass the suite
// gatehousetest.AccountStore.
package account

import (
	"time"

	"github.com/seed14544106/gatehouse"
)

// Account is a person's account or a service account.
type Account struct {
	ID       string // made by us, never shown to strangers
	Tenant   string
	Kind     gatehouse.PrincipalKind
	UID      string // the name people and services see, such as ID0123456789
	Email    string // lower case
	Username string // empty: none
	Owner    string // id of the account that owns a service account; empty for people
	Role     string
	Level    int
	State    gatehouse.PrincipalState
	Data     string // free JSON text of the front end; empty: none
	Referral string // id of the account that referred it; empty: none
	Labels   []Label
	Limits   []gatehouse.Limit // of all its keys together; empty: none

	PasswordHash string // PHC text; empty: no password, so no sign-in
	OTP          bool   // the second factor is on
	// TOTP is the sealed secret, bound to purpose "totp", the account's id and
	// TOTPVersion. It is there before OTP is on, while the person enrols.
	TOTP        gatehouse.Sealed
	TOTPVersion int64 // grows with every new TOTP secret

	Created time.Time
	Updated time.Time
	Version int64 // grows by one with every change; guards updates
}

// Principal returns what a decision needs to know of the account.
func (a *Account) Principal() gatehouse.Principal {
	return gatehouse.Principal{
		ID: a.ID, Tenant: a.Tenant, Kind: a.Kind, UID: a.UID, Email: a.Email, Username: a.Username,
		Role: a.Role, Level: a.Level, State: a.State, Referral: a.Referral, SecondFactor: a.OTP, Limits: a.Limits, Version: a.Version,
	}
}

// Label is a mark on an account. Private labels are ours to set and drive the
// account's state; public ones are the holder's.
type Label struct {
	Key     string    `json:"key"`
	Value   string    `json:"value"`
	Scope   string    `json:"scope"` // "private" or "public"
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Session is a signed-in browser or script. Its id is known to the client alone;
// the store keeps the hash.
type Session struct {
	Hash      []byte // SHA-256 of the id
	Tenant    string
	Account   string // account id
	CSRF      string // 20 hex digits, constant for the session
	Address   string // the address it was opened from
	UserAgent string // the user agent it was opened with, exact
	Factor    bool   // a second factor was proven
	Created   time.Time
	Seen      time.Time // last use, as far as it was written down
	Idle      time.Time // dead from here on unless used before
	Expires   time.Time // dead from here on in any case
}
