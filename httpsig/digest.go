// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
)

// Digest is one member of a Content-Digest field (RFC 9530 section 2).
type Digest struct {
	Algorithm string
	Value     []byte
}

// ContentDigest returns the Content-Digest field for a body, with sha-256. The body is
// what is sent: after content coding, before transfer coding.
func ContentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return string(appendBytes([]byte("sha-256="), sum[:]))
}

// ParseContentDigest reads the lines of a Content-Digest field, to compare it with a
// body later. It returns the digests of the known algorithms, sha-256 and sha-512, at
// least one. Errors: [ErrMalformed], [ErrNoDigest].
//
// Repr-Digest is another field with another meaning; never pass it here.
func ParseContentDigest(lines []string) ([]Digest, error) {
	if len(lines) == 0 {
		return nil, ErrNoDigest
	}
	members, err := parseDictionary("Content-Digest", lines, (*parser).bytes)
	if err != nil {
		return nil, err
	}
	known := make([]Digest, 0, 2)
	for _, m := range members {
		if m.label == "sha-256" || m.label == "sha-512" {
			known = append(known, Digest{m.label, m.value})
		}
	}
	if len(known) == 0 {
		return nil, ErrNoDigest
	}
	return known, nil
}

// Check compares the digest with a body. It returns nil, [ErrDigest], or [ErrNoDigest]
// for an algorithm that is not known.
func (d Digest) Check(body []byte) error {
	holds := false
	switch d.Algorithm {
	case "sha-256":
		sum := sha256.Sum256(body)
		holds = bytes.Equal(sum[:], d.Value)
	case "sha-512":
		sum := sha512.Sum512(body)
		holds = bytes.Equal(sum[:], d.Value)
	default:
		return ErrNoDigest
	}
	if !holds {
		return ErrDigest
	}
	return nil
}

// CheckContentDigest compares all known digests of a Content-Digest field with a body.
// Errors: those of [ParseContentDigest], and [ErrDigest]. A digest proves nothing about
// who sent the body unless a signature covers the field.
func CheckContentDigest(lines []string, body []byte) error {
	digests, err := ParseContentDigest(lines)
	if err != nil {
		return err
	}
	for _, d := range digests {
		if err := d.Check(body); err != nil {
			return err
		}
	}
	return nil
}
