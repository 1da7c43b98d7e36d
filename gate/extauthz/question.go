// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz

import (
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Context extensions of a route, which only Envoy's configuration can set. Names that begin
// with ours are ours: one that is not here is a mistake, and nobody passes. So is one of ours
// without the prefix. Others are none of our business.
const (
	extensionPrefix   = "gatehouse"           // in any case of letters
	extensionScopes   = "gatehouse.scopes"    // scopes that the key must have, all of them, parted by spaces
	extensionAnyScope = "gatehouse.any_scope" // scopes of which it must have one
	extensionSigned   = "gatehouse.signed"    // "true": only schemes that sign; "false": no such demand
	extensionBody     = "gatehouse.body"      // "sent": see [body]; "withheld", as without it: the body is not known
)

// question reads a check: what is asked, and what the route demands besides the rules. flaw
// names what cannot be read.
func (s *Server) question(in *auth.CheckRequest) (q *gatehouse.Request, more gate.Rule, flaw string) {
	a := in.GetAttributes()
	h := a.GetRequest().GetHttp()
	if flaw = unreadable(h); flaw != "" {
		return nil, more, flaw
	}
	more, sent, flaw := demand(a.GetContextExtensions())
	if flaw != "" {
		return nil, more, flaw
	}
	q = &gatehouse.Request{
		Method: h.GetMethod(), Scheme: h.GetScheme(), Authority: h.GetHost(), Target: h.GetPath(), Peer: source(a.GetSource().GetAddress()),
	}
	if raw := h.GetHeaderMap(); raw != nil {
		q.Header = fieldsOf(raw.GetHeaders())
		q.Body = body(h, q.Header, sent)
	} else {
		q.Header = s.merged(h.GetHeaders())
		q.Body = body(h, q.Header, sent)
		maps.DeleteFunc(q.Header, s.changed)
	}
	delete(q.Header, partialBody)
	return q, more, ""
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

var (
	methodBytes = setOf(alphanumeric + "!#$%&'*+-.^_`|~") // RFC 9110 section 5.6.2
	hostBytes   = setOf(alphanumeric + "-._:[]")          // no comma: Envoy joins a Host that was sent twice
)

func setOf(text string) *[256]bool {
	var set [256]bool
	for i := range len(text) {
		set[text[i]] = true
	}
	return &set
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

// unreadable names the attribute that is missing, malformed, or there in two forms.
func unreadable(h *auth.AttributeContext_HttpRequest) string {
	scheme, path := h.GetScheme(), h.GetPath()
	switch {
	case !all(h.GetMethod(), methodBytes):
		return "method"
	case scheme != "" && scheme != "http" && scheme != "https":
		return "scheme"
	case !all(h.GetHost(), hostBytes):
		return "host"
	case !strings.HasPrefix(path, "/") && (path != "*" || h.GetMethod() != http.MethodOptions), !printed(path):
		return "path"
	case h.GetHeaderMap() != nil && len(h.GetHeaders()) > 0:
		return "headers"
	case len(h.GetRawBody()) > 0 && h.GetBody() != "":
		return "body"
	}
	return ""
}

// demand is what the route's extensions demand, and whether the body is sent. What cannot be
// read must not demand less: flaw names it.
func demand(extensions map[string]string) (more gate.Rule, sent bool, flaw string) {
	var all, anyOf gatehouse.Scopes
	var signed bool
	for name, value := range extensions {
		ok := true
		switch name {
		case extensionScopes:
			all, ok = scopes(value)
		case extensionAnyScope:
			anyOf, ok = scopes(value)
		case extensionSigned:
			signed, ok = value == "true", value == "true" || value == "false"
		case extensionBody:
			sent, ok = value == "sent", value == "sent" || value == "withheld"
		case "scopes", "any_scope", "signed", "body": // ours without the prefix: they would demand nothing
			ok = false
		default:
			ok = len(name) < len(extensionPrefix) || !strings.EqualFold(name[:len(extensionPrefix)], extensionPrefix)
		}
		if !ok {
			return gate.Rule{}, false, name
		}
	}
	if len(all)+len(anyOf) > 0 || signed {
		more = gate.Demanding(all, anyOf)
	}
	if signed {
		more = more.SignedOnly()
	}
	return more, sent, ""
}

// scopes reads scopes of which there is at least one.
func scopes(text string) (gatehouse.Scopes, bool) {
	list, err := gatehouse.ParseScopes(strings.Fields(text))
	return list, err == nil && len(list) > 0
}

// source is the client's address as Envoy has it (use_remote_address, xff_num_trusted_hops).
// Invalid: it is not known, as behind a pipe.
func source(a *core.Address) netip.Addr {
	addr, err := netip.ParseAddr(a.GetSocketAddress().GetAddress())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// lost is what Envoy writes for each byte that is no UTF-8, where it writes text. What the
// client sent there nobody knows: whoever changes a ! into such a byte on the way would not be
// found out.
const lost = "!"

// fieldsOf is the client's header fields as they came (encode_raw_headers). Those that begin
// with a colon are not fields.
func fieldsOf(raw []*core.HeaderValue) gatehouse.Header {
	out := make(gatehouse.Header, len(raw))
	values := make([]string, 0, len(raw)) // one allocation for all
	for _, f := range raw {
		if pseudo(f.GetKey()) {
			continue
		}
		value := f.GetValue()
		if f.GetRawValue() != nil {
			value = string(f.GetRawValue())
		}
		values = append(values, value)
		n := len(values)
		put(out, f.GetKey(), values[n-1:n:n])
	}
	return out
}

// merged is the client's header fields of which Envoy has joined those of one name with
// commas. A credential has none, so that one with a comma is one that was sent twice; but for
// signatures, where fields that are joined mean the same as before (RFC 9651 section 4.2).
func (s *Server) merged(joined map[string]string) gatehouse.Header {
	out := make(gatehouse.Header, len(joined))
	for name, value := range joined {
		if pseudo(name) {
			continue
		}
		values := []string{value}
		if strings.Contains(value, ",") && s.hides(name) && !strings.HasPrefix(strings.ToLower(name), "signature") {
			values = strings.Split(value, ",")
		}
		put(out, name, values)
	}
	return out
}

// changed reports whether a field that the service gets may have another value than Envoy
// wrote into the check.
func (s *Server) changed(name string, values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, lost) }) && !s.hides(name)
}

// usualFields are fields that most requests have: to ask the gate about each time costs more
// than to read them.
var usualFields = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Content-Length", "Content-Type", "Cookie", "Origin", "Referer", "Traceparent",
	"User-Agent", "X-Envoy-External-Address", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id",
}

// hides is [gate.Gate.Strips].
func (s *Server) hides(name string) bool {
	hidden, known := s.strips[name]
	return known && hidden || !known && s.gate.Strips(name)
}

func pseudo(name string) bool { return name == "" || name[0] == ':' }

func put(out gatehouse.Header, name string, values []string) {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if was := out[canonical]; was != nil {
		values = append(was, values...)
	}
	out[canonical] = values
}
