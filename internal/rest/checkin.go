// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse/api"
)

// readCheck reads a check in one pass. It takes what is surely one: what [plainJSON], the
// schema and encoding/json take, all three, and make the same of. ok is false for everything
// else, such as a member that is unknown, null or there twice: those three have the last word
// on it, and say what is wrong.
func readCheck(body []byte) (c api.Check, ok bool) {
	r := checkReader{in: body}
	var seen uint
	r.object(func(name []byte) {
		member := r.member(&c, name)
		r.bad = r.bad || seen&member != 0
		seen |= member
	})
	r.space()
	return c, !r.bad && r.at == len(r.in)
}

// checkReader is what is left of a body. Once bad, it stays so.
type checkReader struct {
	in  []byte
	at  int
	bad bool
}

// member reads a member of the check, and returns a bit of its own.
func (r *checkReader) member(c *api.Check, name []byte) (bit uint) {
	switch string(name) {
	case "method":
		c.Method, bit = string(r.text()), 1
	case "scheme":
		c.Scheme, bit = string(r.text()), 1<<1
		r.bad = r.bad || c.Scheme != "http" && c.Scheme != "https"
	case "authority":
		c.Authority, bit = string(r.text()), 1<<2
	case "target":
		c.Target, bit = string(r.text()), 1<<3
	case "peer":
		c.Peer, bit = string(r.text()), 1<<4
	case "headers":
		c.Headers, bit = r.fields(), 1<<5
	case "scopes":
		c.Scopes, bit = r.list(), 1<<6
	case "any_scope":
		c.AnyScope, bit = r.list(), 1<<7
	case "body":
		c.Body, bit = r.bytes(), 1<<8
	case "cost":
		c.Cost, bit = r.number(), 1<<9
	case "roles":
		c.Roles, bit = r.list(), 1<<10
	case "schemes":
		c.Schemes, bit = r.list(), 1<<11
	case "signed":
		c.Signed, bit = r.truth(), 1<<12
	case "rules":
		c.Rules, bit = r.truth(), 1<<13
	default:
		r.bad = true
	}
	return bit
}

// fields reads header fields, by names as they are spelled.
func (r *checkReader) fields() map[string][]string {
	all := map[string][]string{}
	r.object(func(name []byte) {
		if _, twice := all[string(name)]; twice {
			r.bad = true
			return
		}
		all[string(name)] = r.list()
	})
	return all
}

// object reads an object, whose members' values are read by value.
func (r *checkReader) object(value func(name []byte)) {
	r.expect('{')
	if r.next('}') {
		return
	}
	for n := 0; !r.bad; n++ {
		name := r.text()
		r.expect(':')
		if r.bad = r.bad || n == maxMembers; !r.bad {
			value(name)
		}
		if !r.next(',') {
			r.expect('}')
			return
		}
	}
}

func (r *checkReader) list() []string {
	all := []string{}
	r.expect('[')
	if r.next(']') {
		return all
	}
	for !r.bad {
		all = append(all, string(r.text()))
		r.bad = r.bad || len(all) > maxMembers
		if !r.next(',') {
			r.expect(']')
			break
		}
	}
	return all
}

// text reads a text. What it returns may be a part of the body.
func (r *checkReader) text() []byte {
	r.expect('"')
	begin, plain := r.at, true
	for ; r.at < len(r.in) && !r.bad; r.at++ {
		switch b := r.in[r.at]; {
		case b == '"':
			r.at++
			if plain {
				return r.in[begin : r.at-1]
			}
			return r.escaped(r.in[begin-1 : r.at])
		case b == '\\':
			r.at++ // the next one does not end the text
			plain = false
		case b >= utf8.RuneSelf:
			plain = false
		case b < ' ':
			r.bad = true
		}
	}
	r.bad = true
	return nil
}

// escaped is what a text in quotes says that has escapes in it, or more than ASCII.
func (r *checkReader) escaped(quoted []byte) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		r.bad = true
	}
	return []byte(text)
}

// bytes reads base64. An empty text is an empty body.
func (r *checkReader) bytes() *[]byte {
	text := r.text()
	all := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(all, text)
	r.bad = r.bad || err != nil
	return new(all[:n])
}

// number reads digits.
func (r *checkReader) number() int64 {
	r.space()
	begin := r.at
	for r.at < len(r.in) && '0' <= r.in[r.at] && r.in[r.at] <= '9' {
		r.at++
	}
	digits := string(r.in[begin:r.at])
	n, err := strconv.ParseInt(digits, 10, 64)
	r.bad = r.bad || err != nil || digits[0] == '0' && len(digits) > 1
	return n
}

func (r *checkReader) truth() bool {
	r.space()
	for _, word := range []string{"true", "false"} {
		if end := r.at + len(word); end <= len(r.in) && string(r.in[r.at:end]) == word {
			r.at = end
			return word == "true"
		}
	}
	r.bad = true
	return false
}

// expect reads what has to come.
func (r *checkReader) expect(b byte) {
	if !r.next(b) {
		r.bad = true
	}
}

// next reads what may come, and reports whether it came.
func (r *checkReader) next(b byte) bool {
	r.space()
	if r.at >= len(r.in) || r.in[r.at] != b {
		return false
	}
	r.at++
	return true
}

func (r *checkReader) space() {
	for r.at < len(r.in) {
		switch r.in[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}
