// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// patternRule is one conjunct of a pattern.
type patternRule struct {
	expr    *regexp.Regexp
	forbids bool // the password must not match: (?!X)
}

// compileRuby turns a pattern into rules that must all hold.
func compileRuby(pattern string) ([]patternRule, error) {
	tokens, err := readRuby(pattern)
	if err != nil {
		return nil, err
	}
	anchored := len(tokens) > 1 && (tokens[0].ruby == "^" || tokens[0].ruby == `\A`)
	if !anchored || !tokens[1].isLookAhead() {
		// Go's ^ and $ mean the whole text by themselves.
		rule, err := compileRule(tokens, "", "")
		return []patternRule{rule}, err
	}
	var rules []patternRule
	rest := tokens[1:]
	for len(rest) > 0 && rest[0].isLookAhead() {
		forbids := rest[0].ruby == "(?!"
		var inner []rubyToken
		if inner, rest, err = cutLookAhead(rest); err != nil {
			return nil, err
		}
		rule, err := compileRule(inner, `\A(?:`, `)`)
		if err != nil {
			return nil, err
		}
		rule.forbids = forbids
		rules = append(rules, rule)
	}
	for _, t := range rest {
		if t.ruby == "|" && t.depth == 0 {
			return nil, errors.New("an alternation beside look-aheads needs a group")
		}
	}
	rule, err := compileRule(rest, `\A(?:`, `)`)
	return append(rules, rule), err
}

// compileRule compiles tokens without look-aheads, framed by before and after.
func compileRule(tokens []rubyToken, before, after string) (patternRule, error) {
	var b strings.Builder
	for _, t := range tokens {
		if t.isLookAhead() {
			return patternRule{}, errors.New(`a look-ahead may stand only directly after a leading ^ or \A`)
		}
		b.WriteString(t.re2)
	}
	// By itself first: a frame must not complete what is incomplete.
	if _, err := regexp.Compile(b.String()); err != nil {
		return patternRule{}, err
	}
	expr, err := regexp.Compile(before + b.String() + after)
	return patternRule{expr: expr}, err
}

// cutLookAhead splits tokens that begin with a look-ahead into what it holds and
// what follows it.
func cutLookAhead(tokens []rubyToken) (inner, rest []rubyToken, err error) {
	for i, t := range tokens {
		if t.ruby == ")" && t.depth == tokens[0].depth {
			return tokens[1:i], tokens[i+1:], nil
		}
	}
	return nil, nil, errors.New("a look-ahead does not end")
}

// rubyToken is an escape, a bracket expression, the opening of a group, or one
// character.
type rubyToken struct {
	ruby, re2 string // as read, and the same in RE2's syntax, which has no look-ahead
	depth     int    // how many groups surround it
}

func (t rubyToken) isLookAhead() bool { return t.ruby == "(?=" || t.ruby == "(?!" }

// readRuby splits a pattern into tokens. It does not check that groups end.
func readRuby(pattern string) ([]rubyToken, error) {
	var tokens []rubyToken
	depth := 0
	for at := 0; at < len(pattern); {
		n, re2, err := nextToken(pattern[at:])
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		token := rubyToken{ruby: pattern[at : at+n], re2: re2}
		if token.ruby == ")" {
			depth--
		}
		token.depth = depth
		if token.ruby[0] == '(' {
			depth++
		}
		tokens = append(tokens, token)
		at += n
	}
	return tokens, nil
}

// foreignRepeat begins a repetition that the two syntaxes read differently: RE2 takes
// {,n} literally, and Ruby's {n}? means "or not at all".
var foreignRepeat = regexp.MustCompile(`^\{(,|[0-9]+\}\?)`)

