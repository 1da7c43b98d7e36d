// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

// What is about rules ends what was read of rules, and no record; and the other way round.
func TestMarksOfRules(t *testing.T) {
	t.Parallel()
	for kind, want := range map[gatehouse.NoticeKind]struct{ rules, record bool }{
		gatehouse.NoticeRules: {false, true}, gatehouse.NoticeKey: {true, false}, gatehouse.NoticeTenant: {true, false},
		gatehouse.NoticeSigning: {true, true}, gatehouse.NoticeAll: {false, false}, gatehouse.NoticeInvalid: {false, false},
	} {
		var m Marks
		stamp := m.Stamp()
		m.Apply(&gatehouse.Notice{Kind: kind, Tenant: "t", Subject: "k"})
		if rules, record := m.HoldsRules(stamp), m.Holds(stamp, "k", "p", "t"); rules != want.rules || record != want.record {
			t.Errorf("%v: rules hold %v, the record holds %v", kind, rules, record)
		}
		if !m.HoldsRules(m.Stamp()) {
			t.Errorf("%v: rules that are read afterwards do not hold", kind)
		}
	}
}
