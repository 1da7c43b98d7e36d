// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// What people type about themselves, and what of it is accepted.

const (
	maxEmailBytes  = 254 // RFC 5321 section 4.5.3.1.3, without the angle brackets
	maxLocalBytes  = 64  // section 4.5.3.1.1
	minUsername    = 4
	maxUsername    = 12
	maxDataRunes   = 1024
	maxDomainLabel = 63
)

// canonicalEmail returns the one spelling of an e-mail address under which it is
// throttled, looked up and stored: lower case. It accepts a dot-string of RFC 5321
// section 4.1.2, '@' and a domain name of letters, digits and hyphens, all ASCII.
// Nothing is trimmed, decoded or folded, so no two spellings but for case mean the
// same account.
func canonicalEmail(text string) (string, bool) {
	local, domain, found := strings.Cut(text, "@")
	if !found || len(text) > maxEmailBytes || len(local) > maxLocalBytes || domain == "" {
		return "", false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || !consistsOf(atom, "!#$%&'*+-/=?^_`{|}~") {
			return "", false
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > maxDomainLabel || label[0] == '-' || label[len(label)-1] == '-' || !consistsOf(label, "-") {
			return "", false
		}
	}
	return lowerASCII(text), true
}

// CheckEmail tells whether an e-mail address is one that an account can have.
// *gatehouse.InvalidError with field "email".
func CheckEmail(text string) error {
	_, err := checkEmail(text)
	return err
}

// checkEmail is canonicalEmail with the error that registration gives.
func checkEmail(text string) (string, error) {
	email, ok := canonicalEmail(text)
	if !ok {
		return "", &gatehouse.InvalidError{Field: "email", Problem: "invalid"}
	}
	return email, nil
}

// checkUsername accepts no name, and 4 to 12 ASCII letters and digits.
func checkUsername(name string) error {
	problem := ""
	switch n := utf8.RuneCountInString(name); {
	case name == "":
	case n < minUsername:
		problem = "too_short"
	case n > maxUsername:
		problem = "too_long"
	case !consistsOf(name, ""):
		problem = "invalid"
	}
	if problem == "" {
		return nil
	}
	return &gatehouse.InvalidError{Field: "username", Problem: problem}
}

// checkData accepts no text, and JSON of at most 1024 characters.
func checkData(data string) error {
	switch {
	case data == "":
		return nil
	case !utf8.ValidString(data) || !json.Valid([]byte(data)):
		return &gatehouse.InvalidError{Field: "data", Problem: "invalid_format"}
	case utf8.RuneCountInString(data) > maxDataRunes:
		return &gatehouse.InvalidError{Field: "data", Problem: "too_long"}
	}
	return nil
}

// consistsOf reports whether s holds only ASCII letters, digits and characters of also.
func consistsOf(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}

// lowerASCII lowers A to Z and nothing else.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}
