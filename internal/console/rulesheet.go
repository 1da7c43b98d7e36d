// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ruleLines writes rules as JSON, one a line, by pattern.
func ruleLines(rules map[string]any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	write := func(value any) error {
		err := e.Encode(value)
		b.Truncate(max(b.Len()-1, 0)) // the line's end
		return err
	}
	b.WriteString("{")
	for i, pattern := range slices.Sorted(maps.Keys(rules)) {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  ")
		if err := write(pattern); err != nil {
			return "", err
		}
		b.WriteString(": ")
		if err := write(rules[pattern]); err != nil {
			return "", err
		}
	}
	b.WriteString("\n}\n")
	return b.String(), nil
}

// ruleSheet is rules as they were typed. What a rule demands is the API's to read.
type ruleSheet struct {
	demands map[string]json.RawMessage // by pattern
	lines   map[string]int             // where the patterns stand
}

// readRules reads JSON as ruleLines writes it. What is wrong with it is told with the line.
func readRules(text string) (ruleSheet, string) {
	sheet := ruleSheet{lines: map[string]int{}}
	lineAt := func(offset int64) int { return 1 + strings.Count(text[:min(int(offset), len(text))], "\n") }
	if err := json.Unmarshal([]byte(text), &sheet.demands); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return sheet, fmt.Sprintf("Line %d is no JSON: %s.", lineAt(syntax.Offset), syntax.Error())
		}
		return sheet, "The rules are an object in JSON: patterns, and what each demands."
	}
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return sheet, "The rules are an object in JSON: patterns, and what each demands."
	}
	for d.More() {
		t, err := d.Token()
		pattern, ok := t.(string)
		line := lineAt(d.InputOffset())
		var demands json.RawMessage
		if err == nil {
			err = d.Decode(&demands)
		}
		if err != nil || !ok {
			return sheet, fmt.Sprintf("Line %d cannot be read.", line)
		}
		if first, twice := sheet.lines[pattern]; twice {
			return sheet, fmt.Sprintf("Lines %d and %d have the same pattern.", first, line)
		}
		sheet.lines[pattern] = line
	}
	return sheet, ""
}

// table is the rules as the client takes them.
func (s *ruleSheet) table() map[string]any {
	out := map[string]any{}
	for pattern, demands := range s.demands {
		out[pattern] = demands
	}
	return out
}

// The API repeats no input: it tells the places of rules in byte order of their patterns.
var (
	places = regexp.MustCompile(`numbers? \d+(?: and \d+)? by pattern`)
	digits = regexp.MustCompile(`\d+`)
)

// name puts patterns and lines in place of the places that the API tells.
func (s *ruleSheet) name(text string) string {
	sorted := slices.Sorted(maps.Keys(s.lines))
	return places.ReplaceAllStringFunc(text, func(found string) string {
		var named []string
		for _, n := range digits.FindAllString(found, -1) {
			i, err := strconv.Atoi(n)
			if err != nil || i < 1 || i > len(sorted) {
				return found
			}
			named = append(named, fmt.Sprintf("%q (line %d)", sorted[i-1], s.lines[sorted[i-1]]))
		}
		return strings.Join(named, " and ")
	})
}
