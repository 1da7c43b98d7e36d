// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// LoadRules reads a TOML file whose one table, rules, says by route pattern what a request
// must have. The values are plain data, as gate.ParseRules takes them.
func LoadRules(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	rules, err := ParseRules(text)
	if err != nil {
		return nil, fmt.Errorf("read rules: %s: %w", path, err)
	}
	return rules, nil
}

// ParseRules is [LoadRules] of the text of a file.
func ParseRules(text []byte) (map[string]any, error) {
	var file struct {
		Rules map[string]any `toml:"rules"`
	}
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
			row, _ := strict.Errors[0].Position()
			return nil, fmt.Errorf("line %d: is not in the table rules", row)
		}
		if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, _ := wrong.Position()
			return nil, fmt.Errorf("line %d: %w", row, err)
		}
		return nil, err
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("the table rules is missing or empty")
	}
	return file.Rules, nil
}
