// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Example returns a configuration file that sets every key to its default, with what
// it means. Loading it changes nothing.
func Example() string {
	var b strings.Builder
	b.WriteString("# Gatehouse configuration. Every setting is here with its default.\n")
	b.WriteString("# Each is also an environment variable: data is " + EnvName("data") + ", log.level is " + EnvName("log.level") + ".\n")
	var c Config
	section := ""
	for _, s := range settings(&c) {
		head, name := "", s.key
		if i := strings.LastIndexByte(s.key, '.'); i >= 0 {
			head, name = s.key[:i], s.key[i+1:]
		}
		if head != section {
			section = head
			fmt.Fprintf(&b, "\n[%s]\n", head)
		}
		fmt.Fprintf(&b, "\n# %s\n%s = %s\n", s.help, name, s.literal())
	}
	return b.String()
}

// literal is the default as TOML.
func (s setting) literal() string {
	switch s.value.Interface().(type) {
	case bool, int, float64:
		return s.fallback
	case string:
	default:
		if s.value.Kind().String() == "slice" {
			words := splitList(s.fallback)
			for i, w := range words {
				words[i] = strconv.Quote(w)
			}
			return "[" + strings.Join(words, ", ") + "]"
		}
	}
	if strings.ContainsAny(s.fallback, `\`) {
		return "'" + s.fallback + "'"
	}
	return strconv.Quote(s.fallback)
}
