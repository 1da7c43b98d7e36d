// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
)

// rulesText is a file of these rules, by pattern, as rules set and rules check read it.
func rulesText(r *api.Rules) string {
	var out strings.Builder
	if r.Version == 0 {
		out.WriteString("# No rules are stored yet: gates let any valid key pass.\n")
	} else {
		out.WriteString("# Version " + strconv.FormatInt(r.Version, 10) + "\n")
	}
	out.WriteString("[rules]\n")
	for _, pattern := range slices.Sorted(maps.Keys(r.Rules)) {
		out.WriteString(tomlText(pattern) + " = " + tomlValue(r.Rules[pattern]) + "\n")
	}
	return out.String()
}

// tomlValue is a value that came as JSON, as TOML on one line.
func tomlValue(v any) string {
	var parts []string
	switch v := v.(type) {
	case string:
		return tomlText(v)
	case []any:
		for _, part := range v {
			parts = append(parts, tomlValue(part))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			key := name
			if !bareKey.MatchString(name) {
				key = tomlText(name)
			}
			parts = append(parts, key+" = "+tomlValue(v[name]))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	text, _ := json.Marshal(v) // numbers and booleans are the same in both
	return string(text)
}

// bareKey is a key that needs no quotation marks.
var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlText is a basic string of TOML that moves no reader's cursor.
func tomlText(text string) string {
	out := []byte{'"'}
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out = fmt.Appendf(out, `\%c`, r)
		case unprintable(r):
			out = fmt.Appendf(out, `\U%08x`, r)
		default:
			out = fmt.Appendf(out, "%c", r)
		}
	}
	return string(append(out, '"'))
}
