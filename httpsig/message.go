// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Errors about a message and its signature, compared with errors.Is. Nothing in them
// or around them repeats a value of the message.
var (
	// ErrNoSignature: neither Signature nor Signature-Input is there, or no signature has
	// the tag that the policy asks for.
	ErrNoSignature = errors.New("no signature")
	// ErrAmbiguous: more than one signature could be meant.
	ErrAmbiguous = errors.New("more than one signature")
	// ErrMalformed: a field cannot be read, or is outside the limits of this package.
	ErrMalformed = errors.New("malformed")
	// ErrMissing: a component is covered, but the message does not have it.
	ErrMissing = errors.New("not in the message")
	// ErrUnsupported: a component or its parameter is unknown, not for requests, or not
	// implemented here.
	ErrUnsupported = errors.New("not supported")
	// ErrRepeated: a query parameter is covered that occurs more than once.
	ErrRepeated = errors.New("occurs more than once")
	// ErrNoScheme: a covered component needs the scheme, which the message does not tell.
	ErrNoScheme = errors.New("needs the scheme of the request")
	// ErrValue: a value cannot be signed: it is not printable ASCII, or contradicts
	// another one.
	ErrValue = errors.New("value cannot be signed")
	// ErrStale: the signature is older than the policy allows.
	ErrStale = errors.New("signature is too old")
	// ErrExpired: the signature says itself that it is over.
	ErrExpired = errors.New("signature has expired")
	// ErrFuture: the signature was created later than now and the allowed skew.
	ErrFuture = errors.New("signature is from the future")
	// ErrAlgorithm: the signature names another algorithm than the key's.
	ErrAlgorithm = errors.New("signature names another algorithm than the key's")
	// ErrInvalid: the signature does not hold.
	ErrInvalid = errors.New("signature does not hold")
	// ErrReplayed: the nonce was used before.
	ErrReplayed = errors.New("nonce was used before")
	// ErrDigest: the body is not the one that Content-Digest tells.
	ErrDigest = errors.New("body does not match its digest")
	// ErrNoDigest: Content-Digest has no algorithm that is known here.
	ErrNoDigest = errors.New("no digest of a known algorithm")
)

// ComponentError says which component of a message cannot be part of the signature
// base. It wraps [ErrMissing], [ErrUnsupported], [ErrRepeated], [ErrNoScheme],
// [ErrValue] or [ErrMalformed].
type ComponentError struct {
	Component string // its name, such as "@authority"; never its value
	Err       error
}

// Error implements error.
func (e *ComponentError) Error() string { return fmt.Sprintf("component %q: %v", e.Component, e.Err) }

// Unwrap returns the reason.
func (e *ComponentError) Unwrap() error { return e.Err }

// Body says what is known about the body of a message. The zero value is BodyUnknown,
// which is treated like a body that is there.
type Body uint8

// What can be known of a body.
const (
	BodyUnknown Body = iota
	BodyPresent
	BodyNone
)

// Message is what a signature can cover of a request, as it came over the wire: raw,
// not decoded, not normalised.
type Message struct {
	Method    string              // as sent
	Scheme    string              // "http" or "https", as the client used it; empty: not known
	Authority string              // Host or :authority
	Target    string              // the request target of the first line
	Header    map[string][]string // canonical names, as in http.Header; lines in their order
	Body      Body
}

// MessageOf returns the message of a request, of a server or of a client. Its header
// is that of r, not a copy. The scheme of a server's request is that of its
// connection: behind a proxy that ends TLS the caller must correct it. Host is not in
// the header of an http.Request: "@authority" covers it.
func MessageOf(r *http.Request) Message {
	m := Message{Method: r.Method, Scheme: r.URL.Scheme, Authority: r.Host, Target: r.RequestURI, Header: r.Header, Body: BodyPresent}
	if m.Method == "" {
		m.Method = http.MethodGet
	}
	if m.Authority == "" {
		m.Authority = r.URL.Host
	}
	if r.Body == nil || r.Body == http.NoBody {
		m.Body = BodyNone
	}
	switch {
	case m.Target == "":
		m.Target = r.URL.RequestURI() // a client's
	case r.TLS != nil:
		m.Scheme = "https"
	default:
		m.Scheme = "http"
	}
	return m
}

// origin returns path and query of the target; the path is "/" where it is empty, the
// query begins with "?" or is empty. The target in absolute form must agree with
// scheme and authority: who routes by one of the two must not be told the other.
func (m *Message) origin() (path, query string, err error) {
	t := m.Target
	if t == "" {
		return "", "", ErrMissing
	}
	if t[0] != '/' {
		scheme, rest, ok := strings.Cut(t, "://")
		if !ok {
			return "", "", ErrValue
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		inside := Message{Scheme: scheme, Authority: rest[:end]}
		a, err := inside.authority()
		if b, _ := m.authority(); err != nil || a != b || !strings.EqualFold(scheme, m.Scheme) {
			return "", "", ErrValue
		}
		t = rest[end:]
	}
	path = t
	if i := strings.IndexByte(t, '?'); i >= 0 {
		path, query = t[:i], t[i:]
	}
	if path == "" {
		path = "/"
	}
	return path, query, nil
}

func (m *Message) scheme() (string, error) {
	if m.Scheme == "" {
		return "", ErrNoScheme
	}
	return strings.ToLower(m.Scheme), nil
}

func (m *Message) targetURI() (string, error) {
	scheme, err := m.scheme()
	if err != nil {
		return "", err
	}
	authority, err := m.authority()
	if err != nil {
		return "", err
	}
	path, query, err := m.origin()
	return scheme + "://" + authority + path + query, err
}

// authority returns the normal form of RFC 9421 section 2.2.3.
func (m *Message) authority() (string, error) {
	if !signable(m.Authority) || strings.ContainsAny(m.Authority, "@/?#\\, \t") {
		return "", ErrValue // before ToLower, which makes "k" of the sign for kelvin
	}
	a := strings.ToLower(m.Authority)
	switch {
	case strings.HasSuffix(a, ":"):
		a = a[:len(a)-1]
	case strings.EqualFold(m.Scheme, "https"):
		a = strings.TrimSuffix(a, ":443")
	case strings.EqualFold(m.Scheme, "http"):
		a = strings.TrimSuffix(a, ":80")
	}
	return present(a)
}
