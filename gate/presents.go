// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import "net/http"

// Presents reports whether a request has a header field that credentials of keys stand in,
// sound or not, those of Options.Strip too. A cookie is none.
func (g *Gate) Presents(r *http.Request) bool {
	for name := range r.Header {
		if s := spelling(name); credentialFields[s] || g.strip[s] {
			return true
		}
	}
	return false
}
