// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// A key that lies unused for longer than it may has expired; one that was never used has
// not.
func TestUnusedKeysExpire(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	var now atomic.Pointer[time.Time]
	now.Store(&begin)
	// Without kept records: the clock of this test is not theirs.
	h := newHouseOn(t, func() time.Time { return *now.Load() }, sqlite.Options{Cache: -1})
	want := func(c gatehouse.Created, at time.Time, reason gatehouse.Reason) {
		t.Helper()
		now.Store(&at)
		if d := h.verify(t, token(c)); d.Granted != (reason == 0) || d.Reason != reason {
			t.Errorf("at %v: %v, want %v", at, d.Reason, reason)
		}
	}
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Unused: time.Hour})
	endless := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	used := begin.Add(30 * 24 * time.Hour)
	want(c, used, 0)
	err := h.store.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: c.Key.ID, Time: used}, {KeyID: endless.Key.ID, Time: used}})
	if err != nil {
		t.Fatal(err)
	}
	want(c, used.Add(59*time.Minute), 0)
	want(c, used.Add(time.Hour), 0)
	want(c, used.Add(time.Hour+time.Microsecond), gatehouse.ReasonKeyExpired)
	want(c, used.Add(61*time.Minute), gatehouse.ReasonKeyExpired)
	want(endless, used.Add(365*24*time.Hour), 0)
}
