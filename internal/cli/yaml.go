// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// toYAML turns JSON, as encoding/json writes it, into a YAML document with its members in
// their order. A text that could be read as something else, or moves a reader's cursor, is
// quoted.
func toYAML(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out bytes.Buffer
	out.WriteString("---")
	yamlValue(&out, d, 0)
	return out.Bytes()
}

func yamlValue(out *bytes.Buffer, d *json.Decoder, depth int) {
	token, err := d.Token()
	open, ok := token.(json.Delim)
	if err != nil || !ok {
		out.WriteString(" " + yamlScalar(token) + "\n")
		return
	}
	if !d.More() {
		end, _ := d.Token()
		out.WriteString(" " + open.String() + end.(json.Delim).String() + "\n")
		return
	}
	out.WriteByte('\n')
	for d.More() {
		out.WriteString(strings.Repeat("  ", depth))
		if open == '{' {
			name, _ := d.Token()
			out.WriteString(yamlScalar(name) + ":")
		} else {
			out.WriteByte('-')
		}
		yamlValue(out, d, depth+1)
	}
	_, _ = d.Token()
}

var (
	yamlPlain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./@+-]*$`)
	yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
)

func yamlScalar(v any) string {
	switch v := v.(type) {
	case string:
		if yamlPlain.MatchString(v) && !slices.Contains(yamlWords, strings.ToLower(v)) {
			return v
		}
		return strconv.Quote(v) // its escapes are YAML's too
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}
