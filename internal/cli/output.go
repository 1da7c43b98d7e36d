// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/seed14544106/gatehouse/api"
)

// format is how records are printed.
type format struct {
	Format string `help:"How to print: table, or json with one object a line." enum:"table,json" default:"table"`
}

// print writes records, as JSON one to a line or as a table with these columns.
func print[T any](e *env, f format, records []T, columns []string, row func(*T) []string) error {
	if f.Format == "json" {
		enc := json.NewEncoder(e.Out)
		for i := range records {
			if err := enc.Encode(records[i]); err != nil {
				return fmt.Errorf("write output: %w", err)
			}
		}
		return nil
	}
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
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '\uFFFD'
		}
		return r
	}, cell)
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
		moment(k.LastUsed), spanText(k.Unused),
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

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
