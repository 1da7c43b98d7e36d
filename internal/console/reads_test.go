// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import "testing"

// What changes nothing takes no code of the second factor, which works once.
func TestReadingTakesNoCode(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.protect(h.person("super@example.com", "superadmin"))
	b := h.stranger()
	b.signIn("super@example.com", password, f.code())
	b.get("/operate/rules").expect(t, 200)
	b.post("/operate/rules/explain", "method", "GET", "url", "https://a.test/x").expect(t, 200, "a.test")
	b.get("/operate/audit").expect(t, 200)
	b.post("/operate/audit/verify").expect(t, 200, "Hash of the head")
}
