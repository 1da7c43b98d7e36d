// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"errors"
	"strconv"
	"strings"
)

const maxExtra = 64 << 10 // bytes

var errExtra = errors.New("neither text nor a flat PHP array of text")

// parseExtra reads the column in which Shield keeps scopes. Text that begins with "a:"
// or "s:" is PHP serialization: a flat array, whose keys do not matter, or one string,
// with lengths in bytes. Other text is one scope; empty text is none.
//
// An integer in the array is left out: Shield compares scopes with their types, so
// that it never matches a route. Everything else that PHP can serialize, objects above
// all, is refused.
func parseExtra(text string) ([]string, error) {
	if len(text) > maxExtra {
		return nil, errExtra
	}
	if !strings.HasPrefix(text, "a:") && !strings.HasPrefix(text, "s:") {
		if text == "" {
			return nil, nil
		}
		return []string{text}, nil
	}
	p := php{rest: text}
	words, ok := p.words()
	if !ok || p.rest != "" {
		return nil, errExtra
	}
	return words, nil
}

// php reads PHP serialization from its beginning.
type php struct{ rest string }

// words reads an array or a string.
func (p *php) words() ([]string, bool) {
	if !p.skip("a:") {
		word, ok := p.text()
		return []string{word}, ok
	}
	n, ok := p.length()
	if !ok || !p.skip("{") {
		return nil, false
	}
	var out []string
	keys := map[string]bool{}
	for range n {
		key, _, ok := p.scalar()
		// In PHP the last of two equal keys replaces the first. Nobody writes that.
		if !ok || keys[key] {
			return nil, false
		}
		keys[key] = true
		value, isText, ok := p.scalar()
		if !ok {
			return nil, false
		}
		if isText {
			out = append(out, value)
		}
	}
	return out, p.skip("}")
}

// scalar reads a string, or an integer as its decimal digits. As the key of an array
// the two are the same to PHP.
func (p *php) scalar() (value string, isText, ok bool) {
	if !p.skip("i:") {
		value, ok = p.text()
		return value, true, ok
	}
	digits, rest, ok := strings.Cut(p.rest, ";")
	n, err := strconv.ParseInt(digits, 10, 64)
	p.rest = rest
	return strconv.FormatInt(n, 10), false, ok && err == nil
}

// text reads s:LENGTH:"BYTES";
func (p *php) text() (string, bool) {
	if !p.skip("s:") {
		return "", false
	}
	n, ok := p.length()
	if !ok || !p.skip("\"") || n > len(p.rest) {
		return "", false
	}
	text := p.rest[:n]
	p.rest = p.rest[n:]
	return text, p.skip("\";")
}

// length reads decimal digits and the colon behind them.
func (p *php) length() (int, bool) {
	digits, rest, ok := strings.Cut(p.rest, ":")
	n, err := strconv.ParseUint(digits, 10, 31)
	p.rest = rest
	return int(n), ok && err == nil
}

func (p *php) skip(prefix string) (ok bool) {
	p.rest, ok = strings.CutPrefix(p.rest, prefix)
	return ok
}
