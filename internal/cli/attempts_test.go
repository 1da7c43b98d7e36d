// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"
	"time"
)

func TestParseUnused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text    string
		seconds int64
		printed string
	}{
		{"8760h", 31536000, "365d"}, {"365d", 31536000, "365d"}, {"1h", 3600, "1h"}, {"36h", 129600, "36h"}, {"1500ms", 1, "1s"},
	} {
		n, err := parseUnused(row.text)
		if err != nil || n != row.seconds || unusedText(n) != row.printed {
			t.Errorf("%s: %d, %v, printed as %s", row.text, n, err, unusedText(n))
		}
		if again, err := parseUnused(unusedText(n)); err != nil || again != n {
			t.Errorf("%s: read back as %d, %v", unusedText(n), again, err)
		}
	}
	if unusedText(0) != "" {
		t.Errorf("for ever is %q", unusedText(0))
	}
	for _, text := range []string{"", "0", "0h", "999ms", "-1h", "0d", "36501d", "forever", "2027-01-31T00:00:00Z"} {
		if n, err := parseUnused(text); !isUsage(err) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

func TestSpanText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0s": "0s", "1m": "1m", "90s": "1m30s", "10m": "10m", "1h": "1h", "1h10m": "1h10m", "1h0m5s": "1h0m5s", "20h30m": "20h30m",
		"24h": "1d", "36h": "36h", "168h": "7d", "1500ms": "1.5s",
	} {
		d, err := time.ParseDuration(text)
		if got := spanText(d); err != nil || got != want {
			t.Errorf("%s is printed as %s, want %s", text, got, want)
		}
	}
}
