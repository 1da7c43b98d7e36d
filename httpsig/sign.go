// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Signer signs messages with one key. KeyID and Key must be set. It is safe for
// concurrent use if Now and Nonce are.
type Signer struct {
	KeyID      string
	Key        SignKey
	Label      string           // empty: "sig1"
	Tag        string           // empty: none
	Components []string         // names, with parameters as in `@query-param;name="a"`; nil: DefaultComponents
	Now        func() time.Time // nil: time.Now
	Nonce      func() string    // nil: 130 random bits; a result that is empty: no nonce
}

// Sign returns the fields Signature-Input and Signature for a message. Errors:
// *[ComponentError] for what the message lacks, [ErrMalformed] for a field of s that
// cannot be written, and those of the key.
func (s *Signer) Sign(m *Message) (signatureInput, signature string, err error) {
	label := s.Label
	if label == "" {
		label = "sig1"
	}
	if !isKey(label) {
		return "", "", fmt.Errorf("sign request: %w", malformed("label", "not a key of a structured field"))
	}
	l, err := s.list(m)
	if err != nil {
		return "", "", fmt.Errorf("sign request: %w", err)
	}
	base, err := m.appendBase(nil, &l)
	if err != nil {
		return "", "", fmt.Errorf("sign request: %w", err)
	}
	value, err := s.Key.sign(base)
	if err != nil {
		return "", "", fmt.Errorf("sign request: %w", err)
	}
	return string(appendList([]byte(label+"="), &l)), string(appendBytes([]byte(label+"="), value)), nil
}

// list returns components and parameters of the next signature.
func (s *Signer) list(m *Message) (innerList, error) {
	names := s.Components
	if names == nil {
		names = DefaultComponents(m.Body)
	}
	var l innerList
	for _, name := range names {
		c, ok := parseComponent(name)
		if !ok {
			return l, malformed("components", "not the name of a component")
		}
		l.items = append(l.items, c)
	}
	now, nonce := time.Now, rand.Text
	if s.Now != nil {
		now = s.Now
	}
	if s.Nonce != nil {
		nonce = s.Nonce
	}
	l.params = append(l.params, param{"created", item{kind: kindInteger, num: now().Unix()}})
	for _, p := range [...]struct{ key, text string }{{"keyid", s.KeyID}, {"nonce", nonce()}, {"tag", s.Tag}} {
		if !isText(p.text) || p.text == "" && p.key == "keyid" {
			return l, malformed(p.key, "not printable ASCII of at most 256 bytes")
		}
		if p.text != "" {
			l.params = append(l.params, param{p.key, item{kind: kindString, text: p.text}})
		}
	}
	return l, nil
}

func isText(s string) bool {
	return signable(s) && !strings.Contains(s, "\t") && len(s) <= maxText
}

// SignRequest makes r a signed request with this body: it normalises the target (RFC
// 3986 section 6.2.2), so that no server on the way has a reason to, sets the body, its
// length and Content-Digest, and sets Signature-Input and Signature. What is signed is
// what net/http sends. r must be a client's request with an absolute URL.
//
// A write without a body has the digest of the empty one, so that a verifier which is
// not handed bodies need not take its word for it.
func (s *Signer) SignRequest(r *http.Request, body []byte) error {
	if err := canonicalise(r.URL); err != nil {
		return err
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.ContentLength, r.Body, r.GetBody = int64(len(body)), http.NoBody, nil
	r.Header.Del("Content-Digest")
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	m := MessageOf(r)
	if len(body) > 0 || !isSafe(m.Method) {
		r.Header.Set("Content-Digest", ContentDigest(body))
		m.Body = BodyPresent
	}
	input, signature, err := s.Sign(&m)
	if err != nil {
		return err
	}
	r.Header.Set("Signature-Input", input)
	r.Header.Set("Signature", signature)
	return nil
}

// canonicalise makes net/http send the canonical target for u.
func canonicalise(u *url.URL) error {
	if u.Scheme == "" || u.Host == "" || u.Opaque != "" {
		return errors.New("sign request: the URL is not absolute")
	}
	target := canonicalTarget(u.RequestURI())
	c, err := url.ParseRequestURI(target)
	if err != nil || c.RequestURI() != target {
		return errors.New("sign request: the URL has no canonical form")
	}
	u.Path, u.RawPath, u.RawQuery, u.ForceQuery = c.Path, c.RawPath, c.RawQuery, c.ForceQuery
	return nil
}

// canonicalTarget returns a target in origin form as RFC 3986 section 6.2.2 normalises
// it: percent-encodings in upper case, of unreserved characters undone; what no URI may
// contain encoded; dot segments removed from the path. An encoded slash stays encoded.
func canonicalTarget(target string) string {
	path, query, hasQuery := strings.Cut(target, "?")
	path = withoutDots(canonicalEscapes(path))
	if hasQuery {
		return path + "?" + canonicalEscapes(query)
	}
	return path
}

func canonicalEscapes(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' {
			if v, ok := unescapeByte(s[i+1:]); ok {
				c, escaped = v, true
				i += 2
			}
		}
		switch {
		case isUnreserved(c), !escaped && strings.IndexByte(":/?@!$&'()*+,;=[]", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// unescapeByte reads the two hex digits at the start of s.
func unescapeByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	v, err := url.PathUnescape("%" + s[:2])
	if err != nil {
		return 0, false
	}
	return v[0], true
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// withoutDots removes dot segments (RFC 3986 section 5.2.4) from an absolute path.
func withoutDots(path string) string {
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case ".", "..":
			if segment == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}
