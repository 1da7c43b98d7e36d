// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
)

// A body is read by two readers, the one that checks it and the one that fills our types. They
// must read the same: encoding/json takes the last of members of one name, in any case. (In
// maps, such as the header of a check, names that differ in case are different names.)
func init() { huma.ValidateStrictCasing = true }

const (
	maxMembers = 1024 // of a list or an object; imports and rules have up to 1,000
	maxDepth   = 16
)

// level is a list or an object that is open.
type level struct {
	seen    map[string]bool // names of members; nil: a list
	members int
	value   bool // a member's name was read, and its value comes
}

// plainJSON refuses a body that two readers could read in two ways, and one that would cost
// many times its length to read: members of the same name, many members, deep nesting; and
// null in a patch. What is no JSON at all passes: it is refused where it is read.
func plainJSON(body []byte, patch bool) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var open []level
	for {
		t, err := d.Token()
		if err != nil {
			return nil
		}
		if t == nil && patch {
			return &gatehouse.InvalidError{Field: "body", Problem: "holds null, which changes nothing: leave the member out, or see how a bound is taken away"}
		}
		delim, isDelim := t.(json.Delim)
		if isDelim && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if problem := member(open, t); problem != "" {
			return &gatehouse.InvalidError{Field: "body", Problem: problem}
		}
		if !isDelim {
			continue
		}
		if len(open) == maxDepth {
			return &gatehouse.InvalidError{Field: "body", Problem: "nests deeper than 16"}
		}
		next := level{}
		if delim == '{' {
			next.seen = map[string]bool{}
		}
		open = append(open, next)
	}
}

// member notes a token in the list or object that is open; what it returns is what is wrong.
func member(open []level, t json.Token) string {
	if len(open) == 0 {
		return ""
	}
	in := &open[len(open)-1]
	if in.seen != nil && !in.value {
		name, _ := t.(string)
		if in.seen[name] {
			return "holds a member twice"
		}
		in.seen[name] = true
		in.value = true
	} else {
		in.value = false
		in.members++
	}
	if in.members > maxMembers {
		return "holds a list or an object of more than 1,024 members"
	}
	return ""
}
