// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpsig is the scheme of RFC 9421 HTTP Message Signatures: the signature covers
// the method, the whole target, the authority and, by RFC 9530 Content-Digest, the body.
// The algorithms are hmac-sha256 with a secret of ours, and ed25519 and
// ecdsa-p256-sha256 with a public key, where the secret never reaches us.
package httpsig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/httpsig"
)

// Name is the scheme's name.
const Name = "httpsig"

// Options are the scheme's settings. The zero value is the strict default of
// [httpsig.Policy].
type Options struct {
	Tag         string        // only signatures with this tag are ours; empty: there is one signature, and it is ours
	MaxAge      time.Duration // zero: a minute
	Skew        time.Duration // how far created may be ahead; zero: 5 s
	NonceAlways bool          // demand a nonce for reads too
}

// Scheme is the scheme with its settings; use [New].
type Scheme struct {
	policy    httpsig.Policy
	challenge gatehouse.Header
	decoys    map[string][]byte // public keys of nobody, by algorithm
}

// New makes the scheme.
func New(o Options) *Scheme {
	s := &Scheme{policy: httpsig.Policy{Tag: o.Tag, MaxAge: o.MaxAge, Skew: o.Skew, NonceAlways: o.NonceAlways}, decoys: decoys()}
	if s.policy.MaxAge <= 0 {
		s.policy.MaxAge = httpsig.DefaultMaxAge
	}
	if s.policy.Skew <= 0 {
		s.policy.Skew = httpsig.DefaultSkew
	}
	s.challenge = gatehouse.Header{
		"Www-Authenticate": {`Signature realm="gatehouse"`},
		"Accept-Signature": {s.policy.AcceptSignature("sig1", httpsig.BodyPresent)},
	}
	return s
}

// decoys makes a public key for each algorithm and forgets the private halves.
func decoys() map[string][]byte {
	edwards, _, _ := ed25519.GenerateKey(nil)                  // never fails with the system's randomness
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // nor does this
	out := map[string][]byte{}
	out[httpsig.Ed25519], _ = x509.MarshalPKIXPublicKey(edwards)
	out[httpsig.ECDSAP256SHA256], _ = x509.MarshalPKIXPublicKey(&p256.PublicKey)
	return out
}

// Name returns "httpsig".
func (*Scheme) Name() string { return Name }

// Kinds are [gatehouse.MaterialPublic] and [gatehouse.MaterialSealed], for hmac-sha256.
func (*Scheme) Kinds() []gatehouse.MaterialKind { return kinds }

var kinds = []gatehouse.MaterialKind{gatehouse.MaterialPublic, gatehouse.MaterialSealed}

// SharesSecret is true: a signature base begins with a quoted component.
func (*Scheme) SharesSecret() bool { return true }

// WantsBody is true for requests with a signature that could be good enough: whether there
// is a body decides what it must cover. For others no gate needs to hold a body.
func (s *Scheme) WantsBody(r *gatehouse.Request) bool {
	if len(r.Header["Signature-Input"]) == 0 {
		return false
	}
	m := message(r)
	m.Body = httpsig.BodyNone
	_, err := httpsig.Parse(&m, s.policy)
	return err == nil
}

// Challenge names the scheme, and says in Accept-Signature (RFC 9421 section 5) what a
// signature must cover.
func (s *Scheme) Challenge() gatehouse.Header { return s.challenge }

// Extract reads the one signature. A signature that covers less than it must has the flaw
// [gatehouse.ReasonInsufficientCoverage].
//
// The nonce is the signature's own. Without one, which the policy allows for reads, the
// signed text stands for it: the same text is the same request, and counts once.
func (s *Scheme) Extract(r *gatehouse.Request) (gatehouse.Credential, gatehouse.Presence) {
	if len(r.Header["Signature"]) == 0 && len(r.Header["Signature-Input"]) == 0 {
		return gatehouse.Credential{}, gatehouse.CredentialAbsent
	}
	m := message(r)
	sig, err := httpsig.Parse(&m, s.policy)
	var coverage *httpsig.CoverageError
	switch {
	case errors.Is(err, httpsig.ErrNoSignature):
		return gatehouse.Credential{}, gatehouse.CredentialAbsent
	case errors.As(err, &coverage):
		return gatehouse.Credential{Flaw: gatehouse.ReasonInsufficientCoverage}, gatehouse.CredentialPresent
	case err != nil:
		return gatehouse.Credential{}, gatehouse.CredentialMalformed
	}
	c := gatehouse.Credential{
		KeyID: sig.KeyID, Proof: string(sig.Value), Nonce: "n:" + sig.Nonce,
		Time: sig.Created, Window: s.policy.MaxAge, Ahead: s.policy.Skew, Expires: sig.Expires, Parsed: sig,
	}
	if sig.Nonce == "" {
		sum := sha256.Sum256(sig.Base())
		c.Nonce = "b:" + string(sum[:])
	}
	if sig.Covered("content-digest") {
		// What is handed on as proven must be a digest that the service can check.
		if _, err := httpsig.ParseContentDigest(r.Header["Content-Digest"]); err != nil {
			return gatehouse.Credential{}, gatehouse.CredentialMalformed
		}
		c.Digest = strings.Join(r.Header["Content-Digest"], ", ")
	}
	switch {
	case r.Body.State == gatehouse.BodyPresent:
		c.Body = gatehouse.BodyVerified
	case c.Digest != "":
		c.Body = gatehouse.BodyDeferred
	}
	return c, gatehouse.CredentialPresent
}

