// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// A new key of Shield's scheme is what Shield would make; what is asked stays.
func TestKeyDefaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ asked, want gatehouse.NewKey }{
		{
			gatehouse.NewKey{Name: "n", Replay: gatehouse.ReplayWindow},
			gatehouse.NewKey{Name: "n", Replay: gatehouse.ReplayWindow, Scopes: gatehouse.Scopes{gatehouse.AnyScope}, Unused: shield.DefaultUnused},
		},
		{
			gatehouse.NewKey{Scopes: gatehouse.Scopes{"read"}, Unused: time.Hour},
			gatehouse.NewKey{Scopes: gatehouse.Scopes{"read"}, Unused: time.Hour},
		},
	} {
		got := row.asked
		keyDefaults(shield.DefaultUnused)[shield.Name](&got)
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", row.asked, diff)
		}
	}
}
