// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse/api"
)

// print writes records: as JSON, one to a line; as YAML, each a document; or as a table
// with these columns.
func print[T any](e *env, records []T, columns []string, row func(*T) []string) error {
	if e.format == "table" {
		return table(e, records, columns, row)
	}
	for i := range records {
		if err := e.plain(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

// one prints one record.
func one[T any](e *env, record T, columns []string, row func(*T) []string) error {
	return print(e, []T{record}, columns, row)
}

// plain writes one record as JSON or YAML.
func (e *env) plain(record any) error {
	text, err := toJSON(record)
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if e.format == "yaml" {
		text = toYAML(text)
	} else {
		text = append(text, '\n')
	}
	if _, err := e.Out.Write(text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// toJSON is a record as JSON on one line.
func toJSON(record any) ([]byte, error) {
	text, err := json.Marshal(record)
	return escaped(text), err
}

// escaped is JSON that says the same and moves no reader's cursor. encoding/json leaves DEL
// and all but two of the characters beyond ASCII as they are.
func escaped(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		if r < ' ' || !unprintable(r) { // below are only the line ends between values
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

func table[T any](e *env, records []T, columns []string, row func(*T) []string) error {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(columns, "\t"))
	for i := range records {
		cells := row(&records[i])
		for j := range cells {
			cells[j] = printable(cells[j])
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// printable keeps a hostile name from moving the reader's cursor or reversing its text.
func printable(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '\uFFFD'
		}
		return r
	}, cell)
}

// unprintable reports whether a character shows nothing, but changes how others are shown.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

var keyColumns = []string{"KID", "NAME", "OWNER", "SCHEMES", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST-USED", "UNUSED"}

// ends is when the key ends: at its own time, or when it will have lain unused for as long
// as it may.
func ends(k *api.Key) *time.Time {
	if k.Unused == 0 || k.LastUsed == nil {
		return k.Expires
	}
	unused := k.LastUsed.Add(time.Duration(k.Unused) * time.Second)
	if k.Expires != nil && k.Expires.Before(unused) {
		return k.Expires
	}
	return &unused
}

func keyRow(k *api.Key) []string {
	return []string{
		k.ID, k.Name, k.Owner, strings.Join(k.Schemes, ","), strings.Join(k.Scopes, ","), k.State, moment(&k.Created), moment(ends(k)),
		moment(k.LastUsed), unusedText(k.Unused),
	}
}

var accountColumns = []string{"UID", "EMAIL", "ROLE", "LEVEL", "STATE", "OTP", "CREATED"}

func accountRow(a *api.Account) []string {
	otp := "off"
	if a.OTP {
		otp = "on"
	}
	return []string{a.UID, a.Email, a.Role, fmt.Sprint(a.Level), a.State, otp, moment(&a.Created)}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// comma lists words in a cell.
func comma(list []string) string { return strings.Join(list, ",") }

// collect reads a list to its end.
func collect[T any](records iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// moment is a time in a cell; the zero value is none that anybody knows.
func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
