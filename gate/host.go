// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"strings"
)

// hostOf is the host of a pattern; empty: it has none.
func hostOf(pattern string) string {
	path := strings.TrimLeft(pattern[strings.IndexAny(pattern, " \t")+1:], " \t")
	return path[:max(strings.IndexByte(path, '/'), 0)]
}

// CanonicalHost is one text for all authorities that name the same host: in lower case, without
// a port and without a dot at the end; an address of IPv6 stands in brackets. Without an
// authority it is empty.
//
// ok is false for what one server could read as another host than the next: all but letters,
// digits, '-', '_' and '.' of ASCII (a name beyond ASCII is written as xn--), an empty part of a
// name, brackets around anything else, a port that is no number.
func CanonicalHost(authority string) (host string, ok bool) {
	if authority == "" {
		return "", true
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	if inside, bracket := strings.CutPrefix(host, "["); bracket {
		inside, bracket = strings.CutSuffix(inside, "]")
		a, err := netip.ParseAddr(inside)
		if !bracket || err != nil || !a.Is6() || a.Zone() != "" {
			return "", false
		}
		return "[" + a.String() + "]", true
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || host[0] == '.' || strings.Contains(host, "..") || host[len(host)-1] == '.' {
		return "", false
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return "", false
		}
	}
	return strings.ToLower(host), true
}
