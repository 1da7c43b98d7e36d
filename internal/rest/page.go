// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// Page is what a route with pages is asked, besides its filters.
type Page struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"where the page begins: next of the page before"`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"rows at most"`
}

// cursor is a place in a list: opaque text to callers, and no secret. Its filters are
// asked again with each page.
type cursor struct {
	Order byte   // which order the list has; a cursor of one order is no place in another
	At    int64  // what rows are ordered by
	ID    string // of the last row of the page before
}

const cursorVersion = 1

// String is the cursor as text; empty for the zero one, which is the start.
func (c cursor) String() string {
	if c == (cursor{}) {
		return ""
	}
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion, c.Order}, uint64(c.At))
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID...))
}

// parseCursor reads a cursor of a list with this order, which is not 0. Empty text is the
// zero cursor. *gatehouse.InvalidError with field "cursor".
func parseCursor(text string, order byte) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) < 10 || b[0] != cursorVersion || b[1] != order {
		return cursor{}, &gatehouse.InvalidError{Field: "cursor", Problem: "is none of this list: take next of the page before, and ask the same"}
	}
	return cursor{Order: b[1], At: int64(binary.BigEndian.Uint64(b[2:])), ID: string(b[10:])}, nil
}

// etag is the version of a record as an entity tag (RFC 9110 section 8.8.3).
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Precondition is asked by routes that change a record with a version.
type Precondition struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"the ETag of the record that is to be changed; absent, or *: whichever"`
}

// version is the version that the caller demands; zero: whichever. What is no tag of ours
// fits no record.
func (m *Precondition) version() (int64, error) {
	if m.IfMatch == "" || m.IfMatch == "*" {
		return 0, nil
	}
	inner, ok := strings.CutPrefix(m.IfMatch, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	v, err := strconv.ParseInt(inner, 10, 64)
	if !ok || !closed || err != nil || v < 1 || etag(v) != m.IfMatch {
		return 0, errPrecondition
	}
	return v, nil
}

// errPrecondition answers an If-Match that does not fit.
var errPrecondition = &refusal{Status: 412, Code: "precondition_failed", Title: "The record is not as If-Match says"}
