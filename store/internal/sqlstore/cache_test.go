// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/lease"
)

// row is a packed record of a length.
func (c *cache) row(t *testing.T, id string, length int) []byte {
	t.Helper()
	rec := gatehouse.Record{Key: gatehouse.Key{ID: id, Tenant: "t", Principal: "owner", State: gatehouse.StateActive}}
	pack := func(n int) []byte {
		rec.Key.StateText = strings.Repeat("x", n)
		return c.packer.Pack(&rec)
	}
	return pack(length - len(pack(200)) + 200) // its lengths take two bytes, as all here
}

// TestCacheLongRows finds records by their rows. Long ones are read from the row each time.
func TestCacheLongRows(t *testing.T) {
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
		c := newCache(nil, 1<<20)
		packed := c.row(t, "id", row.length)
		if len(packed) != row.length {
			t.Fatalf("%s: the row has %d bytes and not %d", row.name, len(packed), row.length)
		}
		c.rows.Put(uint64(Place("id")), packed, c.marks.Stamp(), 0)
		first, again := c.find("id", c.begun), c.find("id", c.begun)
		if first == nil || again == nil || again.record.Key.ID != "id" {
			t.Fatalf("%s: the record is not found", row.name)
		}
		if hot := first == again; hot != row.hot {
			t.Errorf("%s: kept as it was handed out: %v", row.name, hot)
		}
	}
}

// TestCacheTouch writes last uses: a kept record tells the latest, in both tiers, and keeps
// the stamp and the age of its row.
func TestCacheTouch(t *testing.T) {
	t.Parallel()
	c := newCache(nil, 1<<20)
	const stamp, read = 0, int64(time.Second)
	c.rows.Put(uint64(Place("id")), c.row(t, "id", usualRow), stamp, read)
	now := c.begun.Add(2 * time.Second)
	if kept := c.find("id", now); kept == nil || !kept.record.Key.LastUsed.IsZero() {
		t.Fatal("the record is not found, or was used")
	}
	late := time.Unix(1_800_000_000, 0).UTC()
	for _, row := range []struct{ use, want time.Time }{{late.Add(-time.Hour), late.Add(-time.Hour)}, {late, late}, {late.Add(-time.Minute), late}} {
		c.touch([]gatehouse.Use{{KeyID: "unknown", Time: row.use}, {KeyID: "id", Time: row.use}})
		kept := c.find("id", now)
		if kept == nil || !kept.record.Key.LastUsed.Equal(row.want) || kept.stamp != stamp || kept.read != time.Duration(read) {
			t.Fatalf("touched at %v: %+v", row.use, kept)
		}
	}
	if c.find("id", c.begun.Add(time.Second+c.most)) != nil {
		t.Error("a touched record is kept for longer than it may")
	}
}

// What a hand has changed is seen at last: on a database of nodes after ten minutes, on one's
// own after half a minute.
func TestCacheForgets(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		keeper *lease.Keeper
		most   time.Duration
	}{{nil, 30 * time.Second}, {&lease.Keeper{}, 10 * time.Minute}} {
		c := newCache(row.keeper, 1<<20)
		c.kept(t, "id", 0, time.Second)
		for range 2 { // by its row, and as it was handed out
			if c.find("id", c.begun.Add(time.Second+row.most-1)) == nil {
				t.Errorf("kept for less than %v", row.most)
			}
			if c.find("id", c.begun.Add(time.Second+row.most)) != nil {
				t.Errorf("kept for %v", row.most)
			}
		}
	}
}

// kept puts a row under an id, as a look-up does whose SELECT took until now.
func (c *cache) kept(t *testing.T, id string, stamp uint64, read time.Duration) {
	t.Helper()
	c.rows.Put(uint64(Place(id)), c.row(t, id, usualRow), stamp, int64(read))
}

// A process that alone writes to its database makes what it kept hold no more by its own
// changes: those of the key, of its owner, of its tenant and of everything, and no others.
func TestCacheHoldsUntilItChanges(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		changes []gatehouse.Notice
		holds   bool
	}{
		{"nothing", nil, true},
		{"another key", notice(gatehouse.NoticeKey, "t", "other", true), true},
		{"another owner", notice(gatehouse.NoticePrincipal, "t", "somebody", true), true},
		{"the rules", notice(gatehouse.NoticeRules, "t", "", false), true},
		{"the key", notice(gatehouse.NoticeKey, "t", "id", true), false},
		{"its owner", notice(gatehouse.NoticePrincipal, "t", "owner", true), false},
		{"its tenant", notice(gatehouse.NoticeTenant, "t", "", true), false},
		{"everything", notice(gatehouse.NoticeAll, "", "", true), false},
	} {
		for _, known := range []bool{true, false} {
			c := newCache(nil, 1<<20)
			before := c.marks.Stamp()
			c.kept(t, "id", before, 0)
			if c.find("id", c.begun) == nil { // in both tiers from here on
				t.Fatal("a kept record is not found")
			}
			c.changed(row.changes, known)
			if found := c.find("id", c.begun) != nil; found != row.holds {
				t.Errorf("after a change of %s: found %v", row.name, found)
			}
			// A read that began before the change and ends after it must not bring back what was.
			c.kept(t, "id", before, 0)
			if found := c.find("id", c.begun) != nil; found != row.holds {
				t.Errorf("read across a change of %s: found %v", row.name, found)
			}
			c.kept(t, "id", c.marks.Stamp(), 0)
			if c.find("id", c.begun) == nil {
				t.Errorf("read after a change of %s: not found", row.name)
			}
		}
	}
}

// Two ids may share a place among the records that are kept as they are handed out.
func TestCacheNeverAnswersForAnotherID(t *testing.T) {
	t.Parallel()
	c := newCache(nil, 1<<20)
	c.hot = c.hot[:1]
	for i := range 100 {
		id := label(i)
		if found := c.find(id, c.begun); found != nil {
			t.Fatalf("%s is answered with %s", id, found.record.Key.ID)
		}
		c.kept(t, id, 0, 0)
		for _, again := range []string{id, label(max(i-1, 0))} {
			if found := c.find(again, c.begun); found == nil || found.record.Key.ID != again {
				t.Fatalf("%s is answered with %+v", again, found)
			}
		}
	}
}

func label(i int) string { return "key" + strconv.Itoa(i) }
