// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// receiptResealed is for stores that also implement seal.Rows; see [Rows].
func receiptResealed(t *testing.T, h *house) {
	rows, is := h.AllStores.(RowStore)
	if !is {
		t.Skip("the store does not seal again")
	}
	read, other, forgotten := h.once("once-1", "s"), h.once("once-2", "s"), h.once("once-3", "s")
	for _, e := range []*gatehouse.Event{read, other, forgotten} {
		must(t, h.AppendEvent(t.Context(), e))
	}
	must(t, h.ForgetSecret(t.Context(), h.tenant, "once-3"))
	mine := map[string]int{}
	reseal := func(limit int) {
		house := &rowHouse{h, rows}
		for _, s := range house.receipts(t, limit) {
			if s.Binding.Tenant == h.tenant {
				mine[s.Binding.ID]++
				same(t, "binding", s.Binding, gatehouse.Binding{Tenant: h.tenant, ID: s.Binding.ID, Version: 1})
			}
		}
	}
	reseal(1)
	reseal(1000)
	same(t, "how often each was asked about", mine, map[string]int{"once-1": 2, "once-2": 2})
	for _, e := range []*gatehouse.Event{read, other} {
		want := receiptOf(e)
		want.Sealed = gatehouse.Sealed{Ref: "dek-new", Data: fresh(gatehouse.Binding{ID: want.ID, Version: 1})}
		h.wantReceipt(t, "sealed again", want)
	}
	want := receiptOf(forgotten)
	want.Sealed = gatehouse.Sealed{}
	h.wantReceipt(t, "forgotten", want)
	refs, err := rows.References(t.Context())
	must(t, err)
	if refs["dek-new"] < 2 {
		t.Errorf("references %v", refs)
	}
}

// own is again for the secrets of this tenant. Those of others stay.
func (h *rowHouse) own(asked *[]seen) func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error) {
	return func(ctx context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
		*asked = append(*asked, seen{b, s})
		if b.Tenant != h.tenant {
			return s, nil
		}
		return again(ctx, b, s)
	}
}

// receipts seals the receipts of this tenant again and returns what was asked about.
func (h *rowHouse) receipts(t *testing.T, limit int) (asked []seen) {
	t.Helper()
	for after := "receipts:\x1f"; after != ""; {
		next, _, _, err := h.rows.Reseal(t.Context(), after, limit, h.own(&asked))
		must(t, err)
		after = next
	}
	return asked
}
