// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import "testing"

// TestAssets: what every page loads stays small, and what is named exists.
func TestAssets(t *testing.T) {
	t.Parallel()
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	for name, most := range map[string]int{"style.css": 13_000, "console.js": 8_000, "icon.svg": 1_000, "htmx.min.js": 60_000, "uPlot.iife.min.js": 60_000} {
		if f := a.byName[name]; f == nil || len(f.plain) > most || len(f.small) > most/2 && most > 1000 {
			t.Errorf("%s is missing or larger than %d bytes", name, most)
		}
	}
	if url, err := a.url("none.css"); err == nil {
		t.Errorf("a file that does not exist is at %s", url)
	}
}
