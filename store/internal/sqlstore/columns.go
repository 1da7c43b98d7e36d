// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// separator stands between the fields of a joined column. No text that is stored has
// it; see [storable].
const separator = "\x1f"

// joined is the SQL of fields as one column of text. What a look-up costs beyond
// finding its rows goes with the number of columns: a driver asks for the name, the
// type and the bytes of each.
func joined(fields string) string { return "concat_ws('" + separator + "', " + fields + ")" }

// columns takes the values of a row one by one, and those of a joined column between
// open and shut. The first that is not what the schema says spoils the row: a record
// is read whole or not at all. Errors name columns by their number, never by their
// value.
type columns struct {
	row    Row
	next   int
	fields string // of the open column, what is left of it
	inside bool   // a column is open
	more   bool   // and has another field
	err    error
}

func columnsOf(r Row) columns { return columns{row: r} }

// done returns what was wrong with the row.
func (c *columns) done() error {
	if c.err == nil && c.next != len(c.row) {
		return fmt.Errorf("a row of %d columns where %d are read", len(c.row), c.next)
	}
	return c.err
}

func (c *columns) spoil(problem string) {
	if c.err == nil {
		c.err = fmt.Errorf("column %d of a row %s", c.next, problem)
	}
}

func (c *columns) open() {
	c.fields = c.text()
	c.inside, c.more = true, true
}

func (c *columns) shut() {
	if c.more {
		c.spoil("has more fields than are read")
	}
	c.inside = false
}

func (c *columns) field() string {
	if !c.more {
		c.spoil("has too few fields")
		return ""
	}
	var field string
	field, c.fields, c.more = strings.Cut(c.fields, separator)
	return field
}

func take[T any](c *columns, what string) T {
	var v any
	if c.next < len(c.row) {
		v = c.row[c.next]
	}
	c.next++
	t, ok := v.(T)
	if !ok {
		c.spoil("is not " + what)
	}
	return t
}

func (c *columns) text() string {
	if c.inside {
		return c.field()
	}
	return take[string](c, "text")
}

func (c *columns) number() int64 {
	if !c.inside {
		return take[int64](c, "a number")
	}
	field := c.field()
	if n, ok := digits(field); ok {
		return n
	}
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		c.spoil("is not a number")
	}
	return n
}

// digits reads a number of 1 to 18 digits. Most are such, and a look-up reads a dozen.
func digits(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// flag reads 0 as false and 1 as true.
func (c *columns) flag() bool {
	n := c.number()
	if n != 0 && n != 1 {
		c.spoil("is neither 0 nor 1")
	}
	return n == 1
}

// blob reads bytes; NULL is none.
func (c *columns) blob() []byte {
	if c.next < len(c.row) && c.row[c.next] == nil {
		c.next++
		return nil
	}
	return take[[]byte](c, "bytes")
}

// moment reads a time in UTC; 0 is the zero time.
func (c *columns) moment() time.Time {
	n := c.number()
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// enum reads text through the parser of its type, whose zero value is invalid.
func enum[T comparable](c *columns, parse func(string) T) T {
	v := parse(c.text())
	var zero T
	if v == zero {
		c.spoil("holds an unknown word")
	}
	return v
}

// words reads a list of words that [wordList] wrote. The usual list, which has nothing
// to unescape, is cut out of the text without a decoder.
func words[T ~string](c *columns) []T {
	text := c.text()
	if text == "" || c.err != nil {
		return nil
	}
	inner, opens := strings.CutPrefix(text, "[\"")
	inner, closes := strings.CutSuffix(inner, "\"]")
	plain := opens && closes && strings.IndexByte(text, '\\') < 0
	if !plain {
		return list[T](c, text)
	}
	out := make([]T, 0, strings.Count(inner, "\",\"")+1)
	for more := true; more; {
		var word string
		word, inner, more = strings.Cut(inner, "\",\"")
		if strings.IndexByte(word, '"') >= 0 {
			return list[T](c, text)
		}
		out = append(out, T(word))
	}
	return out
}

// list reads a list that [jsonList] wrote.
func list[T any](c *columns, text string) []T {
	if text == "" || c.err != nil {
		return nil
	}
	var out []T
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields() // a field that is not understood may be one that forbids
	err := d.Decode(&out)
	if err == nil {
		if _, after := d.Token(); after == io.EOF {
			return out
		}
	}
	c.spoil("is not the list it should be")
	return nil
}

// The other direction: what is stored.

// micros is what is stored of a time. The instant that would read as none is moved by
// one microsecond.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if n := t.UnixMicro(); n != 0 {
		return n
	}
	return 1
}

// asStored is t as it is read back.
func asStored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(micros(t)).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// blob is what is stored of bytes that may be none.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// wordList is what is stored of a list of words.
func wordList[T ~string](list []T) (string, error) {
	for _, word := range list {
		if !storable(string(word)) {
			return "", errUnstorable
		}
	}
	return jsonList(list)
}

// jsonList is what is stored of a list: nothing for none, so that most rows have
// nothing to decode.
func jsonList[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	return jsonText(list)
}

func jsonText(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", errors.New("a value cannot be written as JSON")
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
