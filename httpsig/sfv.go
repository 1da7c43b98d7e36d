// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Structured fields (RFC 9651), as far as the four fields of this package need them: a
// dictionary of inner lists (Signature-Input, Accept-Signature) and a dictionary of
// byte sequences (Signature, Content-Digest). Everything else is malformed, and so is
// a key that occurs twice, where RFC 9651 lets the last one win.

const (
	maxField   = 8 << 10 // bytes of one field, its lines joined
	maxMembers = 8       // of a dictionary
	maxItems   = 64      // of an inner list
	maxParams  = 8       // of an item or inner list
	maxText    = 256     // bytes of a component's name, and of keyid, nonce, alg and tag
)

type itemKind uint8

const (
	kindInteger itemKind = iota + 1
	kindString
	kindBoolean
)

// item is a bare item: text of a string; num of an integer, and 1 for true.
type item struct {
	kind itemKind
	text string
	num  int64
}

type param struct {
	key   string
	value item
}

// component is one member of an inner list: the identifier of a component.
type component struct {
	name   string
	params []param
}

type innerList struct {
	items  []component
	params []param
}

// labelled is one member of a dictionary.
type labelled[T any] struct {
	label string
	value T
}

// parseDictionary reads the lines of a field as one dictionary. At least one member
// must be there.
func parseDictionary[T any](field string, lines []string, value func(*parser) (T, bool)) ([]labelled[T], error) {
	p := parser{}
	switch len(lines) {
	case 0:
	case 1:
		p.s = lines[0]
	default:
		p.s = strings.Join(lines, ", ")
	}
	if len(p.s) > maxField {
		return nil, malformed(field, "too long")
	}
	p.s = strings.Trim(p.s, " ")
	members := make([]labelled[T], 0, 1)
	for {
		label, ok := p.key()
		if !ok || !p.expect('=') {
			return nil, malformed(field, p.problem)
		}
		for i := range members {
			if members[i].label == label {
				return nil, malformed(field, "a label occurs twice")
			}
		}
		if len(members) == maxMembers {
			return nil, malformed(field, "too many members")
		}
		v, ok := value(&p)
		if !ok {
			return nil, malformed(field, p.problem)
		}
		members = append(members, labelled[T]{label, v})
		if p.skip(" \t"); p.i == len(p.s) {
			return members, nil
		}
		if !p.expect(',') {
			return nil, malformed(field, p.problem)
		}
		p.skip(" \t")
	}
}

func malformed(field, problem string) error {
	return fmt.Errorf("%s: %w: %s", field, ErrMalformed, problem)
}

// parser reads from s[i:]. Every method that reports false has set problem.
type parser struct {
	s       string
	i       int
	problem string
}

func (p *parser) fail(problem string) bool {
	p.problem = problem
	return false
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) expect(c byte) bool {
	if p.peek() != c {
		return p.fail(`"` + string(rune(c)) + `" is missing`)
	}
	p.i++
	return true
}

