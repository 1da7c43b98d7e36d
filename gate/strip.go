// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strings"
)

// Fields that handlers must not see, in the spelling of [spelling]. Other servers read a
// field under several names, so all spellings go.
var (
	credentialFields = words("authorization proxy-authorization x-api-key x-auth-apikey x-auth-nonce x-auth-signature signature signature-input")

	// Who is asking, or what is asked, in words that are not the request's own.
	claimedFields = words("x-forwarded-user x-forwarded-email x-forwarded-groups x-forwarded-preferred-username x-forwarded-access-token " +
		"x-original-uri x-original-url x-original-method x-original-host x-rewrite-url " +
		"x-http-method x-http-method-override x-method-override x-body-b64")
	claimedPrefixes = []string{"x-auth-", "x-authenticated-", "x-remote-", "remote-", "x-consumer-", "x-credential-"}
)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		set[w] = true
	}
	return set
}

// spelling is one name for all that other servers take for the same field: CGI and its
// heirs know neither case nor the difference of '-', '_' and '.'.
func spelling(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '.' {
			return '-'
		}
		return c
	}, strings.ToLower(name))
}

// without returns r without the identity that its client claims, and, where it was
// checked, without its credential. r and its header stay as they are. The map of
// trailers stays the same: the server fills it when the body has been read.
func (g *Gate) without(r *http.Request, credential bool) *http.Request {
	out := r.WithContext(r.Context())
	out.Header = make(http.Header, len(r.Header))
	for name, values := range r.Header {
		s := spelling(name)
		gone := claimed(s)
		if credentialFields[s] {
			gone = credential
		}
		if !gone && !g.strip[s] {
			out.Header[name] = append([]string(nil), values...)
		}
	}
	return out
}

func claimed(s string) bool {
	for _, p := range claimedPrefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return claimedFields[s]
}
