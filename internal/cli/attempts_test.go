// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import "testing"

func TestParseUnused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text    string
		seconds int64
		printed string
	}{
		{"8760h", 31536000, "365d"}, {"365d", 31536000, "365d"}, {"1h", 3600, "1h0m0s"}, {"36h", 129600, "36h0m0s"}, {"1500ms", 1, "1s"},
	} {
		n, err := parseUnused(row.text)
		if err != nil || n != row.seconds || spanText(n) != row.printed {
			t.Errorf("%s: %d, %v, printed as %s", row.text, n, err, spanText(n))
		}
		if again, err := parseUnused(spanText(n)); err != nil || again != n {
			t.Errorf("%s: read back as %d, %v", spanText(n), again, err)
		}
	}
	if spanText(0) != "" {
		t.Errorf("for ever is %q", spanText(0))
	}
	for _, text := range []string{"", "0", "0h", "999ms", "-1h", "0d", "36501d", "forever", "2027-01-31T00:00:00Z"} {
		if n, err := parseUnused(text); !isUsage(err) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}