func (p *parser) skip(set string) {
	for p.i < len(p.s) && strings.IndexByte(set, p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) key() (string, bool) {
	start := p.i
	for p.i < len(p.s) && isKeyByte(p.s[p.i], p.i == start) {
		p.i++
	}
	if p.i == start {
		return "", p.fail("a key is missing")
	}
	return p.s[start:p.i], true
}

func isKey(s string) bool {
	p := parser{s: s}
	_, ok := p.key()
	return ok && p.i == len(s)
}

func isKeyByte(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || c == '*' ||
		!first && ('0' <= c && c <= '9' || c == '_' || c == '-' || c == '.')
}

// innerList reads strings with parameters, in parentheses, and parameters.
func (p *parser) innerList() (innerList, bool) {
	var l innerList
	if !p.expect('(') {
		return l, false
	}
	l.items = make([]component, 0, 8)
	for {
		p.skip(" ")
		if p.peek() == ')' {
			p.i++
			break
		}
		if len(l.items) == maxItems {
			return l, p.fail("too many components")
		}
		c, ok := p.component()
		if !ok {
			return l, false
		}
		l.items = append(l.items, c)
		if c := p.peek(); c != ' ' && c != ')' {
			return l, p.fail("a list does not end")
		}
	}
	var ok bool
	l.params, ok = p.params()
	return l, ok
}

func (p *parser) component() (c component, ok bool) {
	if c.name, ok = p.text(); !ok {
		return c, false
	}
	if len(c.name) > maxText {
		return c, p.fail("a component has a long name")
	}
	c.params, ok = p.params()
	return c, ok
}

func (p *parser) params() ([]param, bool) {
	var params []param
	for p.peek() == ';' {
		p.i++
		p.skip(" ")
		key, ok := p.key()
		if !ok {
			return nil, false
		}
		for i := range params {
			if params[i].key == key {
				return nil, p.fail("a parameter occurs twice")
			}
		}
		if len(params) == maxParams {
			return nil, p.fail("too many parameters")
		}
		value := item{kind: kindBoolean, num: 1}
		if p.peek() == '=' {
			p.i++
			if value, ok = p.item(); !ok {
				return nil, false
			}
		}
		if params == nil {
			params = make([]param, 0, 4)
		}
		params = append(params, param{key, value})
	}
	return params, true
}

func (p *parser) item() (item, bool) {
	switch c := p.peek(); {
	case c == '"':
		s, ok := p.text()
		return item{kind: kindString, text: s}, ok
	case c == '-' || '0' <= c && c <= '9':
		n, ok := p.integer()
		return item{kind: kindInteger, num: n}, ok
	case c == '?':
		p.i++
		b := p.peek()
		if b != '0' && b != '1' {
			return item{}, p.fail("a boolean is neither ?0 nor ?1")
		}
		p.i++
		return item{kind: kindBoolean, num: int64(b - '0')}, true
	}
	return item{}, p.fail("a value is neither string, integer nor boolean")
}

func (p *parser) integer() (int64, bool) {
	start := p.i
	p.i++ // the first digit, or the sign
	for '0' <= p.peek() && p.peek() <= '9' {
		p.i++
	}
	n, err := strconv.ParseInt(p.s[start:p.i], 10, 64)
	return n, err == nil || p.fail("not an integer")
}

// text reads a string. Without escapes it is a part of the input and costs nothing.
func (p *parser) text() (string, bool) {
	if !p.expect('"') {
		return "", false
	}
	start, escaped := p.i, false
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			s := p.s[start:p.i]
			p.i++
			if escaped {
				s = unescape.Replace(s)
			}
			return s, true
		case c == '\\':
			p.i++
			if c := p.peek(); c != '"' && c != '\\' {
				return "", p.fail("a broken escape")
			}
			escaped = true
		case c < ' ' || c > '~':
			return "", p.fail("a string has a byte that is not printable ASCII")
		}
	}
	return "", p.fail("a string does not end")
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// bytes reads a byte sequence: padded base64 without stray bits, no parameters.
func (p *parser) bytes() ([]byte, bool) {
	if !p.expect(':') {
		return nil, false
	}
	n := strings.IndexByte(p.s[p.i:], ':')
	if n < 0 {
		return nil, p.fail("a byte sequence does not end")
	}
	text := p.s[p.i : p.i+n]
	p.i += n + 1
	if strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, p.fail("not base64")
	}
	b, err := strictBase64.DecodeString(text)
	return b, err == nil || p.fail("not base64")
}

var strictBase64 = base64.StdEncoding.Strict()

func appendBytes(b, value []byte) []byte {
	b = append(b, ':')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, ':')
}

func appendList(b []byte, l *innerList) []byte {
	b = append(b, '(')
	for i := range l.items {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendComponent(b, &l.items[i])
	}
	b = append(b, ')')
	return appendParams(b, l.params)
}

func appendComponent(b []byte, c *component) []byte {
	return appendParams(appendText(b, c.name), c.params)
}

func appendParams(b []byte, params []param) []byte {
	for i := range params {
		p := &params[i]
		b = append(b, ';')
		b = append(b, p.key...)
		switch {
		case p.value.kind == kindInteger:
			b = append(b, '=')
			b = strconv.AppendInt(b, p.value.num, 10)
		case p.value.kind == kindString:
			b = append(b, '=')
			b = appendText(b, p.value.text)
		case p.value.num == 0:
			b = append(b, "=?0"...)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
