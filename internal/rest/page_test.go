// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
)

func FuzzCursor(f *testing.F) {
	f.Add("", byte(1))
	f.Add(cursor{Order: 1, At: 7, ID: "k"}.String(), byte(1))
	f.Add(cursor{Order: 2, At: math.MinInt64}.String(), byte(2))
	f.Add("AQEAAAAAAAAABw", byte(1))
	f.Fuzz(func(t *testing.T, text string, order byte) {
		if order == 0 {
			return
		}
		c, err := parseCursor(text, order)
		if err != nil {
			if len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Errorf("the error holds the input: %v", err)
			}
			return
		}
		if c.String() != text {
			t.Errorf("%q is read as %+v, which is written %q", text, c, c.String())
		}
	})
}

// Who comes while another is worked on waits, for a while.
func TestFlights(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flights
		leave, ok := f.enter(t.Context(), "a")
		if !ok {
			t.Fatal("nobody is there, and it waits")
		}
		if other, ok := f.enter(t.Context(), "b"); !ok {
			t.Error("another name waits")
		} else {
			other()
		}
		began := time.Now()
		if _, ok := f.enter(t.Context(), "a"); ok || time.Since(began) != patience {
			t.Errorf("a second one came in, or waited %v", time.Since(began))
		}
		time.AfterFunc(time.Second, leave)
		second, ok := f.enter(t.Context(), "a")
		if !ok {
			t.Fatal("it did not wait for the first")
		}
		second()
		if len(f.done) != 0 {
			t.Errorf("%d are left", len(f.done))
		}
	})
}

func TestCursorOfKeys(t *testing.T) {
	t.Parallel()
	for _, at := range []gatehouse.KeyCursor{
		{Time: time.UnixMicro(1).UTC(), ID: "a"}, {ID: "never used"}, {Time: time.Date(2126, 1, 2, 3, 4, 5, 6000, time.UTC), ID: "ä"},
	} {
		c, err := parseCursor(cursorOf(at, orderUnused).String(), orderUnused)
		if got := (gatehouse.KeyCursor{Time: timeAt(c.At), ID: c.ID}); err != nil || got != at {
			t.Errorf("%+v comes back as %+v, %v", at, got, err)
		}
	}
	if cursorOf(gatehouse.KeyCursor{}, orderCreated).String() != "" {
		t.Error("the last page has a next one")
	}
}
