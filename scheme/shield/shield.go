// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package shield is the scheme of CodeIgniter Shield's HMAC keys: one header field with
// the key id and the HMAC-SHA256 of the body.
//
// The signature covers the body and nothing else, and it never expires: whoever sees one
// can send that body again, to any address, for as long as the key lives. It proves that
// the body is whole, no more. For new clients prefer RFC 9421.
package shield

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/textproto"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// Name is the scheme's name.
const Name = "shield"

// DefaultHeader is the header field of the credential where no other is named.
const DefaultHeader = "Authorization"

const (
	word     = "HMAC-SHA256" // begins the header field; its case matters
	phpInput = "php://input" // what PHP signs in place of a multipart body

	idDigits    = 32  // of a key id that Mint or Shield made
	proofDigits = 64  // of a signature
	maxIDLen    = 128 // of a key id, as the ground has it
)

// Scheme is the scheme with its settings; use [New].
type Scheme struct {
	header   string
	phpInput bool
}

// Options are the scheme's settings. The zero value reads Authorization and takes no
// signature but of the true body.
type Options struct {
	Header string // header field that carries the credential, and no other does; empty: DefaultHeader
	// PHPInput also accepts, for multipart/form-data, the signature that Shield expects
	// there: that of the text "php://input". Such a body is not authenticated.
	PHPInput bool
}

// New makes the scheme.
func New(o Options) *Scheme {
	if o.Header == "" {
		o.Header = DefaultHeader
	}
	return &Scheme{header: textproto.CanonicalMIMEHeaderKey(o.Header), phpInput: o.PHPInput}
}

// Name returns "shield".
func (*Scheme) Name() string { return Name }

// Kinds are [gatehouse.MaterialSealed]: the secret is needed to compute a MAC.
func (*Scheme) Kinds() []gatehouse.MaterialKind { return kinds }

// SharesSecret is false: the MAC is over the body, which others may choose, and could be
// the base of another scheme's signature.
func (*Scheme) SharesSecret() bool { return false }

// WantsBody is true for a request with a credential: the body is what it signs.
func (s *Scheme) WantsBody(r *gatehouse.Request) bool {
	_, found := s.Extract(r)
	return found == gatehouse.CredentialPresent
}

// Challenge names the scheme. Shield itself sends none.
func (*Scheme) Challenge() gatehouse.Header { return challenge }

var (
	kinds     = []gatehouse.MaterialKind{gatehouse.MaterialSealed}
	challenge = gatehouse.Header{"Www-Authenticate": {word + ` realm="gatehouse"`}}
)

// Extract reads the header field. Another scheme's field is none of ours; the field sent
// twice is malformed. A body that did not arrive speaks against the credential.
func (s *Scheme) Extract(r *gatehouse.Request) (gatehouse.Credential, gatehouse.Presence) {
	value, ok, twice := r.Header.One(s.header)
	switch {
	case twice:
		return gatehouse.Credential{}, gatehouse.CredentialMalformed
	case !ok:
		return gatehouse.Credential{}, gatehouse.CredentialAbsent
	}
	id, proof, found := read(strings.Trim(value, " \t"))
	if found != gatehouse.CredentialPresent {
		return gatehouse.Credential{}, found
	}
	c := gatehouse.Credential{KeyID: id, Proof: proof}
	switch {
	case s.placeholder(r):
		// Which of two texts was signed is not known yet: nothing is said of the body.
		c.Body = gatehouse.BodyUnavailable
	case r.Body.State == gatehouse.BodyPresent:
		c.Body = gatehouse.BodyVerified
	default:
		c.Flaw = gatehouse.ReasonBodyUnavailable
	}
	return c, found
}

// read splits a value into key id and signature as Shield does: the word, then pieces
// between colons, of which empty ones and those after the second do not count.
func read(value string) (id, proof string, found gatehouse.Presence) {
	rest, worded := strings.CutPrefix(value, word)
	if !worded {
		return readBare(value)
	}
	pieces := strings.FieldsFunc(strings.Trim(rest, " \t"), func(r rune) bool { return r == ':' })
	if len(pieces) < 2 || !plainID(pieces[0]) {
		return "", "", gatehouse.CredentialMalformed
	}
	return pieces[0], pieces[1], gatehouse.CredentialPresent
}

// readBare reads a value without the word, which Shield takes too. Its exact form keeps
// it apart from every other scheme's credential.
func readBare(value string) (id, proof string, found gatehouse.Presence) {
	id, proof, _ = strings.Cut(value, ":")
	switch {
	case lowerHex(id, idDigits) && lowerHex(strings.ToLower(proof), proofDigits):
		return id, proof, gatehouse.CredentialPresent
	case len(value) >= len(word) && strings.EqualFold(value[:len(word)], word):
		return "", "", gatehouse.CredentialMalformed
	default:
		return "", "", gatehouse.CredentialAbsent
	}
}

// plainID reports whether id is at most 128 printable ASCII characters without space.
func plainID(id string) bool {
	return len(id) <= maxIDLen && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func lowerHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// placeholder reports whether the body's signature may be that of "php://input": where
// Content-Type holds the lower-case words anywhere, as CodeIgniter looks for them.
func (s *Scheme) placeholder(r *gatehouse.Request) bool {
	if !s.phpInput {
		return false
	}
	value, _, _ := r.Header.One("Content-Type")
	return strings.Contains(value, "multipart/form-data")
}

// Prove compares the signature with that of the body. A body that did not arrive is no
// empty body.
func (s *Scheme) Prove(r *gatehouse.Request, c gatehouse.Credential, _ *gatehouse.Key, _ *gatehouse.Material, opened []byte) bool {
	sound := false
	if r.Body.State == gatehouse.BodyPresent {
		want := signature(opened, r.Body.Bytes)
		sound = hmac.Equal(want[:], []byte(c.Proof))
	}
	if s.placeholder(r) {
		want := signature(opened, []byte(phpInput))
		sound = hmac.Equal(want[:], []byte(c.Proof)) || sound
	}
	// A signature under an empty secret could be anybody's.
	return sound && len(opened) > 0
}

// signature is the lower-case hex HMAC-SHA256 of a body. The secret is its text: Shield
// does not decode the base64.
func signature(secret, body []byte) (text [proofDigits]byte) {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	var sum [sha256.Size]byte
	hex.Encode(text[:], mac.Sum(sum[:0]))
	return text
}

// Sign returns the signature of a body, as clients compute it.
func Sign(secret string, body []byte) string {
	text := signature([]byte(secret), body)
	return string(text[:])
}

// Header returns the header field's value for a signature, as clients send it.
func Header(keyID, signature string) string { return word + " " + keyID + ":" + signature }
