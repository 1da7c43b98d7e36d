// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/compact"
	"github.com/seed14544106/gatehouse/store/internal/lease"
)

// leasedRow is a row of lookup whose packed form has a length.
func leasedRow(t *testing.T, id string, length int) Row {
	t.Helper()
	materials, err := encodeMaterials(nil)
	if err != nil {
		t.Fatal(err)
	}
	row := func(stateText string) Row {
		fields := []string{
			id, "t", "owner", "", "", "", "", "", "", replayStrict, "active", stateText, "0", "0", "0", "0", "0", "0", "1", "", "", "0", "", "0",
			kindAccount, "", "", "", "", "0", "active", "", "0", "1", "",
			"active", "",
		}
		return Row{strings.Join(fields, separator), materials}
	}
	rest := length - len(packRow(row(strings.Repeat("x", 200)))) + 200 // of a row whose length takes two bytes, as all here
	return row(strings.Repeat("x", rest))
}

// TestLeasedLongRows finds records by their rows. Long ones are read from the row each time.
func TestLeasedLongRows(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		length int
		hot    bool
	}{
		{"usual", usualRow, true},
		{"longest", longestHot, true},
		{"longer", longestHot + 1, false},
	} {
		l := &leased{keeper: &lease.Keeper{}, begun: time.Now(), seed: maphash.MakeSeed(), hot: make([]leasedSlot, leasedHot), rows: compact.New(1 << 20)}
		packed := packRow(leasedRow(t, "id", row.length))
		if len(packed) != row.length {
			t.Fatalf("%s: the row has %d bytes and not %d", row.name, len(packed), row.length)
		}
		l.rows.Put(uint64(Place("id")), packed, l.keeper.Stamp(), 0)
		first, again := l.find("id", l.begun), l.find("id", l.begun)
		if first == nil || again == nil || again.record.Key.ID != "id" {
			t.Fatalf("%s: the record is not found", row.name)
		}
		if hot := first == again; hot != row.hot {
			t.Errorf("%s: kept as it was handed out: %v", row.name, hot)
		}
	}
}

// TestLeasedTouch writes last uses: a kept record tells the latest, in both tiers, and keeps
// the stamp and the age of its row.
func TestLeasedTouch(t *testing.T) {
	t.Parallel()
	l := &leased{keeper: &lease.Keeper{}, begun: time.Now(), seed: maphash.MakeSeed(), hot: make([]leasedSlot, leasedHot), rows: compact.New(1 << 20)}
	const stamp, read = 0, int64(time.Second)
	l.rows.Put(uint64(Place("id")), packRow(leasedRow(t, "id", usualRow)), stamp, read)
	now := l.begun.Add(2 * time.Second)
	if kept := l.find("id", now); kept == nil || !kept.record.Key.LastUsed.IsZero() {
		t.Fatal("the record is not found, or was used")
	}
	late := time.Unix(1_800_000_000, 0).UTC()
	for _, row := range []struct{ use, want time.Time }{{late.Add(-time.Hour), late.Add(-time.Hour)}, {late, late}, {late.Add(-time.Minute), late}} {
		l.touch([]gatehouse.Use{{KeyID: "unknown", Time: row.use}, {KeyID: "id", Time: row.use}})
		kept := l.find("id", now)
		if kept == nil || !kept.record.Key.LastUsed.Equal(row.want) || kept.stamp != stamp || kept.read != time.Duration(read) {
			t.Fatalf("touched at %v: %+v", row.use, kept)
		}
	}
	if l.find("id", l.begun.Add(time.Second+keptFor)) != nil {
		t.Error("a touched record is kept for longer than it may")
	}
}
