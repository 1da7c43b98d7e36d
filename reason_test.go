// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import "testing"

// Every reason has a code of its own, and is found by it.
func TestParseReason(t *testing.T) {
	t.Parallel()
	for r := range reasonEnd {
		if got, ok := ParseReason(r.Code()); !ok || got != r || r.Code() == "" {
			t.Errorf("%d, %q: %d, %v", r, r.Code(), got, ok)
		}
	}
	for _, code := range []string{"", "granted", "Rate_limited", "rate_limited "} {
		if got, ok := ParseReason(code); ok || got != ReasonUndecided {
			t.Errorf("%q: %v, %v", code, got, ok)
		}
	}
}
