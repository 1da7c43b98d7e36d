// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseExtra(t *testing.T) {
	t.Parallel()
	many := "a:2000:{"
	for i := range 2000 {
		many += fmt.Sprintf("i:%d;s:1:\"x\";", i)
	}
	for _, row := range []struct {
		text string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{"a:0:{}", nil, true},
		{`a:1:{i:0;s:1:"*";}`, []string{"*"}, true},
		{`a:2:{i:0;s:10:"users-read";i:1;s:12:"schreiben-ä";}`, []string{"users-read", "schreiben-ä"}, true},
		{`a:2:{i:0;s:1:"a";i:1;s:1:"a";}`, []string{"a", "a"}, true},
		{`a:2:{s:1:"x";s:1:"a";i:-7;s:1:"b";}`, []string{"a", "b"}, true},
		{`a:2:{i:0;s:1:"a";i:1;i:5;}`, []string{"a"}, true}, // an integer matches no route
		{`a:1:{i:0;s:3:"";}`, nil, false},
		{`a:1:{i:0;s:4:"a";b";}`, []string{`a";b`}, true},
		{`s:10:"users-read";`, []string{"users-read"}, true},
		{"users-read", []string{"users-read"}, true},
		{`["users-read"]`, []string{`["users-read"]`}, true},
		{`O:8:"stdClass":0:{}`, []string{`O:8:"stdClass":0:{}`}, true}, // text to Shield as well; no scope
		{`a:1:{i:0;O:8:"stdClass":0:{}}`, nil, false},
		{`a:1:{i:0;a:0:{}}`, nil, false},
		{`a:1:{i:0;b:1;}`, nil, false},
		{`a:1:{i:0;d:1.5;}`, nil, false},
		{`a:1:{i:0;N;}`, nil, false},
		{`a:1:{i:0;R:1;}`, nil, false},
		{`a:2:{i:0;s:1:"*";i:0;s:1:"x";}`, nil, false}, // in PHP only the last is left
		{`a:2:{i:0;s:1:"*";s:1:"0";s:1:"x";}`, nil, false},
		{`a:2:{i:0;s:1:"a";}`, nil, false},
		{`a:0:{i:0;s:1:"a";}`, nil, false},
		{`a:1:{i:0;s:9:"a";}`, nil, false},
		{`a:1:{i:0;s:-1:"a";}`, nil, false},
		{`a:1:{i:x;s:1:"a";}`, nil, false},
		{`a:99999999999:{}`, nil, false},
		{`a:-1:{}`, nil, false},
		{`a:1:{i:0;s:1:"a"`, nil, false},
		{`a:0:{}x`, nil, false},
		{"a:", nil, false},
		{"s:", nil, false},
		{many + "}", slices.Repeat([]string{"x"}, 2000), true},
		{strings.Repeat("x", maxExtra+1), nil, false},
	} {
		got, err := parseExtra(row.text)
		if !slices.Equal(got, row.want) || (err == nil) != row.ok {
			t.Errorf("%.60q: %.60q, %v", row.text, got, err)
		}
	}
}

// serialize is what PHP writes for a list of strings.
func serialize(words []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(words))
	for i, w := range words {
		fmt.Fprintf(&b, "i:%d;s:%d:\"%s\";", i, len(w), w)
	}
	b.WriteString("}")
	return b.String()
}

func FuzzParseExtra(f *testing.F) {
	f.Add(`a:2:{i:0;s:10:"users-read";i:1;s:1:"*";}`)
	f.Add(`a:2:{s:1:"x";s:1:"a";i:-7;i:5;}`)
	f.Add(`s:2:"ab";`)
	f.Add("users-read")
	f.Fuzz(func(t *testing.T, text string) {
		words, err := parseExtra(text)
		if err != nil {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("the error holds the text: %v", err)
			}
			return
		}
		if printed := serialize(words); len(printed) <= maxExtra {
			again, err := parseExtra(printed)
			if err != nil || !slices.Equal(again, words) {
				t.Errorf("%q becomes %q: %v", words, again, err)
			}
		}
	})
}
