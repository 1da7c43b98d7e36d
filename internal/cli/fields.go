// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/seed14544106/gatehouse/api"
)

// field is a row of a record that is shown whole. A list has a row for each value, because a
// path or a note may hold any separator.
type field struct {
	name   string
	values []string
}

// fields prints a record whole, one field under the other: long ones do not part others.
func (e *env) fields(all []field) error {
	var rows [][2]string
	for _, f := range all {
		if len(f.values) == 0 {
			f.values = []string{""}
		}
		for _, v := range f.values {
			rows = append(rows, [2]string{f.name, v})
		}
	}
	return table(e, rows, []string{"FIELD", "VALUE"}, func(r *[2]string) []string { return r[:] })
}

// whole prints one key with all that is known of it.
func (e *env) whole(k *api.Key) error {
	if e.format != "table" {
		return e.plain(k)
	}
	return e.fields(keyFields(k))
}

// made prints new keys, or a new secret. A secret has a line of its own.
func (e *env) made(keys ...api.CreatedKey) error {
	for i := range keys {
		k := &keys[i]
		if e.format != "table" {
			if err := e.plain(k); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			if _, err := fmt.Fprintln(e.Out); err != nil {
				return fmt.Errorf("write output: %w", err)
			}
		}
		rest := keyFields(&k.Key)
		if err := e.fields(slices.Concat(rest[:1], []field{{"secret", []string{k.Secret}}, {"token", []string{k.Token}}}, rest[1:])); err != nil {
			return err
		}
	}
	return nil
}

// keyFields lists what is known of a key, its id first. The names are those of flags, where
// there are such.
func keyFields(k *api.Key) []field {
	one := func(name, value string) field { return field{name, []string{value}} }
	var rates, quotas, notes []string
	for i := range k.Limits {
		if text := limitText(&k.Limits[i]); k.Limits[i].Refill == "" {
			rates = append(rates, text)
		} else {
			quotas = append(quotas, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Metadata)) {
		notes = append(notes, name+"="+k.Metadata[name])
	}
	notBefore, rotating := "", ""
	if k.NotBefore != nil {
		notBefore = moment(k.NotBefore)
	}
	if k.Rotating != nil {
		rotating = moment(k.Rotating)
	}
	return []field{
		one("kid", k.ID), one("name", k.Name), one("owner", k.Owner), one("tenant", k.Tenant), one("prefix", k.Prefix),
		one("state", k.State), one("state-text", k.StateText), {"scheme", k.Schemes}, {"scope", k.Scopes},
		{"network", k.Networks}, {"method", k.Methods}, {"path", k.Paths}, {"limit", rates}, {"quota", quotas},
		one("signed-only", yesNo(k.Signed)), one("replay", k.Replay), one("not-before", notBefore), one("expires", moment(k.Expires)),
		one("unused", unusedText(k.Unused)), one("ends", moment(ends(k))), one("rotating-until", rotating),
		{"meta", notes}, one("created", moment(&k.Created)), one("updated", moment(&k.Updated)), one("last-used", moment(k.LastUsed)),
		one("version", strconv.FormatInt(k.Version, 10)),
	}
}
