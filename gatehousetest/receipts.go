// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"errors"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// ReceiptStore is the suite of [gatehouse.ReceiptStore]. open is as for [Store].
func ReceiptStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"the receipt of a change", receiptOfChange},
		{"no receipt without a change", receiptOfNothing},
		{"a change is made once", receiptRepeated},
		{"at once", receiptRace},
		{"many with one receipt", receiptOfMany},
		{"other tenants", receiptTenants},
		{"text that is none", receiptUnstorable},
		{"keep an answer", receiptAnswer},
		{"keep an answer of no change", receiptAnswerAlone},
		{"forget a secret", receiptForget},
		{"claim a secret", receiptClaim},
		{"claim at once", receiptClaimRace},
		{"sealed again", receiptResealed},
	})
	// Receipts of all tenants are purged, so this one has a store of its own.
	t.Run("purge", func(t *testing.T) {
		t.Parallel()
		receiptPurge(t, newHouse(t, open(t)))
	})
}

// once is an event of an actor that acts once.
func (h *house) once(id, subject string) *gatehouse.Event {
	e := h.event("suite.once", subject)
	e.Actor.Once = &gatehouse.Once{ID: id, Request: []byte("hash of " + id), Sealed: gatehouse.Sealed{Ref: "dek-5", Data: []byte("sealed " + id)}}
	return e
}

// wantReceipt reads a receipt and compares it.
func (h *house) wantReceipt(t *testing.T, what string, want gatehouse.Receipt) {
	t.Helper()
	got, err := h.Receipt(t.Context(), want.Tenant, want.ID)
	must(t, err)
	same(t, what, got, want)
}

func (h *house) noReceipt(t *testing.T, tenant, id string) {
	t.Helper()
	r, err := h.Receipt(t.Context(), tenant, id)
	mustBe(t, label("receipt %q", id), err, gatehouse.ErrNotFound)
	same(t, "what is read of no receipt", r, gatehouse.Receipt{})
}

// receiptOf is the receipt that the change with event e leaves.
func receiptOf(e *gatehouse.Event) gatehouse.Receipt {
	o := e.Actor.Once
	return gatehouse.Receipt{Tenant: e.Tenant, ID: o.ID, Request: o.Request, Verb: e.Verb, Subject: e.Subject, Sealed: o.Sealed, Created: e.Time}
}

func receiptOfChange(t *testing.T, h *house) {
	h.noReceipt(t, h.tenant, "once-1")
	a := h.account(t, nil)
	k := h.newKey(a.ID)
	e := h.once("once-1", k.ID)
	must(t, h.InsertKey(t.Context(), &k, e))
	h.wantReceipt(t, "receipt", receiptOf(e))

	bare := h.event("suite.bare", "")
	bare.Actor.Once = &gatehouse.Once{ID: "once-2"}
	must(t, h.AppendEvent(t.Context(), bare))
	h.wantReceipt(t, "receipt of little", gatehouse.Receipt{Tenant: h.tenant, ID: "once-2", Verb: "suite.bare", Created: bare.Time})
}

func receiptOfNothing(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	h.unchanged(t, "insert a taken id", gatehouse.ErrExists, func(*gatehouse.Event) error {
		return h.InsertKey(t.Context(), &k, h.once("once-1", k.ID))
	})
	h.noReceipt(t, h.tenant, "once-1")
	if used, err := h.UseRecoveryCode(t.Context(), a.ID, []byte("none"), h.once("once-1", a.ID)); used || err != nil {
		t.Errorf("a code that is none: %v, %v", used, err)
	}
	h.noReceipt(t, h.tenant, "once-1")
	// Who was refused may try again.
	for _, outcome := range []gatehouse.Outcome{gatehouse.OutcomeDenied, gatehouse.OutcomeFailed, gatehouse.OutcomeDenied} {
		e := h.once("once-1", k.ID)
		e.Outcome = outcome
		must(t, h.AppendEvent(t.Context(), e))
		h.noReceipt(t, h.tenant, "once-1")
	}
	e := h.once("once-1", k.ID)
	must(t, h.UpdateKey(t.Context(), &k, e))
	h.wantReceipt(t, "receipt", receiptOf(e))
}

func receiptRepeated(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.newKey(a.ID)
	first := h.once("once-1", k.ID)
	must(t, h.InsertKey(t.Context(), &k, first))
	before := len(h.events(t, ""))
	other := h.newKey(a.ID)
	for what, err := range map[string]error{
		"the same insert":           h.InsertKey(t.Context(), &k, h.once("once-1", k.ID)), // not ErrExists
		"another insert":            h.InsertKey(t.Context(), &other, h.once("once-1", other.ID)),
		"an update of what changed": h.UpdateKey(t.Context(), &gatehouse.Key{ID: k.ID, Tenant: h.tenant, Principal: a.ID, State: gatehouse.StateActive, Version: 9}, h.once("once-1", k.ID)),
		"many":                      h.InsertKeys(t.Context(), []*gatehouse.Key{&other, &k}, []*gatehouse.Event{h.event("suite", "s"), h.once("once-1", k.ID)}),
		"an event":                  h.AppendEvent(t.Context(), h.once("once-1", "s")),
	} {
		mustBe(t, what, err, gatehouse.ErrRepeated)
	}
	if after := len(h.events(t, "")); after != before {
		t.Errorf("%d events of what was made before", after-before)
	}
	_, err := h.GetKey(t.Context(), h.tenant, other.ID)
	mustBe(t, "the key of a repeated change", err, gatehouse.ErrNotFound)
	h.wantReceipt(t, "receipt", receiptOf(first))
}

