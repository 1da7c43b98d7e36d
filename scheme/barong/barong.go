// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package barong is the scheme of Barong's API keys: three header fields, where the
// signature is HMAC-SHA256 over the nonce and the key id.
//
// It covers nothing of the request itself: whoever sees the three fields before they
// are used can send any other request with them. That is why each nonce counts once.
package barong

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Name is the scheme's name.
const Name = "barong"

// The header fields of the scheme, in canonical form.
const (
	HeaderKey       = "X-Auth-Apikey"
	HeaderNonce     = "X-Auth-Nonce"
	HeaderSignature = "X-Auth-Signature"
)

// DefaultWindow is how far a nonce may be from the server's time, in Barong's default
// configuration. A distance of exactly the window is refused.
const DefaultWindow = 5000 * time.Millisecond

// Scheme is the scheme with its settings. The zero value has a window of zero and
// refuses every credential; use [New].
type Scheme struct {
	window time.Duration
	repeat bool
}

// Options are the scheme's settings. The zero value is Barong's window and nonces
// that count once.
type Options struct {
	Window time.Duration // zero: DefaultWindow
	Repeat bool          // nonces may repeat inside the window, as Barong allows
}

// New makes the scheme.
func New(o Options) *Scheme {
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	return &Scheme{window: o.Window, repeat: o.Repeat}
}

// Name returns "barong".
func (*Scheme) Name() string { return Name }

// Kinds are [gatehouse.MaterialSealed]: the secret is needed to compute a MAC.
func (*Scheme) Kinds() []gatehouse.MaterialKind { return kinds }

// SharesSecret is true: the MAC is over a time and the key id.
func (*Scheme) SharesSecret() bool { return true }

// WantsBody is false: the signature covers nothing of the request.
func (*Scheme) WantsBody(*gatehouse.Request) bool { return false }

// Challenge names the scheme. Barong itself sends none; its door does not use this one.
func (*Scheme) Challenge() gatehouse.Header { return challenge }

var (
	kinds     = []gatehouse.MaterialKind{gatehouse.MaterialSealed}
	challenge = gatehouse.Header{"Www-Authenticate": {`Barong realm="gatehouse"`}}
)

// Extract reads the three header fields. One or two of them, a blank one, or one sent
// twice is malformed. A nonce that is no number of milliseconds is left for Prove to
// refuse, because an unknown key is told first.
func (s *Scheme) Extract(r *gatehouse.Request) (gatehouse.Credential, gatehouse.Presence) {
	var v [3]string
	missing, spoiled := 0, false
	for i, name := range [...]string{HeaderKey, HeaderNonce, HeaderSignature} {
		value, ok, twice := r.Header.One(name)
		if !ok && !twice {
			missing++
		}
		spoiled = spoiled || twice || strings.TrimSpace(value) == ""
		v[i] = value
	}
	switch {
	case missing == len(v):
		return gatehouse.Credential{}, gatehouse.CredentialAbsent
	case spoiled:
		return gatehouse.Credential{}, gatehouse.CredentialMalformed
	}
	c := gatehouse.Credential{KeyID: v[0], Proof: v[2], Window: s.window}
	if at, ok := ParseNonce(v[1]); ok {
		c.Time = at
		c.Nonce = v[1]
	}
	if s.repeat && c.Nonce != "" {
		// The time still bounds the credential; nothing is remembered.
		c.Nonce = ""
	}
	return c, gatehouse.CredentialPresent
}

// ParseNonce reads a nonce: the time of the request in milliseconds since 1970 as 1 to
// 15 decimal digits without a leading zero. One spelling for one number means that no
// second spelling of a used nonce can pass.
func ParseNonce(text string) (time.Time, bool) {
	if len(text) == 0 || len(text) > 15 || text[0] == '0' {
		return time.Time{}, false
	}
	var ms int64
	for i := range len(text) {
		d := text[i] - '0'
		if d > 9 {
			return time.Time{}, false
		}
		ms = ms*10 + int64(d)
	}
	return time.UnixMilli(ms).UTC(), true
}

// Prove compares the signature with the lower-case hex HMAC-SHA256 of nonce and key
// id under the secret's text.
func (*Scheme) Prove(r *gatehouse.Request, c gatehouse.Credential, _ *gatehouse.Key, _ *gatehouse.Material, opened []byte) bool {
	nonce, _, _ := r.Header.One(HeaderNonce)
	mac := hmac.New(sha256.New, opened)
	mac.Write([]byte(nonce))
	mac.Write([]byte(c.KeyID))
	var sum [sha256.Size]byte
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], mac.Sum(sum[:0]))
	// The time is zero when the nonce is no number; such a proof holds nothing. Nor does
	// one under an empty secret, which anybody could compute.
	return hmac.Equal(want[:], []byte(c.Proof)) && !c.Time.IsZero() && len(opened) > 0
}

// Sign returns the signature of a nonce and key id, as clients compute it.
func Sign(secret, nonce, keyID string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(nonce + keyID))
	return hex.EncodeToString(mac.Sum(nil))
}

// Mint makes a key id of 16 and a secret of 32 lower-case hex digits.
func (*Scheme) Mint(keyID, _ string) (gatehouse.Minted, error) {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand documents it
	if keyID == "" {
		keyID = hex.EncodeToString(b[:8])
	}
	return gatehouse.Minted{KeyID: keyID, Secret: gatehouse.NewSecret(hex.EncodeToString(b[8:]))}, nil
}
