// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// ErrPolicy: a [PasswordPolicy] cannot be used. The text says what is wrong.
var ErrPolicy = errors.New("unusable password policy")

// PasswordPolicy is what an operator asks of a new password, in Barong's terms. The
// zero value does not compile: a policy without requirements says so by the pattern
// ".*".
type PasswordPolicy struct {
	Pattern    string  // a Ruby regular expression, as far as [Compile] takes it
	MinEntropy float64 // bits that [Entropy] must estimate; 0 asks for none
	Dictionary bool    // whether the estimate looks for common words
}

// DefaultPasswordPolicy returns Barong's defaults: 8 to 80 characters with a small
// letter, a capital and a digit; 14 bits; with the dictionary.
func DefaultPasswordPolicy() PasswordPolicy {
	return PasswordPolicy{
		Pattern:    `^(?=.*[[:lower:]])(?=.*[[:upper:]])(?=.*[[:digit:]])(?=.*[[:graph:]]).{8,80}$`,
		MinEntropy: 14,
		Dictionary: true,
	}
}

// PasswordProblem is one reason to refuse a new password: a stable code, which
// Barong's door sends as "password.<code>". The zero value names none.
type PasswordProblem string

// The problems of a password, in the order of [CompiledPolicy.Check].
const (
	PasswordTooLong      PasswordProblem = "too_long"     // more than 72 bytes
	PasswordRequirements PasswordProblem = "requirements" // the pattern does not match
	PasswordWeak         PasswordProblem = "weak"         // too few bits of entropy
)

// acceptedBytes is Barong's limit. Argon2id has none; but an account that can be
// moved back to Barong needs a password that bcrypt reads to its end. Barong counts
// characters there, we count the bytes that bcrypt counts.
const acceptedBytes = 72

// CompiledPolicy judges passwords. It is immutable and safe for concurrent use. The
// zero value refuses every password.
type CompiledPolicy struct {
	policy PasswordPolicy
	rules  []patternRule
}

// Compile prepares a policy. The pattern is Ruby's, of which it takes:
//
//   - characters, groups, alternation, greedy and lazy repetition up to 1000 times,
//     brackets with POSIX classes, \d \w \s \p{…} and the negations \D \W \S \P{…}.
//     As in Ruby, [[:lower:]] knows every alphabet and \d only ASCII;
//   - look-aheads (?=X) and (?!X) directly after a leading ^ or \A. Each becomes a
//     regular expression of its own that is anchored at the start of the password;
//   - the anchors ^ $ \A \z \Z, which all mean the whole password here. Ruby's ^ and
//     $ accept a text of many lines when one line matches, which lets a password
//     through on the strength of a part of it; we are stricter than Barong here.
//
// Everything else (look-behind, back references, named groups, inline options, nested
// or intersected brackets, other escapes) is [ErrPolicy], never a guess. So is an empty
// pattern and a minimum of entropy that is negative or no number.
func Compile(p PasswordPolicy) (*CompiledPolicy, error) {
	if p.Pattern == "" {
		return nil, fmt.Errorf("%w: the pattern is empty", ErrPolicy)
	}
	if math.IsNaN(p.MinEntropy) || math.IsInf(p.MinEntropy, 0) || p.MinEntropy < 0 {
		return nil, fmt.Errorf("%w: the minimum entropy is not a number of bits", ErrPolicy)
	}
	rules, err := compileRuby(p.Pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: pattern: %w", ErrPolicy, err)
	}
	return &CompiledPolicy{policy: p, rules: rules}, nil
}

// Check returns what is wrong with password, nil when nothing is. As in Barong, a
// long password is reported beside the other problems, and the entropy is looked at
// only when the pattern matches. Text that is not UTF-8 fails the requirements.
func (c *CompiledPolicy) Check(password string) []PasswordProblem {
	var problems []PasswordProblem
	if len(password) > acceptedBytes {
		problems = append(problems, PasswordTooLong)
	}
	switch {
	case !c.meets(password):
		problems = append(problems, PasswordRequirements)
	case Entropy(password, c.policy.Dictionary) < c.policy.MinEntropy:
		problems = append(problems, PasswordWeak)
	}
	return problems
}

func (c *CompiledPolicy) meets(password string) bool {
	if len(c.rules) == 0 || !utf8.ValidString(password) {
		return false
	}
	for _, rule := range c.rules {
		if rule.expr.MatchString(password) == rule.forbids {
			return false
		}
	}
	return true
}

// RubyPattern returns the pattern as Ruby prints a Regexp, which is how Barong tells
// it to its clients: (?-mix:…), with every bare slash escaped.
func (c *CompiledPolicy) RubyPattern() string {
	var b strings.Builder
	b.WriteString("(?-mix:")
	escaped := false
	for _, r := range c.policy.Pattern {
		if r == '/' && !escaped {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		escaped = r == '\\' && !escaped
	}
	b.WriteByte(')')
	return b.String()
}
