// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

// chainHead compares the head with the last event.
func chainHead(t *testing.T, h *house) {
	heads, is := h.AllStores.(gatehouse.ChainStore)
	if !is {
		t.Skip("the store keeps no heads")
	}
	_, err := heads.ChainHead(t.Context(), h.tenant)
	mustBe(t, "the head of no chain", err, gatehouse.ErrNotFound)
	other := newHouse(t, h.AllStores)
	a := h.account(t, nil)
	writes := map[string]func() error{
		"an event":       func() error { return h.AppendEvent(t.Context(), h.event("suite", "s")) },
		"one of another": func() error { return h.AppendEvent(t.Context(), other.event("suite", "s")) },
		"many events": func() error {
			k, l := h.newKey(a.ID), h.newKey(a.ID)
			return h.InsertKeys(t.Context(), []*gatehouse.Key{&k, &l}, []*gatehouse.Event{h.event("suite", "s"), h.event("suite", "s")})
		},
	}
	for what, write := range writes {
		must(t, write())
		events := h.events(t, "")
		last := events[len(events)-1]
		head, err := heads.ChainHead(t.Context(), h.tenant)
		must(t, err)
		same(t, "the head after "+what, head, gatehouse.ChainHead{Tenant: h.tenant, ChainPoint: gatehouse.ChainPoint{Seq: last.Seq, Hash: last.Hash}})
	}
	errs := attempts(8, func(int) error { return h.AppendEvent(t.Context(), h.event("suite", "s")) })
	for _, err := range errs {
		must(t, err)
	}
	chain, head, err := gatehouse.VerifyChain(t.Context(), heads, h.tenant, gatehouse.ChainPoint{}, nil)
	must(t, err)
	if n := len(h.events(t, "")); !chain.Sound() || head.Seq != int64(n) || chain.Events != int64(n) {
		t.Errorf("%d events, head %d, %v", chain.Events, head.Seq, chain.Faults)
	}
}
