// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// inspect looks at a credential and fails the test on an error.
func (h *house) inspect(tb testing.TB, r *gatehouse.Request) gatehouse.Inspection {
	tb.Helper()
	i, err := h.Inspect(context.Background(), r)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

// What an inspection says of a key, and that it says nothing before a proof holds.
func TestInspect(t *testing.T) {
	t.Parallel()
	ctx, clock := context.Background(), gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	other := token(c)
	other.Tenant = "other"
	for name, r := range map[string]*gatehouse.Request{
		"nothing":        {},
		"malformed":      {Header: gatehouse.Header{"Authorization": {"Bearer x"}}},
		"two":            {Header: gatehouse.Header{"Authorization": {"Bearer " + c.Token.Reveal()}, barong.HeaderKey: {"x"}}},
		"unknown":        {Header: gatehouse.Header{"Authorization": {"Bearer gh_BRTRKFsL0xYz_51FwqftsmMDHHbJAMEXXHCgG"}}},
		"wrong":          {Header: gatehouse.Header{"Authorization": {"Bearer gh_" + c.Key.ID + "_51FwqftsmMDHHbJAMEXXHCgG"}}},
		"another tenant": other,
	} {
		if i := h.inspect(t, r); i != (gatehouse.Inspection{}) || i.Usable() {
			t.Errorf("%s: %+v", name, i)
		}
	}
	for name, row := range map[string]struct {
		key  gatehouse.NewKey
		act  func(kid string) error
		want gatehouse.Reason
		ends time.Duration // from now; zero: not planned
	}{
		"usable":    {},
		"expires":   {key: gatehouse.NewKey{Expires: clock.Now().Add(time.Hour)}, ends: time.Hour},
		"too early": {key: gatehouse.NewKey{NotBefore: clock.Now().Add(time.Hour)}, want: gatehouse.ReasonKeyNotYetValid},
		"disabled": {act: func(kid string) error {
			_, err := h.Disable(ctx, operator, kid)
			return err
		}, want: gatehouse.ReasonKeyDisabled},
		"revoked": {act: func(kid string) error {
			_, err := h.Revoke(ctx, operator, kid, "")
			return err
		}, want: gatehouse.ReasonKeyRevoked},
		"replaced": {act: func(kid string) error {
			_, err := h.Rotate(ctx, operator, kid, time.Minute, "")
			return err
		}, ends: time.Minute},
		"replaced, and expires first": {
			key: gatehouse.NewKey{Expires: clock.Now().Add(time.Second)},
			act: func(kid string) error {
				_, err := h.Rotate(ctx, operator, kid, time.Minute, "")
				return err
			}, ends: time.Second,
		},
		"replaced, and expires later": {
			key: gatehouse.NewKey{Expires: clock.Now().Add(time.Hour)},
			act: func(kid string) error {
				_, err := h.Rotate(ctx, operator, kid, time.Minute, "")
				return err
			}, ends: time.Minute,
		},
		"scheme not allowed, and revoked": {
			key: gatehouse.NewKey{Schemes: []string{"bearer", "barong"}},
			act: func(kid string) error {
				_, err := h.Update(ctx, operator, kid, gatehouse.Patch{Schemes: &[]string{"barong"}})
				_, err2 := h.Revoke(ctx, operator, kid, "")
				return errors.Join(err, err2)
			}, want: gatehouse.ReasonKeyRevoked,
		},
		"scheme not allowed": {
			key: gatehouse.NewKey{Schemes: []string{"bearer", "barong"}},
			act: func(kid string) error {
				_, err := h.Update(ctx, operator, kid, gatehouse.Patch{Schemes: &[]string{"barong"}})
				return err
			}, want: gatehouse.ReasonSchemeNotAllowed,
		},
		"signed only": {
			key: gatehouse.NewKey{Schemes: []string{"bearer", "barong"}},
			act: func(kid string) error {
				signs := true
				_, err := h.Update(ctx, operator, kid, gatehouse.Patch{Signed: &signs})
				return err
			}, want: gatehouse.ReasonSchemeNotAllowed,
		},
	} {
		if row.key.Schemes == nil {
			row.key.Schemes = []string{"bearer"}
		}
		c := h.key(t, row.key)
		if row.act != nil {
			if err := row.act(c.Key.ID); err != nil {
				t.Fatal(name, err)
			}
		}
		i := h.inspect(t, token(c))
		if i.Key == nil || i.Key.ID != c.Key.ID || i.Principal.ID != "owner" || i.Reason != row.want || i.Usable() != (row.want == 0) {
			t.Errorf("%s: %+v", name, i)
		}
		var ends time.Time
		if row.ends != 0 {
			ends = clock.Now().Add(row.ends)
		}
		if !i.Ends.Equal(ends) {
			t.Errorf("%s: ends %v, want %v", name, i.Ends, ends)
		}
	}
}

// An inspection is no use: the holder's nonce and limit stay, and no bound on the request
// is asked for.
func TestInspectTakesNothing(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	c := h.key(t, gatehouse.NewKey{
		Schemes: []string{"barong"}, Limits: hourly, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Methods: []string{"GET"}, Paths: []string{"/"},
	})
	r := triple(c, clock.Now())
	for range 3 {
		if i := h.inspect(t, &gatehouse.Request{Header: r.Header}); !i.Usable() {
			t.Fatalf("%+v", i)
		}
	}
	if d := h.verify(t, r); !d.Granted {
		t.Errorf("the holder is refused: %v", d.Reason)
	}
	clock.Advance(time.Minute)
	if i := h.inspect(t, r); i.Usable() || i.Reason != gatehouse.ReasonStaleCredential {
		t.Errorf("stale: %+v", i)
	}
}

func TestInspectKey(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}, Expires: time.Now().Add(time.Hour)})
	for _, row := range []struct {
		tenant, kid string
		found       bool
	}{
		{"", c.Key.ID, true}, {"default", c.Key.ID, true}, {"other", c.Key.ID, false}, {"default", "unknown", false}, {"", "", false},
	} {
		i, err := h.InspectKey(ctx, row.tenant, row.kid)
		if err != nil || i.Usable() != row.found || row.found && !i.Ends.Equal(c.Key.Expires) {
			t.Errorf("%s %s: %+v, %v", row.tenant, row.kid, i, err)
		}
	}
	if _, err := h.Revoke(ctx, operator, c.Key.ID, ""); err != nil {
		t.Fatal(err)
	}
	if i, err := h.InspectKey(ctx, "", c.Key.ID); err != nil || i.Usable() || i.Reason != gatehouse.ReasonKeyRevoked {
		t.Errorf("revoked: %+v, %v", i, err)
	}
}

func TestTokenPrefix(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, time.Now)
	made := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Prefix: "acme"}).Key.ID
	for kid, want := range map[string]string{
		made: "acme", h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}}).Key.ID: "gh",
		h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}}).Key.ID: "decoy", "unknown": "decoy", "": "decoy",
	} {
		if got, err := h.TokenPrefix(ctx, kid); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", kid, got, err, want)
		}
	}
}

// Where the store does not answer there is no inspection.
func TestInspectUnavailable(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := h.Inspect(ctx, token(c))
	k, err2 := h.InspectKey(ctx, "", c.Key.ID)
	_, err3 := h.TokenPrefix(ctx, c.Key.ID)
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Error(err)
		}
	}
	if i.Usable() || k.Usable() {
		t.Error("usable without a store")
	}
}
