// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"strings"
	"unicode/utf8"
)

// CanonicalPath returns the path of a raw request target for path rules: without
// query, percent-decoded once, with one leading slash and no trailing one ("/" stays).
// ok is false for a target that two servers could read as two paths, and for one that
// is no path: an empty or dot segment; a backslash, semicolon, '#' or control
// character, plain or encoded; an encoded slash, dot or percent sign; a plain space; a
// broken escape; what is not UTF-8. An encoded space is a space. Rules must refuse such a target.
func CanonicalPath(target string) (path string, ok bool) {
	raw, _, _ := strings.Cut(target, "?")
	if raw == "" || raw[0] != '/' || strings.Contains(raw, "//") {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case ' ':
			return "", false
		case '%':
			if i+2 >= len(raw) {
				return "", false
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			c = byte(hi<<4 | lo)
			i += 2
			if c == '/' || c == '.' || c == '%' {
				return "", false
			}
		}
		if c < ' ' || c == 0x7f || c == '\\' || c == '#' || c == ';' {
			return "", false
		}
		b.WriteByte(c)
	}
	path = b.String()
	if !utf8.ValidString(path) {
		return "", false // some servers read an overlong '.' or '/' in it
	}
	for seg := range strings.SplitSeq(path[1:], "/") {
		if seg == "." || seg == ".." {
			return "", false
		}
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path, true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// UnderPrefix reports whether path lies at or below prefix, by whole segments:
// "/a/b" lies below "/a", "/ab" does not. A prefix that ends in a slash means the same
// as one without.
func UnderPrefix(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}