func receiptRace(t *testing.T, h *house) {
	const callers, rounds = 8, 6
	a := h.account(t, nil)
	for round := range rounds {
		id := label("once-%d", round)
		keys := make([]gatehouse.Key, callers)
		for i := range keys {
			keys[i] = h.newKey(a.ID)
		}
		errs := attempts(callers, func(i int) error { return h.InsertKey(t.Context(), &keys[i], h.once(id, keys[i].ID)) })
		if n := count(t, "insert at once", errs, gatehouse.ErrRepeated); n != callers-1 {
			t.Errorf("of %d changes with one id %d were made before; want %d", callers, n, callers-1)
		}
		r, err := h.Receipt(t.Context(), h.tenant, id)
		must(t, err)
		for i, err := range errs {
			if _, found := h.GetKey(t.Context(), h.tenant, keys[i].ID); (found == nil) != (err == nil) {
				t.Errorf("insert: %v, read: %v", err, found)
			}
			if err == nil && r.Subject != keys[i].ID {
				t.Errorf("the receipt is of %s and not of %s", r.Subject, keys[i].ID)
			}
		}
	}
	if n := len(h.events(t, "")); n != 1+rounds {
		t.Errorf("%d events; want %d", n, 1+rounds)
	}
}

func receiptOfMany(t *testing.T, h *house) {
	a := h.account(t, nil)
	var keys []*gatehouse.Key
	var events []*gatehouse.Event
	for range 3 {
		k := h.newKey(a.ID)
		keys, events = append(keys, &k), append(events, h.once("once-1", k.ID))
	}
	must(t, h.InsertKeys(t.Context(), keys, events))
	h.wantReceipt(t, "receipt of the first", receiptOf(events[0]))
}

func receiptTenants(t *testing.T, h *house) {
	other := newHouse(t, h.AllStores)
	mine, theirs := h.once("once-1", "mine"), other.once("once-1", "theirs")
	must(t, h.AppendEvent(t.Context(), mine))
	other.noReceipt(t, other.tenant, "once-1")
	must(t, other.AppendEvent(t.Context(), theirs))
	h.wantReceipt(t, "receipt", receiptOf(mine))
	other.wantReceipt(t, "receipt of another tenant", receiptOf(theirs))
	must(t, other.ForgetSecret(t.Context(), other.tenant, "once-1"))
	h.wantReceipt(t, "receipt after the other was changed", receiptOf(mine))
}

func receiptUnstorable(t *testing.T, h *house) {
	for _, text := range unstorable {
		mustInvalid(t, label("a change with the id %q", text), h.AppendEvent(t.Context(), h.once(text, "s")))
		_, err := h.KeepAnswer(t.Context(), &gatehouse.Receipt{Tenant: h.tenant, ID: text, Status: 200})
		mustInvalid(t, label("an answer with the id %q", text), err)
		h.noReceipt(t, h.tenant, text)
	}
	if n := len(h.events(t, "")); n != 0 {
		t.Errorf("%d events", n)
	}
	for i, text := range hostile {
		e := h.once(label("%d %s", i, text), text)
		must(t, h.AppendEvent(t.Context(), e))
		h.wantReceipt(t, label("receipt with %.40q", text), receiptOf(e))
	}
}

func receiptAnswer(t *testing.T, h *house) {
	e := h.once("once-1", "s")
	must(t, h.AppendEvent(t.Context(), e))
	want := receiptOf(e)
	answer := gatehouse.Receipt{
		Tenant: h.tenant, ID: "once-1", Request: []byte("other"), Verb: "other", Subject: "other", Status: 201, Answer: []byte(`{"a":"<b>"}`),
		Sealed: gatehouse.Sealed{Ref: "other", Data: []byte("other")}, Created: h.now(),
	}
	want.Status, want.Answer = 201, answer.Answer // and nothing else
	same(t, "what is kept", h.keepAnswer(t, &answer), want)
	h.wantReceipt(t, "answered", want)
	answer.Status, answer.Answer = 500, []byte("another")
	same(t, "what stays", h.keepAnswer(t, &answer), want)
	h.wantReceipt(t, "answered again", want)
}

func (h *house) keepAnswer(t *testing.T, r *gatehouse.Receipt) gatehouse.Receipt {
	t.Helper()
	kept, err := h.KeepAnswer(t.Context(), r)
	must(t, err)
	return kept
}

