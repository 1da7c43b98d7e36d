// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"fmt"
	"log/slog"
)

// Secret holds text that must not be seen: a key's secret, a printable token, a
// password. It prints as "[secret]" through fmt, slog and encoding/json; the text
// leaves only through [Secret.Reveal]. The zero value holds no secret.
type Secret struct {
	// A function, because fmt looks into the unexported fields of a struct around this one
	// without asking it. Nil: no secret.
	text func() string
}

const redacted = "[secret]"

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{func() string { return text }}
}

// Reveal returns the text in clear. It is the one exit, so that all uses can be
// found by name.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// Empty reports whether the secret holds no text.
func (s Secret) Empty() bool { return s.text == nil }

// String returns "[secret]". It implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString returns "[secret]". It implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format writes "[secret]" for every verb. It implements [fmt.Formatter].
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[secret]". It implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the string "[secret]". It implements json.Marshaler, so that
// a secret left in a struct by mistake does not reach the wire.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[secret]". It implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
