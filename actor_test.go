// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
)

// A key that was judged a moment ago changes nothing once it, or its secret, may not any
// more: the transaction of the change looks itself.
func TestActorIsJudgedWithTheChange(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		meanwhile func(h *house, clock *gatehousetest.Clock, id string) error
		want      error
	}{
		"nothing": {func(*house, *gatehousetest.Clock, string) error { return nil }, nil},
		"revoked": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Revoke(t.Context(), operator, id, "")
			return err
		}, gatehouse.ErrForbidden},
		"deleted": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Revoke(t.Context(), operator, id, "")
			return errors.Join(err, h.Delete(t.Context(), operator, id))
		}, gatehouse.ErrForbidden},
		"disabled": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Disable(t.Context(), operator, id)
			return err
		}, gatehouse.ErrForbidden},
		"expired": {func(_ *house, clock *gatehousetest.Clock, _ string) error {
			clock.Advance(time.Hour)
			return nil
		}, gatehouse.ErrForbidden},
		"its holder banned": {func(h *house, _ *gatehousetest.Clock, _ string) error {
			h.setOwner(t, gatehouse.PrincipalBanned)
			return nil
		}, gatehouse.ErrForbidden},
		"its secret replaced": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Rotate(t.Context(), operator, id, 0, "")
			return err
		}, gatehouse.ErrForbidden},
		"its secret at the end of grace": {func(h *house, clock *gatehousetest.Clock, id string) error {
			_, err := h.Rotate(t.Context(), operator, id, time.Minute, "")
			clock.Advance(time.Minute)
			return err
		}, gatehouse.ErrForbidden},
		"narrowed": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Update(t.Context(), operator, id, gatehouse.Patch{Scopes: &gatehouse.Scopes{"a"}})
			return err
		}, gatehouse.ErrConflict},
		"renamed": {func(h *house, _ *gatehousetest.Clock, id string) error {
			text := "another name"
			_, err := h.Update(t.Context(), operator, id, gatehouse.Patch{Name: &text})
			return err
		}, nil},
		"rotated": {func(h *house, _ *gatehousetest.Clock, id string) error {
			_, err := h.Rotate(t.Context(), operator, id, time.Minute, "")
			return err
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := gatehousetest.NewClock()
			h := newHouse(t, clock.Now)
			c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a", "b"}, Expires: clock.Now().Add(time.Hour)})
			other := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"b"}, Expires: clock.Now().Add(time.Minute)})
			d := h.verify(t, token(c))
			actor := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: d.Key.ID, Tenant: d.Key.Tenant, Via: d.Key, Material: d.Material}
			if err := row.meanwhile(h, clock, c.Key.ID); err != nil {
				t.Fatal(err)
			}
			text := "named by it"
			if _, err := h.Update(t.Context(), actor, other.Key.ID, gatehouse.Patch{Name: &text}); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
				t.Errorf("update another: %v; want %v", err, row.want)
			}
			if name == "deleted" {
				return
			}
			if _, err := h.Revoke(t.Context(), actor, c.Key.ID, ""); err != nil {
				t.Errorf("a key ends itself: %v", err)
			}
		})
	}
}
