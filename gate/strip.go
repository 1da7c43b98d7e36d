// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Fields that handlers must not see, in the spelling of [spelling]. Other servers read a
// field under several names, so all spellings go.
var (
	credentialFields = words("authorization proxy-authorization x-api-key x-auth-apikey x-auth-nonce x-auth-signature signature signature-input")

	// Who is asking, or what is asked, in words that are not the request's own.
	claimedFields = words("x-forwarded-user x-forwarded-email x-forwarded-groups x-forwarded-preferred-username x-forwarded-access-token " +
		"x-forwarded-client-cert x-webauth-user x-forwarded-uri x-forwarded-method " +
		"x-original-uri x-original-url x-original-method x-original-host x-rewrite-url x-envoy-original-path " +
		"x-http-method x-http-method-override x-method-override x-method x-body-b64 proxy")
	claimedPrefixes = []string{"x-auth-", "x-authenticated-", "x-remote-", "remote-", "x-consumer-", "x-credential-", "x-amzn-oidc-", "ssl-client-"}

	// A client may say these of its connection. Another name would make a proxy behind us
	// drop the field of that name, which somebody between us may have set.
	connectionOptions = words("close keep-alive upgrade")
)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		set[w] = true
	}
	return set
}

// spelling is one name for all that other servers take for the same field: CGI and its
// heirs know letters without case and digits, and nothing else apart.
func spelling(name string) string {
	return strings.Map(func(c rune) rune {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return '-'
		}
		return c
	}, strings.ToLower(name))
}

// without returns r without the identity that its client claims, and, where it was
// checked, without its credential, in header and trailers. r and its header stay as they
// are.
func (g *Gate) without(r *http.Request, credential bool) *http.Request {
	out := r.WithContext(r.Context())
	out.Header = http.Header{}
	g.pass(out.Header, r.Header, credential)
	if options := out.Header["Connection"]; options != nil {
		if out.Header["Connection"] = plainOptions(options); len(out.Header["Connection"]) == 0 {
			delete(out.Header, "Connection")
		}
	}
	if r.Trailer != nil {
		out.Trailer = http.Header{}
		pass := func() { g.pass(out.Trailer, r.Trailer, credential) }
		pass() // what is announced, or has come
		out.Body = trailed{r.Body, pass}
	}
	return out
}

// pass copies the fields that handlers may see.
func (g *Gate) pass(to, from http.Header, credential bool) {
	for name, values := range from {
		s := spelling(name)
		gone := claimed(s)
		if credentialFields[s] || g.strip[s] {
			gone = credential
		}
		switch {
		case gone:
		case s == "cookie" && len(g.cookies) > 0:
			if kept := g.withoutCookies(values); len(kept) > 0 {
				to[name] = kept
			}
		default:
			to[name] = append([]string(nil), values...)
		}
	}
}

// withoutCookies are the pairs of Cookie fields but for those that handlers never see. Browsers
// send a cookie to every port of its host.
func (g *Gate) withoutCookies(values []string) (out []string) {
	var kept []string
	for pair := range strings.SplitSeq(strings.Join(values, ";"), ";") {
		name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if pair = strings.TrimSpace(pair); pair != "" && !slices.Contains(g.cookies, strings.TrimSpace(name)) {
			kept = append(kept, pair)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, "; ")}
}

// trailed is a body after whose end trailers come: the server writes them to its own
// request.
type trailed struct {
	io.ReadCloser
	pass func()
}

func (t trailed) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF {
		t.pass()
	}
	return n, err
}

func plainOptions(values []string) (out []string) {
	for option := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if option = strings.TrimSpace(option); connectionOptions[strings.ToLower(option)] {
			out = append(out, option)
		}
	}
	return out
}

// Strips reports whether a service behind the gate must not see this field as its client
// sent it: it holds a credential, or says who asks or what is asked.
func (g *Gate) Strips(name string) bool {
	s := spelling(name)
	return credentialFields[s] || g.strip[s] || claimed(s)
}

func claimed(s string) bool {
	for _, p := range claimedPrefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return claimedFields[s]
}
