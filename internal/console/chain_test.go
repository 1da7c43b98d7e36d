// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// raw changes the database behind the store's back.
func (h *house) raw(statement string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.database+"?_pragma=busy_timeout(10000)")
	h.must(err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(h.t.Context(), statement)
	h.must(err)
}

// Whoever checks a log that was changed reads that it was, and where.
func TestUnsoundChain(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for range 8 {
		h.keyOf(a, gatehouse.NewKey{})
	}
	b.get("/operate/audit")
	p := b.post("/operate/audit/verify")
	p.expect(t, 200, `<span class="badge good">sound</span>`, "none is missing.")
	for _, words := range []string{"not sound", "The log was changed", `aria-label="Faults"`} {
		if strings.Contains(p.text, words) {
			t.Errorf("a sound log: %q", words)
		}
	}
	h.raw("UPDATE events SET subject = 'another' WHERE seq = 3")
	h.raw("DELETE FROM events WHERE seq IN (5, 6)")
	p = b.post("/operate/audit/verify")
	p.expect(t, 200, `<span class="badge bad">not sound</span>`, "The log was changed, or is damaged.", `aria-label="Faults"`,
		`<tr><th scope="row">3</th><td data-th="What is wrong">changed</td></tr>`, `<tr><th scope="row">5 to 6</th><td data-th="What is wrong">missing</td></tr>`)
	if strings.Contains(p.text, "none is missing") || strings.Contains(p.text, "badge good\">sound") {
		t.Errorf("a log that was changed is called sound: %v", p)
	}
}
