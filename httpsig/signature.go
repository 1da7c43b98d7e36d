// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"slices"
	"time"
)

const maxTime = 253402300799 // the last second of the year 9999

// Signature is the one signature of a message that a policy accepts, its proof not yet
// checked.
type Signature struct {
	Label   string
	KeyID   string    // never empty, at most 256 bytes of printable ASCII, as the other texts
	Alg     string    // as the signer named it; empty: not named. The key decides
	Nonce   string    // empty: none
	Tag     string    // empty: none
	Created time.Time // UTC, whole seconds
	Expires time.Time // UTC, whole seconds; zero: the signer did not say
	Value   []byte    // the MAC or signature

	list   innerList
	base   []byte
	maxAge time.Duration
	skew   time.Duration
}

// Parse reads the one signature of m that the policy means, and checks its form and
// what it covers. It touches no key, clock or store. A nil error says nothing about the
// proof: call Verify and CheckTime.
//
// Errors: [ErrNoSignature], [ErrAmbiguous], [ErrMalformed], *[CoverageError],
// *[ComponentError].
func Parse(m *Message, p Policy) (*Signature, error) {
	s, err := find(m, p.Tag)
	if err != nil {
		return nil, err
	}
	if err := p.demand(m, s); err != nil {
		return nil, err
	}
	s.maxAge, s.skew = p.MaxAge, p.Skew
	if s.maxAge == 0 {
		s.maxAge = DefaultMaxAge
	}
	if s.skew == 0 {
		s.skew = DefaultSkew
	}
	if s.base, err = m.appendBase(make([]byte, 0, 768), &s.list); err != nil {
		return nil, err
	}
	return s, nil
}

// find picks the signature: by tag, or the only one.
func find(m *Message, tag string) (*Signature, error) {
	inputLines, valueLines := m.Header["Signature-Input"], m.Header["Signature"]
	if len(inputLines) == 0 && len(valueLines) == 0 {
		return nil, ErrNoSignature
	}
	inputs, err := parseDictionary("Signature-Input", inputLines, (*parser).innerList)
	if err != nil {
		return nil, err
	}
	values, err := parseDictionary("Signature", valueLines, (*parser).bytes)
	if err != nil {
		return nil, err
	}
	if len(inputs) != len(values) {
		return nil, malformed("Signature", "other labels than in Signature-Input")
	}
	var chosen *Signature
	for i := range inputs {
		value := valueOf(values, inputs[i].label)
		if value == nil {
			return nil, malformed("Signature", "other labels than in Signature-Input")
		}
		if tag != "" && !inputs[i].value.hasTag(tag) {
			continue
		}
		if chosen != nil {
			return nil, ErrAmbiguous
		}
		chosen = &Signature{Label: inputs[i].label, Value: value, list: inputs[i].value}
	}
	if chosen == nil {
		return nil, ErrNoSignature
	}
	return chosen, chosen.readParams()
}

func (l *innerList) hasTag(tag string) bool {
	return slices.Contains(l.params, param{"tag", item{kind: kindString, text: tag}})
}

func valueOf(values []labelled[[]byte], label string) []byte {
	for i := range values {
		if values[i].label == label {
			return values[i].value
		}
	}
	return nil
}

// readParams sets the fields of s from its parameters. One that is unknown is refused:
// it might narrow what the signature is for, as expires does.
func (s *Signature) readParams() error {
	for i := range s.list.params {
		p := &s.list.params[i]
		var text *string
		var moment *time.Time
		switch p.key {
		case "keyid":
			text = &s.KeyID
		case "alg":
			text = &s.Alg
		case "nonce":
			text = &s.Nonce
		case "tag":
			text = &s.Tag
		case "created":
			moment = &s.Created
		case "expires":
			moment = &s.Expires
		default:
			return malformed("Signature-Input", "an unknown parameter")
		}
		if !p.value.read(text, moment) {
			return malformed("Signature-Input", "parameter "+p.key)
		}
	}
	if !s.Expires.IsZero() && s.Expires.Before(s.Created) {
		return malformed("Signature-Input", "expires before created")
	}
	return nil
}

// read stores the item where its kind belongs.
func (v *item) read(text *string, moment *time.Time) bool {
	if text != nil {
		*text = v.text
		return v.kind == kindString && v.text != "" && len(v.text) <= maxText
	}
	*moment = time.Unix(v.num, 0).UTC()
	return v.kind == kindInteger && 0 <= v.num && v.num <= maxTime
}

// Covered reports whether the signature covers a component, without parameters.
func (s *Signature) Covered(name string) bool {
	for i := range s.list.items {
		if c := &s.list.items[i]; c.name == name && len(c.params) == 0 {
			return true
		}
	}
	return false
}

// Base returns the signature base, the text that is signed. It belongs to s.
func (s *Signature) Base() []byte { return s.base }

// Verify checks the proof. It returns nil, [ErrAlgorithm] where the signature names
// another algorithm than the key's, or [ErrInvalid]. The key alone chooses the
// algorithm. A wrong name costs the time of a wrong proof.
func (s *Signature) Verify(key VerifyKey) error {
	if key == nil {
		return ErrInvalid
	}
	holds := key.verify(s.base, s.Value)
	switch {
	case s.Alg != "" && s.Alg != key.Algorithm():
		return ErrAlgorithm
	case !holds:
		return ErrInvalid
	}
	return nil
}

// CheckTime compares the signature's times with now, under the policy that Parse was
// given. It returns nil, [ErrFuture], [ErrStale] or [ErrExpired]. All limits are
// exclusive: a signature as old as MaxAge is too old.
func (s *Signature) CheckTime(now time.Time) error {
	switch {
	case !s.Created.Before(now.Add(s.skew)):
		return ErrFuture
	case !now.Before(s.Created.Add(s.maxAge)):
		return ErrStale
	case !s.Expires.IsZero() && !now.Before(s.Expires):
		return ErrExpired
	}
	return nil
}

// Until returns the time from which on CheckTime refuses the signature: how long its
// nonce must be kept.
func (s *Signature) Until() time.Time {
	until := s.Created.Add(s.maxAge)
	if !s.Expires.IsZero() && s.Expires.Before(until) {
		until = s.Expires
	}
	return until
}
