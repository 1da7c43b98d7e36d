// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// Sealer is the suite of [gatehouse.Sealer]. open returns a sealer that works; each test
// calls it once.
func Sealer(t *testing.T, open func(t *testing.T) gatehouse.Sealer) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, s gatehouse.Sealer)
	}{
		{"what is sealed opens", sealerRoundTrip},
		{"nothing is not sealed", sealerEmpty},
		{"two seals of one secret differ", sealerFresh},
		{"the secret is not in the sealed bytes", sealerHides},
		{"another binding does not open", sealerBinding},
		{"another row's sealed secret does not open", sealerOtherRow},
		{"a flipped bit does not open", sealerFlipped},
		{"cut and extended bytes do not open", sealerLength},
		{"another ref does not open", sealerRef},
		{"buffers are not shared", sealerBuffers},
		{"many at once", sealerConcurrent},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(t, open(t))
		})
	}
}

// sealerSecret is what the suite seals; long enough not to turn up by chance.
const sealerSecret = "d9f0Qe-the-suite-seals-this-51FwqftsmMDHHbJA"

func sealerRow() gatehouse.Binding {
	return gatehouse.Binding{Purpose: "key-secret", Tenant: gatehouse.DefaultTenant, ID: "kid-1", Version: 1}
}

func mustSeal(t *testing.T, s gatehouse.Sealer, b gatehouse.Binding, secret string) gatehouse.Sealed {
	t.Helper()
	sealed, err := s.Seal(t.Context(), b, []byte(secret))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return sealed
}

// mustNotOpen wants an error that is about the ciphertext and tells nothing of the secret.
func mustNotOpen(t *testing.T, s gatehouse.Sealer, b gatehouse.Binding, sealed gatehouse.Sealed, what string) {
	t.Helper()
	got, err := s.Open(t.Context(), b, sealed)
	switch {
	case err == nil:
		t.Errorf("%s: opened", what)
	case got != nil:
		t.Errorf("%s: %d bytes beside the error", what, len(got))
	case errors.Is(err, gatehouse.ErrUnavailable):
		t.Errorf("%s: error claims that a dependency failed: %v", what, err)
	case bytes.Contains([]byte(err.Error()), []byte(sealerSecret)):
		t.Errorf("%s: the error holds the secret", what)
	}
}

func sealerRoundTrip(t *testing.T, s gatehouse.Sealer) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	secrets := [][]byte{{0}, []byte("x"), []byte(sealerSecret), every, bytes.Repeat([]byte("long "), 20_000)}
	bindings := []gatehouse.Binding{
		sealerRow(),
		{Purpose: "totp", Tenant: gatehouse.DefaultTenant, ID: "kid-1", Version: 1},
		{Purpose: "totp", Tenant: "other", ID: "kid-1"},
		{Purpose: "totp", Tenant: "ténant / \x00", ID: "a row", Version: 1<<63 - 1},
	}
	for _, b := range bindings {
		for _, secret := range secrets {
			got, err := s.Open(t.Context(), b, mustSeal(t, s, b, string(secret)))
			if err != nil || !bytes.Equal(got, secret) {
				t.Errorf("%+v, %d bytes: got %d bytes, %v", b, len(secret), len(got), err)
			}
		}
	}
}

func sealerEmpty(t *testing.T, s gatehouse.Sealer) {
	for _, secret := range [][]byte{nil, {}} {
		if sealed, err := s.Seal(t.Context(), sealerRow(), secret); err == nil || sealed.Ref != "" || sealed.Data != nil {
			t.Errorf("Seal(%v) = %v, %v; want an error alone", secret, sealed, err)
		}
	}
	ref := mustSeal(t, s, sealerRow(), sealerSecret).Ref
	mustNotOpen(t, s, sealerRow(), gatehouse.Sealed{Ref: ref}, "nil")
	mustNotOpen(t, s, sealerRow(), gatehouse.Sealed{Ref: ref, Data: []byte{}}, "no bytes")
	mustNotOpen(t, s, sealerRow(), gatehouse.Sealed{}, "zero")
}

func sealerFresh(t *testing.T, s gatehouse.Sealer) {
	seen := map[string]bool{}
	for range 100 {
		sealed := mustSeal(t, s, sealerRow(), sealerSecret)
		if seen[string(sealed.Data)] {
			t.Fatal("two seals of one secret are equal")
		}
		seen[string(sealed.Data)] = true
	}
}

func sealerHides(t *testing.T, s gatehouse.Sealer) {
	for range 100 {
		sealed := mustSeal(t, s, sealerRow(), sealerSecret)
		for i := range len(sealerSecret) - 4 {
			part := sealerSecret[i : i+5]
			if bytes.Contains(sealed.Data, []byte(part)) || bytes.Contains([]byte(sealed.Ref), []byte(part)) {
				t.Fatalf("the sealed secret holds %q", part)
			}
		}
	}
}

