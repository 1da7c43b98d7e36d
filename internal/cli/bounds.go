// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed14544106/gatehouse/api"
)

// bound is a row of a key's second table: a flag of key create that sets it, and a value of it.
type bound struct{ name, value string }

// bounds prints what else holds for a key, below the columns that all keys share. Where that
// is nothing, it prints nothing.
func (e *env) bounds(k *api.Key) error {
	rows := keyBoundRows(k)
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(e.Out); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return table(e, rows, []string{"BOUND", "VALUE"}, func(b *bound) []string { return []string{b.name, b.value} })
}

// keyBoundRows lists what is set. A value has a row of its own, because a path or a note may
// hold any separator.
func keyBoundRows(k *api.Key) []bound {
	var rows []bound
	add := func(name string, values ...string) {
		for _, v := range values {
			rows = append(rows, bound{name, v})
		}
	}
	add("network", k.Networks...)
	add("method", k.Methods...)
	add("path", k.Paths...)
	for i := range k.Limits {
		name := "limit"
		if k.Limits[i].Refill != "" {
			name = "quota"
		}
		add(name, limitText(&k.Limits[i]))
	}
	if k.Signed {
		add("signed-only", yesNo(true))
	}
	if k.Replay == "window" {
		add("replay", k.Replay)
	}
	if k.NotBefore != nil {
		add("not-before", moment(k.NotBefore))
	}
	if k.Expires != nil && ends(k) != k.Expires { // the column shows the earlier end
		add("expires", moment(k.Expires))
	}
	for _, name := range slices.Sorted(maps.Keys(k.Metadata)) {
		add("meta", name+"="+k.Metadata[name])
	}
	return rows
}
