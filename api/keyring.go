// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// KeyringKey is a key of the keyring, without its material.
type KeyringKey struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"kek,pepper,root"`
	Algorithm string    `json:"algorithm"`
	Source    string    `json:"source" doc:"'inline', or file:, env: or vault: and a place; away from the admin socket 'inline', 'file', 'env' or 'vault'"`
	Rank      string    `json:"rank" enum:"primary,active"`
	Created   time.Time `json:"created"`
	DataKeys  int       `json:"data_keys" doc:"of a KEK: data keys that it wraps"`
	Records   int       `json:"records" doc:"of a KEK: secrets sealed with these; of a pepper: digests made with it"`
}

// Keyring is the keyring, and how far a rewrap has come.
type Keyring struct {
	Keys       []KeyringKey `json:"keys" nullable:"false"`
	Unreadable int          `json:"unreadable,omitempty" doc:"rows of keys that are damaged and count nowhere; no pepper is retired while there are any"`
	Rewrap     Rewrap       `json:"rewrap"`
}

// NewKeyringKey asks for a key in the keyring.
type NewKeyringKey struct {
	Kind      string `json:"kind,omitempty" doc:"'kek' (default) or 'pepper'"`
	Algorithm string `json:"algorithm,omitempty" doc:"of a KEK: 'aes-256-gcm' (default), 'xchacha20-poly1305', or 'vault-transit' for one in Vault"`
	ID        string `json:"id,omitempty" doc:"default: a random one"`
	Source    string `json:"source,omitempty" doc:"file:PATH, env:PATH#NAME or vault:MOUNT/NAME; default: fresh random bytes in the keyring file"`
	Primary   bool   `json:"primary,omitempty" doc:"new things are made with it from now on"`
}

// Rewrap is how far the server is in bringing everything under the primary KEK.
type Rewrap struct {
	State   string `json:"state" enum:"none,running,done,failed"`
	KEK     string `json:"kek,omitempty" doc:"what everything comes under"`
	Done    int    `json:"done" doc:"rows read in the pass that is under way or was the last"`
	Total   int    `json:"total" doc:"rows in all"`
	Sealed  int    `json:"sealed" doc:"rows that were sealed again"`
	Broken  int    `json:"broken" doc:"secrets that do not open and stay as they are"`
	Problem string `json:"problem,omitempty" doc:"what keeps it from going on, or ended it"`
}