func sealerBinding(t *testing.T, s gatehouse.Sealer) {
	b := sealerRow()
	sealed := mustSeal(t, s, b, sealerSecret)
	other := func(change func(*gatehouse.Binding)) gatehouse.Binding {
		b := b
		change(&b)
		return b
	}
	for name, b := range map[string]gatehouse.Binding{
		"purpose":           other(func(b *gatehouse.Binding) { b.Purpose = "totp" }),
		"no purpose":        other(func(b *gatehouse.Binding) { b.Purpose = "" }),
		"tenant":            other(func(b *gatehouse.Binding) { b.Tenant = "other" }),
		"no tenant":         other(func(b *gatehouse.Binding) { b.Tenant = "" }),
		"id":                other(func(b *gatehouse.Binding) { b.ID = "kid-2" }),
		"no id":             other(func(b *gatehouse.Binding) { b.ID = "" }),
		"id in other case":  other(func(b *gatehouse.Binding) { b.ID = "KID-1" }),
		"id with a space":   other(func(b *gatehouse.Binding) { b.ID = "kid-1 " }),
		"version":           other(func(b *gatehouse.Binding) { b.Version = 2 }),
		"version zero":      other(func(b *gatehouse.Binding) { b.Version = 0 }),
		"version, high bit": other(func(b *gatehouse.Binding) { b.Version = 1 | -1<<63 }),
		"border moved":      other(func(b *gatehouse.Binding) { b.Tenant, b.ID = b.Tenant+"k", "id-1" }),
		"fields swapped":    other(func(b *gatehouse.Binding) { b.Tenant, b.ID = b.ID, b.Tenant }),
		"zero":              {},
	} {
		mustNotOpen(t, s, b, sealed, name)
	}
}

func sealerOtherRow(t *testing.T, s gatehouse.Sealer) {
	rows := []gatehouse.Binding{sealerRow(), sealerRow(), sealerRow(), sealerRow(), sealerRow()}
	rows[1].ID = "kid-2"
	rows[2].Version = 2
	rows[3].Tenant = "other"
	rows[4].Purpose = "totp"
	sealed := make([]gatehouse.Sealed, len(rows))
	for i, b := range rows {
		sealed[i] = mustSeal(t, s, b, fmt.Sprint(sealerSecret, i))
	}
	for i := range rows {
		for j := range rows {
			if i != j {
				mustNotOpen(t, s, rows[i], sealed[j], fmt.Sprintf("row %d with the secret of row %d", i, j))
			}
		}
	}
}

func sealerFlipped(t *testing.T, s gatehouse.Sealer) {
	b := sealerRow()
	sealed := mustSeal(t, s, b, sealerSecret)
	for i := range sealed.Data {
		for bit := range 8 {
			bad := gatehouse.Sealed{Ref: sealed.Ref, Data: slices.Clone(sealed.Data)}
			bad.Data[i] ^= 1 << bit
			mustNotOpen(t, s, b, bad, fmt.Sprintf("byte %d bit %d", i, bit))
		}
	}
}

func sealerLength(t *testing.T, s gatehouse.Sealer) {
	b := sealerRow()
	sealed := mustSeal(t, s, b, sealerSecret)
	for n := range len(sealed.Data) {
		mustNotOpen(t, s, b, gatehouse.Sealed{Ref: sealed.Ref, Data: sealed.Data[:n]}, fmt.Sprintf("first %d bytes", n))
		mustNotOpen(t, s, b, gatehouse.Sealed{Ref: sealed.Ref, Data: sealed.Data[n+1:]}, fmt.Sprintf("without %d bytes", n+1))
	}
	mustNotOpen(t, s, b, gatehouse.Sealed{Ref: sealed.Ref, Data: append(slices.Clone(sealed.Data), 0)}, "a byte more")
}

func sealerRef(t *testing.T, s gatehouse.Sealer) {
	b := sealerRow()
	sealed := mustSeal(t, s, b, sealerSecret)
	far := b
	far.Tenant, far.Purpose = "other", "totp"
	for _, ref := range []string{"", "unknown", sealed.Ref + "x", mustSeal(t, s, far, sealerSecret).Ref} {
		// A sealer may use one data key for both rows; then the ref is not another.
		if ref != sealed.Ref {
			mustNotOpen(t, s, b, gatehouse.Sealed{Ref: ref, Data: sealed.Data}, "ref "+ref)
		}
	}
}

func sealerBuffers(t *testing.T, s gatehouse.Sealer) {
	b := sealerRow()
	secret := []byte(sealerSecret)
	sealed, err := s.Seal(t.Context(), b, secret)
	if err != nil || string(secret) != sealerSecret {
		t.Fatalf("Seal changed its argument, or failed: %v", err)
	}
	clear(secret)
	before := slices.Clone(sealed.Data)
	for range 2 {
		got, err := s.Open(t.Context(), b, sealed)
		if err != nil || string(got) != sealerSecret {
			t.Fatalf("Open = %d bytes, %v", len(got), err)
		}
		clear(got)
		if !bytes.Equal(sealed.Data, before) {
			t.Fatal("the sealed bytes changed")
		}
	}
}

func sealerConcurrent(t *testing.T, s gatehouse.Sealer) {
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			b := gatehouse.Binding{Purpose: "totp", Tenant: fmt.Sprint("tenant ", g%3), ID: fmt.Sprint(g), Version: 1}
			for i := range 50 {
				secret := fmt.Sprint(sealerSecret, g, i)
				sealed, err := s.Seal(context.Background(), b, []byte(secret))
				if err != nil {
					t.Errorf("Seal: %v", err)
					return
				}
				if got, err := s.Open(context.Background(), b, sealed); err != nil || string(got) != secret {
					t.Errorf("Open = %d bytes, %v", len(got), err)
					return
				}
			}
		})
	}
	wg.Wait()
}
