// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import "strings"

// hostOf is the host of a pattern; empty: it has none.
func hostOf(pattern string) string {
	path := strings.TrimLeft(pattern[strings.IndexAny(pattern, " \t")+1:], " \t")
	return path[:max(strings.IndexByte(path, '/'), 0)]
}

// canonicalHost is one text for all that name the same host: in lower case, without a port
// and without a dot at the end; empty for what names none. Letters beyond ASCII stay, as they
// do in the name of a host.
func canonicalHost(authority string) string {
	host := authority
	port := func() int { // where it begins, behind an address in brackets
		return max(strings.LastIndexByte(host, ':'), strings.LastIndexByte(host, ']'))
	}
	if i := port(); i >= 0 && host[i] == ':' && strings.Trim(host[i+1:], "0123456789") == "" {
		host = host[:i]
	}
	if i := port(); i >= 0 && host[i] == ':' {
		return ""
	}
	host = strings.TrimSuffix(host, ".")
	if !strings.ContainsAny(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return host
	}
	lower := []byte(host) // strings.Map would make bytes that are no text one and the same
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}
