// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxQuery and maxQueryParams bound the work of "@query-param", which reads the query once for
// each name.
const (
	maxQuery       = 8 << 10
	maxQueryParams = 4
)

// appendBase appends the signature base of the components and parameters of l (RFC 9421
// section 2.5). Its errors are of type *ComponentError.
func (m *Message) appendBase(b []byte, l *innerList) ([]byte, error) {
	for i := range l.items {
		c := &l.items[i]
		value, err := "", c.check(l.items[:i])
		if err == nil {
			value, err = m.value(c)
		}
		if err == nil && !signable(value) {
			err = ErrValue
		}
		if err != nil {
			return nil, &ComponentError{c.name, err}
		}
		b = appendComponent(b, c)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, '\n')
	}
	b = append(b, `"@signature-params": `...)
	return appendList(b, l), nil
}

// signable reports whether a value is printable ASCII, with blanks and tabs. A line
// end could pretend to be another component.
func signable(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// check refuses an identifier that is unknown, not implemented, or among those before.
func (c *component) check(before []component) error {
	derived := strings.HasPrefix(c.name, "@")
	switch {
	case c.name == "@query-param":
		if len(c.params) != 1 || c.params[0].key != "name" || c.params[0].value.kind != kindString {
			return ErrUnsupported
		}
		others := 0
		for i := range before {
			if before[i].name == c.name {
				others++
			}
		}
		if others >= maxQueryParams {
			return ErrUnsupported
		}
	case len(c.params) > 0 && (derived || !c.wrapped()):
		return ErrUnsupported
	case !derived && !isFieldName(c.name):
		return ErrMalformed
	}
	for i := range before {
		if before[i].name == c.name && slices.Equal(before[i].params, c.params) {
			return ErrMalformed
		}
	}
	return nil
}

// wrapped reports whether the only parameter is bs: the lines of the field are covered
// as byte sequences (RFC 9421 section 2.1.3).
func (c *component) wrapped() bool {
	return len(c.params) == 1 && c.params[0] == param{"bs", item{kind: kindBoolean, num: 1}}
}

// isFieldName reports whether name is a field name (RFC 9110 section 5.1) in lower case.
func isFieldName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// value returns what the message has for a component that check has let pass (RFC 9421
// section 2).
func (m *Message) value(c *component) (string, error) {
	switch c.name {
	case "@method":
		return present(m.Method)
	case "@scheme":
		return m.scheme()
	case "@authority":
		return m.authority()
	case "@request-target":
		return present(m.Target)
	case "@target-uri":
		return m.targetURI()
	case "@path":
		path, _, err := m.origin()
		return path, err
	case "@query":
		_, query, err := m.origin()
		if query == "" {
			query = "?"
		}
		return query, err
	case "@query-param":
		_, query, err := m.origin()
		if err != nil {
			return "", err
		}
		return queryParam(query, c.params[0].value.text)
	}
	if c.name[0] == '@' { // also @status, which requests do not have
		return "", ErrUnsupported
	}
	return m.field(c)
}

func present(s string) (string, error) {
	if s == "" {
		return "", ErrMissing
	}
	return s, nil
}

// queryParam returns the value of the one query parameter with this name, both in the
// encoding of RFC 9421 section 2.2.8: read as a form, written with %20.
func queryParam(query, name string) (string, error) {
	if len(query) > maxQuery {
		return "", ErrUnsupported
	}
	value, err := "", ErrMissing
	for pair := range strings.SplitSeq(strings.TrimPrefix(query, "?"), "&") {
		k, v, _ := strings.Cut(pair, "=")
		k, broken := recoded(k)
		switch {
		case broken != nil:
			return "", broken
		case pair == "" || k != name:
		case err == nil:
			return "", ErrRepeated
		default:
			if value, err = recoded(v); err != nil {
				return "", err
			}
		}
	}
	return value, err
}

// recoded reads a piece of a form and writes it percent-encoded, all but letters,
// digits and "*-._".
func recoded(s string) (string, error) {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return "", ErrValue
	}
	return formEncoding.Replace(url.QueryEscape(plain)), nil
}

// formEncoding turns Go's encoding into that of the form standard.
var formEncoding = strings.NewReplacer("+", "%20", "~", "%7E", "%2A", "*")

// field returns the lines of a header field, trimmed, unfolded, joined with ", ".
func (m *Message) field(c *component) (string, error) {
	lines := m.Header[textproto.CanonicalMIMEHeaderKey(c.name)]
	if len(lines) == 1 && !c.wrapped() {
		return unfolded(lines[0]), nil
	}
	if len(lines) == 0 {
		return "", ErrMissing
	}
	var b []byte
	for i, line := range lines {
		if i > 0 {
			b = append(b, ", "...)
		}
		if line = unfolded(line); c.wrapped() {
			b = appendBytes(b, []byte(line))
		} else {
			b = append(b, line...)
		}
	}
	return string(b), nil
}

// unfolded trims a line and replaces each folding (RFC 9112 section 5.2) by one blank. A
// line end that folds nothing stays, and cannot be signed.
func unfolded(line string) string {
	line = strings.Trim(line, " \t\r\n")
	if strings.ContainsAny(line, "\r\n") {
		line = folding.ReplaceAllString(line, " ")
	}
	return line
}

var folding = regexp.MustCompile(`[ \t]*\r?\n[ \t]+`)
