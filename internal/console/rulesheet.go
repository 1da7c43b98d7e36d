// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/config"
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

// ruleSheet is rules as they were typed.
type ruleSheet struct {
	table map[string]any // by pattern: plain data, or a json.RawMessage that is sent as it was typed
	lines map[string]int // where the patterns stand, as far as it is known
}

// readRules reads JSON as ruleLines writes it, and what does not begin as that does as the TOML of
// the command line. What is wrong with it is told with the line.
func readRules(text string) (ruleSheet, string) {
	switch start := strings.TrimSpace(text); {
	case start == "":
		return ruleSheet{}, noRules
	case strings.HasPrefix(start, "{"):
		return readJSONRules(text)
	}
	table, err := config.ParseRules([]byte(text))
	if err != nil {
		return ruleSheet{}, fmt.Sprintf("This is no JSON, which begins with {, and was read as TOML: %s.", err)
	}
	sheet := ruleSheet{table: table, lines: map[string]int{}}
	for pattern := range table {
		if before, _, found := strings.Cut(text, strconv.Quote(pattern)); found {
			sheet.lines[pattern] = 1 + strings.Count(before, "\n")
		}
	}
	return sheet, ""
}

func readJSONRules(text string) (ruleSheet, string) {
	sheet := ruleSheet{table: map[string]any{}, lines: map[string]int{}}
	lineAt := func(offset int64) int { return 1 + strings.Count(text[:min(int(offset), len(text))], "\n") }
	var demands map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &demands); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return sheet, fmt.Sprintf("Line %d is no JSON: %s.", lineAt(syntax.Offset), syntax.Error())
		}
		return sheet, "The rules are an object in JSON: patterns, and what each demands."
	}
	for pattern, demand := range demands {
		sheet.table[pattern] = demand
	}
	d := json.NewDecoder(strings.NewReader(text))
	_, err := d.Token() // the brace
	for err == nil && d.More() {
		var t json.Token
		t, err = d.Token()
		pattern, ok := t.(string)
		line := lineAt(d.InputOffset())
		var demand json.RawMessage
		if err == nil {
			err = d.Decode(&demand)
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

// wrong is what is wrong with the rules, the schemes that they name being among these; empty:
// nothing. The API finds the same, but spends the code of the second factor before it looks, and
// as it repeats no input it names no pattern.
func (s *ruleSheet) wrong(schemes []string) string {
	if len(s.table) == 0 {
		return noRules
	}
	rules := gate.Rules{}
	err := error(nil)
	for _, pattern := range slices.Sorted(maps.Keys(s.table)) {
		value := s.table[pattern]
		if raw, ok := value.(json.RawMessage); ok {
			err = json.Unmarshal(raw, &value)
		}
		var one gate.Rules
		if err == nil {
			one, err = gate.ParseRules(map[string]any{pattern: value})
		}
		if err != nil {
			return s.told(err)
		}
		rules[pattern] = one[pattern]
	}
	if err = rules.CheckSchemes(schemes); err == nil {
		_, err = rules.Compile()
	}
	if err != nil {
		return s.told(err)
	}
	return ""
}

// told is an error of rules as a sentence, with the lines of the patterns that it names.
func (s *ruleSheet) told(err error) string {
	text := err.Error()
	for pattern, line := range s.lines {
		quoted := strconv.Quote(pattern)
		text = strings.ReplaceAll(text, quoted, fmt.Sprintf("%s (line %d)", quoted, line))
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
