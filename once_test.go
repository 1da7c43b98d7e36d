// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// What was done once under an id is told from what cannot be done, whoever was faster.
func TestRotateOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	k := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	once := func(id string) gatehouse.Actor {
		a := operator
		a.Once = &gatehouse.Once{ID: id, Request: []byte("rotate")}
		return a
	}
	for round := range 100 {
		id := fmt.Sprint("rotate ", round)
		var errs [2]error
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = h.Rotate(t.Context(), once(id), k.Key.ID, time.Minute, "") })
		}
		wg.Wait()
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], gatehouse.ErrRepeated) {
			t.Fatalf("two at once: %v; want one, and one that was made before", errs)
		}
		if _, err := h.Rotate(t.Context(), once("another of "+id), k.Key.ID, time.Minute, ""); !errors.Is(err, gatehouse.ErrConflict) {
			t.Errorf("another while a rotation is under way: %v", err)
		}
		finish := once("finish " + id)
		if _, err := h.FinishRotation(t.Context(), finish, k.Key.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := h.FinishRotation(t.Context(), finish, k.Key.ID); !errors.Is(err, gatehouse.ErrRepeated) {
			t.Errorf("finish again: %v", err)
		}
		if _, err := h.FinishRotation(t.Context(), operator, k.Key.ID); !errors.Is(err, gatehouse.ErrConflict) {
			t.Errorf("finish what is over: %v", err)
		}
	}
}