func receiptAnswerAlone(t *testing.T, h *house) {
	want := gatehouse.Receipt{Tenant: h.tenant, ID: "once-1", Request: randomBytes(32), Status: 204, Created: h.now()}
	with := want
	with.Sealed, with.Claimed = gatehouse.Sealed{Ref: "dek-5", Data: []byte("never kept")}, h.now()
	same(t, "what is kept", h.keepAnswer(t, &with), want)
	h.wantReceipt(t, "an answer alone", want)
	mustBe(t, "a change after it", h.AppendEvent(t.Context(), h.once("once-1", "s")), gatehouse.ErrRepeated)

	heard := make([]gatehouse.Receipt, 8)
	errs := attempts(len(heard), func(i int) (err error) {
		heard[i], err = h.KeepAnswer(t.Context(), &gatehouse.Receipt{Tenant: h.tenant, ID: "once-2", Status: 200 + i, Answer: []byte{byte(i)}, Created: want.Created})
		return err
	})
	must(t, errors.Join(errs...))
	got, err := h.Receipt(t.Context(), h.tenant, "once-2")
	must(t, err)
	if len(got.Answer) != 1 || got.Status != 200+int(got.Answer[0]) {
		t.Errorf("of several answers one whole is kept: %+v", got)
	}
	for _, r := range heard {
		same(t, "what all hear", r, got)
	}
}

func receiptForget(t *testing.T, h *house) {
	e := h.once("once-1", "s")
	must(t, h.AppendEvent(t.Context(), e))
	must(t, h.ForgetSecret(t.Context(), h.tenant, "none"))
	want := receiptOf(e)
	h.wantReceipt(t, "another is forgotten", want)
	want.Sealed = gatehouse.Sealed{}
	for range 2 {
		must(t, h.ForgetSecret(t.Context(), h.tenant, "once-1"))
		h.wantReceipt(t, "forgotten", want)
	}
}

func receiptClaim(t *testing.T, h *house) {
	e := h.once("once-1", "s")
	must(t, h.AppendEvent(t.Context(), e))
	want, first, second := receiptOf(e), h.now(), h.now().Add(time.Hour)
	for _, row := range []struct {
		what, id string
		seen, at time.Time
		claims   bool
	}{
		{"a receipt that is not there", "none", time.Time{}, first, false},
		{"one that nobody has", "once-1", second, first, false},
		{"it", "once-1", time.Time{}, first, true},
		{"what another has", "once-1", time.Time{}, second, false},
		{"what it has itself", "once-1", time.Time{}, first, false},
		{"what another has, knowing it", "once-1", first, second, true},
		{"to end what is no longer its own", "once-1", first, time.Time{}, false},
		{"to end it", "once-1", second, time.Time{}, true},
		{"it again", "once-1", time.Time{}, first, true},
	} {
		did, err := h.ClaimSecret(t.Context(), h.tenant, row.id, row.seen, row.at)
		if must(t, err); did != row.claims {
			t.Errorf("claim %s: %v", row.what, did)
		}
		if did {
			want.Claimed = row.at
		}
		h.wantReceipt(t, "claim "+row.what, want)
	}
	must(t, h.ForgetSecret(t.Context(), h.tenant, "once-1"))
	want.Sealed, want.Claimed = gatehouse.Sealed{}, time.Time{}
	h.wantReceipt(t, "forgotten", want)
	if did, err := h.ClaimSecret(t.Context(), h.tenant, "once-1", time.Time{}, first); did || err != nil {
		t.Errorf("a secret that is gone is claimed: %v, %v", did, err)
	}
}

func receiptClaimRace(t *testing.T, h *house) {
	const callers, rounds = 8, 12
	for round := range rounds {
		id := label("once-%d", round)
		must(t, h.AppendEvent(t.Context(), h.once(id, "s")))
		at, did := h.now(), make([]bool, callers)
		errs := attempts(callers, func(i int) (err error) { // at one moment, as clocks may have it
			did[i], err = h.ClaimSecret(t.Context(), h.tenant, id, time.Time{}, at)
			return err
		})
		must(t, errors.Join(errs...))
		claims := 0
		for _, d := range did {
			if d {
				claims++
			}
		}
		if claims != 1 {
			t.Errorf("%d of %d have the secret", claims, callers)
		}
	}
}

func receiptPurge(t *testing.T, h *house) {
	start := h.now()
	for i := range 4 {
		e := h.once(label("once-%d", i), "s")
		e.Time = start.Add(time.Duration(i) * time.Hour)
		must(t, h.AppendEvent(t.Context(), e))
	}
	must(t, h.PurgeReceipts(t.Context(), start.Add(2*time.Hour)))
	for i := range 4 {
		_, err := h.Receipt(t.Context(), h.tenant, label("once-%d", i))
		if gone := errors.Is(err, gatehouse.ErrNotFound); gone != (i < 2) || err != nil && !gone {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	must(t, h.AppendEvent(t.Context(), h.once("once-0", "s"))) // its id is free again
}
