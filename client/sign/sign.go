// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package sign puts API keys on outgoing requests. There is a [Scheme] for each way of
// presenting a key, and a [Transport] makes every http.Client use one:
//
//	t, err := sign.New("https://api.example.com", sign.Bearer(token), sign.Options{})
//	client := &http.Client{Transport: t}
//
// A transport signs for one origin and refuses every other, so that no redirect carries
// a key elsewhere.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/httpsig"
)

// Errors of schemes and transports, compared with errors.Is. None holds anything of a
// key.
var (
	// ErrCredential: the key id, secret or token is empty, or not printable ASCII without
	// blanks.
	ErrCredential = errors.New("key id, secret or token is empty or not printable")
	// ErrTooFast: the scheme's nonces count milliseconds, and they are a second ahead of
	// the clock.
	ErrTooFast = errors.New("more requests than one a millisecond, or the clock was set back")
	// ErrOrigin: the request is for another origin than the transport's.
	ErrOrigin = errors.New("the key is not for this origin")
	// ErrPlainHTTP: the origin is http:// and not this machine.
	ErrPlainHTTP = errors.New("a key is not sent over http:// beyond this machine")
	// ErrBodyTooLong: the scheme signs the body, and it is longer than allowed.
	ErrBodyTooLong = errors.New("the body is too long to be signed")
)

// Scheme puts one key on requests. It is safe for concurrent use. The schemes of this
// package print nothing of the key.
type Scheme interface {
	// CoversBody reports whether Sign needs the body.
	CoversBody() bool

	// Sign sets the header fields of the scheme, in place of what they held, on a client's
	// request with an absolute URL and a header. body is the whole body if CoversBody, else
	// nil. [ErrCredential]; [ErrTooFast]; for HTTPSig, what [httpsig.Signer.SignRequest]
	// changes and returns.
	Sign(r *http.Request, body []byte) error
}

// scheme hides the key in a closure, where fmt, slog and encoding/json cannot look.
type scheme struct {
	body bool
	sign func(r *http.Request, body []byte) error
}

func (s *scheme) CoversBody() bool                        { return s.body }
func (s *scheme) Sign(r *http.Request, body []byte) error { return s.sign(r, body) }

// Bearer presents a printable token: Authorization: Bearer TOKEN (RFC 6750 section 2.1).
func Bearer(token gatehouse.Secret) Scheme {
	return &scheme{sign: func(r *http.Request, _ []byte) error {
		if err := usable(token.Reveal()); err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		return nil
	}}
}

// Barong presents a key as Barong's clients do: three header fields, the signature over
// a nonce and the key id. It covers nothing of the request. A nonce is the time in
// milliseconds, and no two requests of one scheme have the same: beyond 1,000 requests a
// second the nonces run ahead of the clock, and a second ahead Sign returns [ErrTooFast].
func Barong(keyID string, secret gatehouse.Secret) Scheme {
	var nonces nonces
	return &scheme{sign: func(r *http.Request, _ []byte) error {
		if err := usable(keyID, secret.Reveal()); err != nil {
			return err
		}
		nonce, err := nonces.next()
		if err != nil {
			return err
		}
		r.Header.Set("X-Auth-Apikey", keyID)
		r.Header.Set("X-Auth-Nonce", nonce)
		r.Header.Set("X-Auth-Signature", mac(secret, []byte(nonce+keyID)))
		return nil
	}}
}

// Shield presents a key as clients of CodeIgniter Shield do: Authorization: HMAC-SHA256
// KEY:MAC, the MAC over the bytes of the body and nothing else. A multipart body is
// signed as it is sent, unlike Shield itself, which signs a placeholder.
func Shield(keyID string, secret gatehouse.Secret) Scheme {
	return &scheme{body: true, sign: func(r *http.Request, body []byte) error {
		if err := usable(keyID, secret.Reveal()); err != nil {
			return err
		}
		r.Header.Set("Authorization", "HMAC-SHA256 "+keyID+":"+mac(secret, body))
		return nil
	}}
}

// HTTPSig signs requests after RFC 9421, with method, authority, path, query and body
// covered unless the signer says otherwise. It keeps the signer, which must not change.
func HTTPSig(s *httpsig.Signer) Scheme { return &scheme{body: true, sign: s.SignRequest} }

// mac is the lower-case hex HMAC-SHA256 under the secret's text.
func mac(secret gatehouse.Secret, data []byte) string {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// usable refuses what could not be sent, or would end a header field early.
func usable(parts ...string) error {
	for _, part := range parts {
		if part == "" {
			return ErrCredential
		}
		for i := range len(part) {
			if part[i] <= ' ' || part[i] > '~' {
				return ErrCredential
			}
		}
	}
	return nil
}
