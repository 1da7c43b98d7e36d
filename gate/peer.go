// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package gate turns HTTP requests into questions for an authority and its answers
// back into HTTP.
package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies says which peers may speak for a client. The zero value trusts nobody.
type Proxies struct {
	trusted []netip.Prefix
}

// TrustProxies makes the set of proxies with these networks.
func TrustProxies(networks ...netip.Prefix) Proxies { return Proxies{trusted: networks} }

// Peer is the client's address: the connection's own, or, where that is a trusted
// proxy, the last address of X-Forwarded-For that is not one. Reading from the right
// means that a client cannot add to the part that counts. An address that cannot be
// read ends the walk: the result is then invalid and matches no network.
func (p Proxies) Peer(r *http.Request) netip.Addr {
	conn := connPeer(r)
	if !p.Trusts(conn) {
		return conn
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	peer := conn
	for i := len(hops) - 1; i >= 0; i-- {
		text := strings.TrimSpace(hops[i])
		if text == "" && len(hops) == 1 {
			return conn
		}
		hop, ok := parseHop(text)
		if !ok {
			return netip.Addr{}
		}
		peer = hop
		if !p.Trusts(hop) {
			return hop
		}
	}
	return peer
}

// Trusts reports whether an address is a trusted proxy's.
func (p Proxies) Trusts(a netip.Addr) bool {
	for _, n := range p.trusted {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Secure reports whether the client's own connection was encrypted: ours is, or a
// trusted proxy says that its was.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	proto := r.Header.Values("X-Forwarded-Proto")
	return len(proto) == 1 && proto[0] == "https" && p.Trusts(connPeer(r))
}

func connPeer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// parseHop reads an address, with or without a port, as proxies write them.
func parseHop(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap(), true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil && ap.Addr().Zone() == "" {
		return ap.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}
