// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Operators read names of owners in lists of keys, and not what the records call them.
func TestListsNameOwners(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, _ := h.member("holder@example.com")
	robot := h.robot("nightshift", holder.ID, "member")
	limited := []gatehouse.Limit{{Name: "calls", Count: 10, Period: time.Minute}}
	h.keyOf(holder, gatehouse.NewKey{Name: "of a person", Limits: limited})
	h.keyOf(robot, gatehouse.NewKey{Name: "of a robot", Limits: limited})
	_, super := h.administrator("super@example.com")
	for _, target := range []string{"/operate/keys", "/operate/limits", "/operate/hygiene", "/operate"} {
		p := super.get(target)
		p.expect(t, 200,
			fmt.Sprintf(`<a href="/operate/accounts/%s"><bdi>holder@example.com</bdi></a>`, holder.UID),
			fmt.Sprintf(`<a href="/operate/accounts/%s"><bdi>nightshift</bdi></a>`, robot.UID))
	}
	if p := super.get("/operate/keys?owner=nobody@example.com"); p.status != 422 || !strings.Contains(p.text, "no account of this name") {
		t.Errorf("keys of nobody: %v", p)
	}
}

// BenchmarkOwners is a page of 50 keys of 50 owners, as operators see it.
func BenchmarkOwners(b *testing.B) {
	h := open(b)
	for i := range 50 {
		h.key(h.person(fmt.Sprintf("holder%d@example.com", i), ""), "program", "bearer")
	}
	_, super := h.administrator("super@example.com")
	for b.Loop() {
		if n := strings.Count(super.get("/operate/keys").text, "<bdi>holder"); n != 50 {
			b.Fatalf("%d names", n)
		}
	}
}

// Without a key nothing is said of keys.
func TestHygieneOfNoKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, super := h.administrator("super@example.com")
	for _, target := range []string{"/operate", "/operate/hygiene"} {
		if p := super.get(target); !strings.Contains(p.text, "There is no active key.") || strings.Contains(p.text, "Every active key") {
			t.Errorf("%s: %v", target, p)
		}
	}
	h.keyOf(a, gatehouse.NewKey{Expires: time.Now().Add(100 * 24 * time.Hour)})
	for _, target := range []string{"/operate", "/operate/hygiene"} {
		super.get(target).expect(t, 200, "Every active key is used")
	}
}