// nextToken returns the length of the first token of s, which is not empty, and the
// token in RE2's syntax.
func nextToken(s string) (n int, re2 string, err error) {
	switch s[0] {
	case '\\':
		return rubyEscape(s)
	case '[':
		return rubyBracket(s)
	case '(':
		if !strings.HasPrefix(s, "(?") {
			return 1, s[:1], nil
		}
		if len(s) > 2 && strings.IndexByte(":=!", s[2]) >= 0 {
			return 3, s[:3], nil
		}
		return 0, "", errors.New("of the groups with (? only (?: (?= and (?! are supported")
	case '{':
		if foreignRepeat.MatchString(s) {
			return 0, "", errors.New("the repetitions {,n} and {n}? are not supported; write {0,n} or (?:…{n})?")
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return 0, "", errors.New("it is not UTF-8")
	}
	return n, s[:n], nil
}

// rubyEscape accepts the escapes that mean the same in both syntaxes.
func rubyEscape(s string) (n int, re2 string, err error) {
	if len(s) < 2 {
		return 0, "", errors.New(`it ends with \`)
	}
	switch c := s[1]; {
	case c == 'Z':
		return 2, `\z`, nil
	case c == 'p' || c == 'P':
		if end := strings.IndexByte(s, '}'); end > 0 && s[2] == '{' {
			return end + 1, s[:end+1], nil
		}
	case strings.IndexByte("dDwWsSAzntrfva", c) >= 0:
		return 2, s[:2], nil
	case c < utf8.RuneSelf && (unicode.IsPunct(rune(c)) || unicode.IsSymbol(rune(c)) || c == ' '):
		return 2, s[:2], nil
	}
	return 0, "", errors.New("an escape is not supported: it is none of " +
		`\d \w \s \p{…} with their negations, \A \z \Z \n \t \r \f \v \a, or a sign`)
}

// posixClasses are Ruby's, which go by Unicode; RE2's own know ASCII only. Each begins
// and ends with an escape, so that a '-' beside it never makes a range.
var posixClasses = map[string]string{
	"alnum":  `\p{L}\p{M}\p{Nd}`,
	"alpha":  `\p{L}\p{M}`,
	"blank":  `\p{Zs}\t\p{Zs}`,
	"cntrl":  `\p{Cc}`,
	"digit":  `\p{Nd}`,
	"graph":  `\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}`,
	"lower":  `\p{Ll}`,
	"print":  `\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}\p{Zs}`,
	"punct":  `\p{P}$+<=>^|~` + "`" + `\p{P}`,
	"space":  `\p{Z}\t-\r\x{85}\p{Z}`,
	"upper":  `\p{Lu}`,
	"word":   `\p{L}\p{M}\p{Nd}\p{Pc}`,
	"xdigit": `\dA-Fa-f\d`,
}

// rubyBracket reads a bracket expression, from '[' to its ']'.
func rubyBracket(s string) (n int, re2 string, err error) {
	var b strings.Builder
	for _, opening := range []string{"[", "^", "]"} { // a ']' that comes first is a member
		if strings.HasPrefix(s[n:], opening) {
			b.WriteString(opening)
			n++
		}
	}
	for n < len(s) {
		rest := s[n:]
		size, member := 1, rest[:1]
		switch {
		case rest[0] == ']':
			return n + 1, b.String() + "]", nil
		case strings.HasPrefix(rest, "[:"):
			name, _, _ := strings.Cut(rest[2:], ":]")
			member = posixClasses[name]
			if member == "" {
				return 0, "", errors.New("a [:class:] in brackets is unknown or negated")
			}
			size = len("[::]") + len(name)
		case rest[0] == '[':
			return 0, "", errors.New(`brackets within brackets are not supported; write \[ for the character`)
		case strings.HasPrefix(rest, "&&"):
			return 0, "", errors.New("intersections in brackets are not supported")
		case rest[0] == '\\':
			if size, member, err = rubyEscape(rest); err != nil {
				return 0, "", err
			}
		}
		b.WriteString(member)
		n += size
	}
	return 0, "", errors.New("a bracket does not end")
}