// message is the request as a signature covers it. Where the gate cannot tell the body
// of a read, and the fields announce none, none is assumed: the credential then says
// nothing of a body.
func message(r *gatehouse.Request) httpsig.Message {
	m := httpsig.Message{Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Target: r.Target, Header: r.Header}
	switch {
	case r.Body.State == gatehouse.BodyPresent && len(r.Body.Bytes) > 0:
		m.Body = httpsig.BodyPresent
	case r.Body.State == gatehouse.BodyPresent, isRead(r.Method) && !announcesBody(r.Header):
		m.Body = httpsig.BodyNone
	}
	return m
}

func isRead(method string) bool { return method == "GET" || method == "HEAD" || method == "OPTIONS" }

func announcesBody(h gatehouse.Header) bool {
	length := h["Content-Length"]
	return len(h["Transfer-Encoding"]) > 0 || len(length) > 1 || len(length) == 1 && length[0] != "0" && length[0] != ""
}

// signatureSize is the length of ed25519 and ecdsa-p256-sha256 signatures; a MAC has half.
const signatureSize = 64

// Prove checks the signature, and the body against its digest where both are there.
//
// A signature that does not hold costs the same whatever the key is: with 64 bytes one
// check of each public algorithm, else none.
func (s *Scheme) Prove(r *gatehouse.Request, c gatehouse.Credential, _ *gatehouse.Key, m *gatehouse.Material, opened []byte) bool {
	parsed, ok := c.Parsed.(*httpsig.Signature)
	if !ok {
		return false
	}
	sig := *parsed
	sig.Value = []byte(c.Proof)
	switch m.Kind {
	case gatehouse.MaterialSealed:
		key, err := httpsig.HMACKey(opened)
		return err == nil && sig.Verify(key) == nil && digestHolds(r, c.Digest)
	case gatehouse.MaterialPublic:
		return len(c.Proof) == signatureSize && s.holds(&sig, m.Data) && digestHolds(r, c.Digest)
	}
	return false
}

// holds checks the signature under a public key. Where it does not hold, the other
// algorithm's check is spent too.
func (s *Scheme) holds(sig *httpsig.Signature, der []byte) bool {
	key, err := httpsig.ParsePublicDER(der)
	if err == nil && sig.Verify(key) == nil {
		return true
	}
	for algorithm, decoy := range s.decoys {
		if err == nil && key.Algorithm() == algorithm {
			continue
		}
		if other, err := httpsig.ParsePublicDER(decoy); err == nil {
			_ = sig.Verify(other)
		}
	}
	return false
}

// digestHolds compares the body with the covered digest, where there is one and the gate
// supplies the bytes.
func digestHolds(r *gatehouse.Request, digest string) bool {
	if r.Body.State != gatehouse.BodyPresent || digest == "" {
		return true
	}
	return httpsig.CheckContentDigest(r.Header["Content-Digest"], r.Body.Bytes) == nil
}

// Mint makes a key id of 16 hex digits and a secret of 256 random bits in base64url. The
// secret's text is the key of the MAC.
func (*Scheme) Mint(keyID, _ string) (gatehouse.Minted, error) {
	var b [40]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand documents it
	if keyID == "" {
		keyID = hex.EncodeToString(b[:8])
	}
	return gatehouse.Minted{KeyID: keyID, Secret: gatehouse.NewSecret(base64.RawURLEncoding.EncodeToString(b[8:]))}, nil
}

// ParsePublic reads a public key in PEM (type PUBLIC KEY), ed25519 or ECDSA on P-256, and
// returns its DER form. *[gatehouse.InvalidError] with field "public_key".
func (*Scheme) ParsePublic(text string) ([]byte, error) {
	if _, err := httpsig.ParsePublicKey(text); err != nil {
		return nil, &gatehouse.InvalidError{Field: "public_key", Problem: "is no PEM of an ed25519 or P-256 public key"}
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM", httpsig.ErrKey)
	}
	return block.Bytes, nil
}

// DecoyPublic is a key that nobody has the private half of.
func (s *Scheme) DecoyPublic() []byte { return s.decoys[httpsig.Ed25519] }
