// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// check is a gateway's question while it is read. Each of its methods reads one fact from
// one field; the first that cannot be read is kept.
type check struct {
	r       *http.Request
	below   string // of the raw target, what follows the dialect's path
	proxies gate.Proxies
	q       gatehouse.Request
	carrier *http.Request // whose body is the client's; nil: none is here
	bad     string        // the field that is missing, repeated or malformed; empty: none
	problem string
}

// Problems of a field.
const (
	missing   = "missing"
	repeated  = "repeated"
	malformed = "malformed"
)

func (c *check) fail(field, problem string) {
	if c.bad == "" {
		c.bad, c.problem = field, problem
	}
}

// one is the value of a field that is there exactly once; empty: it is not, or says nothing.
func (c *check) one(field string) string {
	switch values := c.r.Header[field]; {
	case len(values) > 1:
		c.fail(field, repeated)
	case len(values) == 0 || values[0] == "":
		c.fail(field, missing)
	default:
		return values[0]
	}
	return ""
}

// method reads the client's method, a token (RFC 9110 section 9.1).
func (c *check) method(field, value string) {
	if !all(value, &methodBytes) {
		c.fail(field, malformed)
	}
	c.q.Method = value
}

// scheme reads http or https.
func (c *check) scheme(field, value string) {
	if value != "http" && value != "https" {
		c.fail(field, malformed)
	}
	c.q.Scheme = value
}

// host reads what the client named in Host or :authority: a name or an address, with or
// without a port. A comma would be two of them, an '@' a user before it.
func (c *check) host(field, value string) {
	if !all(value, &hostBytes) {
		c.fail(field, malformed)
	}
	c.q.Authority = value
}

// target reads the raw request target, after method and host. The absolute form (RFC 9112
// section 3.2.2) is taken for the origin form, as that is what signatures cover; where it
// names another host than the fact does, nobody knows by which of them the gateway goes.
// The asterisk form is for OPTIONS only.
func (c *check) target(field, value string) {
	if scheme, rest, ok := strings.Cut(value, "://"); ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
		host, origin := splitHost(rest)
		if !strings.EqualFold(host, c.q.Authority) {
			c.fail(field, malformed)
		}
		if value = origin; origin == "" || origin[0] == '?' {
			value = "/" + origin
		}
	}
	if value == "*" && c.q.Method == http.MethodOptions {
		c.q.Target = value
		return
	}
	if value == "" || value[0] != '/' || !printed(value) {
		c.fail(field, malformed)
	}
	c.q.Target = value
}

// splitHost parts what follows the "://" of a URL before its path or query.
func splitHost(rest string) (host, origin string) {
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		return rest, ""
	}
	return rest[:i], rest[i:]
}

// address reads the client's address.
func (c *check) address(field, value string) {
	a, ok := parseAddress(value)
	if !ok {
		c.fail(field, malformed)
	}
	c.q.Peer = a
}

// hops reads X-Forwarded-For, whose right end the gateway wrote: the client's address is the
// last that is not a trusted proxy's, or else the first.
func (c *check) hops(field, value string) {
	for rest, more := value, true; more; {
		i := strings.LastIndexByte(rest, ',')
		hop, ok := parseAddress(strings.Trim(rest[i+1:], " \t"))
		if !ok {
			c.fail(field, malformed)
			return
		}
		c.q.Peer = hop
		if more = i >= 0 && c.proxies.Trusts(hop); more {
			rest = rest[:i]
		}
	}
}

// body reads what the gateway knows of the client's body.
func (c *check) body(field, value string) {
	switch {
	case value == "sent":
		c.carrier = c.r
	case value == "none" && c.r.ContentLength == 0:
		c.q.Body.State = gatehouse.BodyPresent
	case value != "withheld":
		c.fail(field, malformed)
	}
}

// plain reports whether the target can be read in one way only. A gateway may go by another
// reading than the signature and the rules, so that one is refused even where there are
// no rules.
func (c *check) plain() bool {
	_, ok := gate.CanonicalPath(c.q.Target)
	return ok || c.q.Target == "*"
}

// connection are fields that say something of a connection, and here of the gateway's own.
var connection = []string{HeaderGateway, "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// strip leaves the client's own fields. A copy of the map would double the allocations of a
// check, and nobody reads it after us: see [New].
func (c *check) strip(d *dialect) {
	for _, name := range d.facts {
		delete(c.r.Header, name)
	}
	for _, name := range connection {
		delete(c.r.Header, name)
	}
	c.q.Header = gatehouse.Header(c.r.Header)
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		ap, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap(), a.Zone() == ""
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

var (
	methodBytes = setOf(alphanumeric + "!#$%&'*+-.^_`|~")
	hostBytes   = setOf(alphanumeric + "-._:[]")
)

func setOf(text string) (set [256]bool) {
	for i := range len(text) {
		set[text[i]] = true
	}
	return set
}

// all reports whether a text has bytes of the set only, and at least one.
func all(text string, set *[256]bool) bool {
	for i := range len(text) {
		if !set[text[i]] {
			return false
		}
	}
	return text != ""
}

// printed reports whether a text has neither spaces nor control characters.
func printed(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
