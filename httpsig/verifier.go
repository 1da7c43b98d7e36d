// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"context"
	"fmt"
	"time"
)

// Verifier verifies a message in one call. Key and Claim must be set. It is safe for
// concurrent use if its functions are.
type Verifier struct {
	Policy Policy

	// Key finds the key by its id, which the caller of Verify has not proven to hold.
	Key func(ctx context.Context, keyID string) (VerifyKey, error)

	// Claim takes the nonce of s for its key, once: it reports whether nobody did
	// before. It must remember (s.KeyID, s.Nonce) until s.Until(). It is called last,
	// only for signatures that hold, are in time and have a nonce.
	Claim func(ctx context.Context, s *Signature) (first bool, err error)

	Now func() time.Time // nil: time.Now
}

// Verify returns the signature of m if it holds, for this body: the whole one, empty
// for none; m.Body is not read. Errors: those of [Parse], [Signature.Verify],
// [Signature.CheckTime] and [CheckContentDigest]; [ErrReplayed]; and those of Key and
// Claim, wrapped.
func (v *Verifier) Verify(ctx context.Context, m *Message, body []byte) (*Signature, error) {
	whole := *m
	whole.Body = BodyNone
	if len(body) > 0 {
		whole.Body = BodyPresent
	}
	s, err := Parse(&whole, v.Policy)
	if err != nil {
		return nil, err
	}
	key, err := v.Key(ctx, s.KeyID)
	if err != nil {
		return nil, fmt.Errorf("look up key: %w", err)
	}
	if err := s.Verify(key); err != nil {
		return nil, err
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	if err := s.CheckTime(now()); err != nil {
		return nil, err
	}
	if s.Covered("content-digest") {
		if err := CheckContentDigest(m.Header["Content-Digest"], body); err != nil {
			return nil, err
		}
	}
	if s.Nonce == "" {
		return s, nil
	}
	first, err := v.Claim(ctx, s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("claim nonce: %w", err)
	case !first:
		return nil, ErrReplayed
	}
	return s, nil
}
