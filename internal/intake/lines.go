// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const maxLine = 1 << 20 // bytes of a line of JSON

// peek skips the byte order mark that some programs write before CSV, and reports
// whether the text begins with a JSON object.
func peek(r io.Reader) (text *bufio.Reader, isJSON bool, err error) {
	text = bufio.NewReader(r)
	if mark, _ := text.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = text.Discard(3) // cannot fail: they are in the buffer
	}
	begin, err := text.Peek(512)
	if errors.Is(err, io.EOF) {
		err = nil // the file is shorter
	}
	if err == nil && len(begin) == 0 {
		err = errors.New("the file is empty")
	}
	return text, bytes.HasPrefix(bytes.TrimSpace(begin), []byte("{")), err
}

// jsonLines reads one object a line. A line that cannot be read is an entry with a
// problem; empty lines are passed over.
func jsonLines(text io.Reader) func(*entry) error {
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxLine)
	n := 0
	return func(e *entry) error {
		for lines.Scan() {
			n++
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if !decodeObject(line, e) {
				*e = entry{problem: "not one JSON object with the known fields"}
			}
			e.line = n
			return nil
		}
		if errors.Is(lines.Err(), bufio.ErrTooLong) {
			return fmt.Errorf("line %d is longer than 1 MiB", n+1)
		}
		if err := lines.Err(); err != nil {
			return err
		}
		return io.EOF
	}
}

// decodeObject keeps no error: those of encoding/json quote the text.
func decodeObject(line []byte, e *entry) bool {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return line[0] == '{' && d.Decode(e) == nil && d.Decode(&struct{}{}) == io.EOF
}

type column struct {
	name     string
	required bool
	set      func(*entry, string)
}

// columns are those that CSV may have.
var columns = []column{
	{"prefix", true, func(e *entry, v string) { e.Prefix = v }},
	{"short_token", true, func(e *entry, v string) { e.ShortToken = v }},
	{"hash", true, func(e *entry, v string) { e.Hash = v }},
	{"owner", true, func(e *entry, v string) { e.Owner = v }},
	{"scopes", true, func(e *entry, v string) { e.Scopes = append([]string{}, strings.Fields(v)...) }},
	{"name", false, func(e *entry, v string) { e.Name = v }},
	{"hash_algorithm", false, func(e *entry, v string) { e.HashAlgorithm = v }},
	{"created", false, func(e *entry, v string) { e.Created = v }},
	{"expires", false, func(e *entry, v string) { e.Expires = v }},
}

// csvLines reads CSV (RFC 4180) with a header. A record that cannot be read is an entry
// with a problem.
func csvLines(text io.Reader) (func(*entry) error, error) {
	r := csv.NewReader(text)
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("header: missing")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	// The name of an unknown column is not repeated: without a header it is a value.
	order := make([]int, len(header)) // which of the columns stands at each place
	for at, name := range header {
		order[at] = slices.IndexFunc(columns, func(c column) bool { return c.name == strings.TrimSpace(name) })
		if order[at] < 0 {
			return nil, fmt.Errorf("header: column %d is not known; the names are %s", at+1, columnNames())
		}
		if slices.Contains(order[:at], order[at]) {
			return nil, fmt.Errorf("header: column %d stands twice", at+1)
		}
	}
	for i, c := range columns {
		if c.required && !slices.Contains(order, i) {
			return nil, fmt.Errorf("header: there is no column %s", c.name)
		}
	}
	return func(e *entry) error {
		values, err := r.Read()
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			*e = entry{line: broken.StartLine, problem: "not a record of CSV with the columns of the header"}
			return nil
		}
		if err != nil {
			return err
		}
		e.line, _ = r.FieldPos(0)
		for at, value := range values {
			columns[order[at]].set(e, value)
		}
		return nil
	}, nil
}

// columnNames are the names that a header may hold.
func columnNames() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}
