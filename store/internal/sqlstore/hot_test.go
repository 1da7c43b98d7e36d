// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
)

func record(id string, version int64) *gatehouse.Record {
	return &gatehouse.Record{Key: gatehouse.Key{ID: id, Version: version}}
}

func TestHotAnswersUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	h := newHot(4)
	_, keep := h.find("a")
	keep(record("a", 1))
	if found, _ := h.find("a"); found == nil || found.Key.Version != 1 {
		t.Fatal("a kept record is not found")
	}
	h.changed()
	if found, _ := h.find("a"); found != nil {
		t.Error("a record answers after a change")
	}
}

// A read that began before a change and ends after it must not bring back what was.
func TestHotSlowReadAcrossAChange(t *testing.T) {
	t.Parallel()
	h := newHot(4)
	_, keep := h.find("a")
	h.changed() // the revoke is acknowledged here
	keep(record("a", 1))
	if found, _ := h.find("a"); found != nil {
		t.Error("a record that was read before the change answers after it")
	}
}

func TestHotForgetsAfterASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHot(4)
		_, keep := h.find("a")
		<-time.After(hotFor / 2) // the read takes this long; it counts from its beginning
		keep(record("a", 1))
		<-time.After(hotFor/2 - 1)
		if found, _ := h.find("a"); found == nil {
			t.Error("it is gone too early")
		}
		<-time.After(1)
		if found, _ := h.find("a"); found != nil {
			t.Error("it answers for longer than a second")
		}
	})
}

func TestHotNeverAnswersForAnotherID(t *testing.T) {
	t.Parallel()
	h := newHot(1) // all ids share one place
	for i := range 100 {
		id := fmt.Sprint(i)
		if found, _ := h.find(id); found != nil {
			t.Fatalf("%s is answered with %s", id, found.Key.ID)
		}
		_, keep := h.find(id)
		keep(record(id, 1))
	}
	if len(h.slots) != 1 {
		t.Errorf("%d places", len(h.slots))
	}
}

func TestNoHotIsNoCache(t *testing.T) {
	t.Parallel()
	var h *hot
	h.changed() // must not panic: PostgreSQL has none
}
