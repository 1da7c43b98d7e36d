// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"strings"
	"testing"
)

func TestCompilePattern(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		pattern  string
		match    []string
		mismatch []string
	}{
		{`^abc$`, []string{"abc"}, []string{"xabc", "abcx", "abc\n", "x\nabc\ny"}},
		{`\Aabc\z`, []string{"abc"}, []string{"xabc", "abc\n"}},
		{`\Aabc\Z`, []string{"abc"}, []string{"abc\n"}},
		{`b+`, []string{"abc"}, []string{"ac"}},
		{`^a|b$`, []string{"ax", "xb"}, []string{"xa", "bx"}},
		{`^(a|b)$`, []string{"a", "b"}, []string{"ab"}},
		{`^(?=.*\d)(?=.*[a-z]).{3,}$`, []string{"1a-", "-a1"}, []string{"1a", "111", "aaa"}},
		{`\A(?=.*\d)[^ ]+\z`, []string{"a1"}, []string{"a", "a 1"}},
		// A look-ahead holds at the start, not anywhere.
		{`^(?=\d)...`, []string{"1ab"}, []string{"a1b"}},
		{`^(?=a|b$)..?`, []string{"a-", "b"}, []string{"b-", "xa"}},
		{`^(?=(a|\)|[)])x).*$`, []string{"ax", ")x"}, []string{"bx"}},
		{`^(?!.*password)(?!\d)\w+$`, []string{"Word1"}, []string{"mypassword", "1word"}},
		{`^(?=.*\d)`, []string{"x1"}, []string{"x", ""}},
		{`^(?=.{8,}$)a*b*$`, []string{"aaaabbbb"}, []string{"aabb", "aaaabbbbc"}},
		// POSIX classes go by Unicode, \d and \w by ASCII.
		{`^[[:lower:]]$`, []string{"a", "ж", "ß"}, []string{"A", "Ж", "1"}},
		{`^[[:upper:]]$`, []string{"A", "Ж"}, []string{"a", "ж"}},
		{`^[[:digit:]]$`, []string{"1", "٣"}, []string{"a", "½"}},
		{`^\d$`, []string{"1"}, []string{"٣"}},
		{`^\w$`, []string{"a", "_"}, []string{"é"}},
		{`^[[:alpha:]]$`, []string{"a", "é", "字"}, []string{"1", "_"}},
		{`^[[:alnum:]]$`, []string{"a", "1", "字"}, []string{"_", "-"}},
		{`^[[:word:]]$`, []string{"a", "1", "_"}, []string{"-", " "}},
		{`^[[:xdigit:]]$`, []string{"0", "a", "F"}, []string{"g"}},
		{`^[[:space:]]$`, []string{" ", "\t", "\n", "\v", "\u00a0"}, []string{"a"}},
		{`^[[:blank:]]$`, []string{" ", "\t"}, []string{"\n"}},
		{`^[[:punct:]]$`, []string{"!", "$", "`", "-", "«"}, []string{"a", " "}},
		{`^[[:cntrl:]]$`, []string{"\x00", "\x7f"}, []string{" "}},
		{`^[[:graph:]]$`, []string{"a", "!", "é", "€"}, []string{" ", "\t", "\x00"}},
		{`^[[:print:]]$`, []string{"a", " "}, []string{"\t", "\x00"}},
		{`^[^[:lower:][:digit:]]$`, []string{"A", "-"}, []string{"a", "1"}},
		{`^[[:punct:]-x]$`, []string{"-", "x", "!"}, []string{"a", "b"}}, // no range
		{`^[]a]$`, []string{"]", "a"}, []string{"b"}},
		{`^[^]a]$`, []string{"b"}, []string{"]", "a"}},
		{`^[\[\]\-\\]$`, []string{"[", "]", "-", `\`}, []string{"a"}},
		{`^[\w.-]$`, []string{"a", ".", "-"}, []string{" "}},
		{`^\p{Lu}\P{Lu}$`, []string{"Жж"}, []string{"жЖ"}},
		{`^\^\$\/\ $`, []string{"^$/ "}, []string{""}},
		{`^a{2,3}?$`, []string{"aa", "aaa"}, []string{"a"}},
		{`^a{x}$`, []string{"a{x}"}, []string{"a"}},
		{`^é.$`, []string{"éж"}, []string{"é", "éжж", "é\n"}},
	} {
		c := compile(t, PasswordPolicy{Pattern: v.pattern})
		for _, s := range v.match {
			if !c.meets(s) {
				t.Errorf("%s does not match %q", v.pattern, s)
			}
		}
		for _, s := range v.mismatch {
			if c.meets(s) {
				t.Errorf("%s matches %q", v.pattern, s)
			}
		}
	}
}

func TestCompileRefusesPattern(t *testing.T) {
	t.Parallel()
	for pattern, why := range map[string]string{
		``:                     "empty",
		`(?=.*\d).{8,}`:        "look-ahead may stand only",
		`^.(?=\d)`:             "look-ahead may stand only",
		`^((?=\d).)`:           "look-ahead may stand only",
		`^(?=(?=\d).)`:         "look-ahead may stand only",
		`^(?=\d)x(?!y)`:        "look-ahead may stand only",
		`^(?=\d)a|b`:           "needs a group",
		`^(?=\d)|b`:            "needs a group",
		`^(?=\d`:               "does not end",
		`^(?=(\d)`:             "does not end",
		`^(?=[)])\d(`:          "missing closing )",
		`^(?=\d)*a`:            "missing argument to repetition",
		`^(?=\d)a)(b`:          "unexpected )",
		`a)(b`:                 "unexpected )",
		`(?<=a)b`:              "only (?: (?= and (?!",
		`(?<!a)b`:              "only (?: (?= and (?!",
		`(?<name>a)`:           "only (?: (?= and (?!",
		`(?>a)`:                "only (?: (?= and (?!",
		`(?i)a`:                "only (?: (?= and (?!",
		`(?m:a)`:               "only (?: (?= and (?!",
		`(?#note)a`:            "only (?: (?= and (?!",
		`(?`:                   "only (?: (?= and (?!",
		`(a)\1`:                "escape",
		`\h`:                   "escape",
		`\bword\b`:             "escape",
		`\Qa\E`:                "escape",
		`\u00e9`:               "escape",
		`\pL`:                  "escape",
		`\p`:                   "escape",
		`\é`:                   "escape",
		`[\h]`:                 "escape",
		`a\`:                   `ends with \`,
		`[a\`:                  `ends with \`,
		`\p{Alpha}`:            "invalid character class",
		`[a`:                   "bracket does not end",
		`[]`:                   "bracket does not end",
		`[[:lower`:             "bracket does not end",
		`[a[bc]]`:              "within brackets",
		`[a-z&&[^b]]`:          "intersections",
		`[[:^lower:]]`:         "unknown or negated",
		`[[:nothing:]]`:        "unknown or negated",
		`[!-[:digit:]]`:        "invalid",
		`a{,3}`:                "{0,n}",
		`a{3}?`:                "{0,n}",
		`a++`:                  "nested repetition",
		`a{2000}`:              "invalid repeat count",
		"a\xff":                "UTF-8",
		"[\xff]":               "UTF-8",
		strings.Repeat("(", 9): "missing closing )",
	} {
		_, err := Compile(PasswordPolicy{Pattern: pattern})
		if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", pattern, err, why)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(DefaultPasswordPolicy().Pattern, "Tecohvi0")
	f.Add(`^(?!.*[[:space:]])(?=(a|[)]))\p{Lu}{2,}$`, "a\n")
	f.Add(`[[:`, "")
	f.Add(`\p{`, "")
	f.Fuzz(func(t *testing.T, pattern, password string) {
		c, err := Compile(PasswordPolicy{Pattern: pattern})
		if err != nil {
			if !errors.Is(err, ErrPolicy) || c != nil {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		c.Check(password)
		// Alone behind an anchor, a look-ahead accepts what its pattern accepts there.
		if strings.HasPrefix(pattern, "^") || strings.HasPrefix(pattern, `\A`) {
			return
		}
		ahead, err := Compile(PasswordPolicy{Pattern: `\A(?=` + pattern + `)`})
		if err != nil {
			t.Fatalf("%q compiles alone, in a look-ahead: %v", pattern, err)
		}
		group, err := Compile(PasswordPolicy{Pattern: `\A(?:` + pattern + `)`})
		if err != nil {
			t.Fatalf("%q compiles alone, in a group: %v", pattern, err)
		}
		if ahead.meets(password) != group.meets(password) {
			t.Errorf("%q with %q: a look-ahead and a group differ", pattern, password)
		}
	})
}
