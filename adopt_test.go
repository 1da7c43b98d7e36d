// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	lib "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

const (
	foreignToken = "mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG"
	foreignShort = "BRTRKFsL"
	foreignLong  = "51FwqftsmMDHHbJAMEXXHCgG"
	shieldKey    = "5947b62696fc5ba05fe914dcb3992c67"
	shieldSecret = "gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="
)

func (h *house) foreign() []gatehouse.Foreign {
	hash := sha256.Sum256([]byte(foreignLong))
	return []gatehouse.Foreign{
		{ID: foreignShort, Principal: h.owner.ID, Scheme: "bearer", Prefix: "mycompany", Hash: hash[:], Scopes: gatehouse.Scopes{"read"}, Created: time.Unix(1_500_000_000, 0)},
		{ID: shieldKey, Principal: h.owner.ID, Scheme: "shield", Name: "Work Laptop", Secret: gatehouse.NewSecret(shieldSecret), Scopes: gatehouse.Scopes{"*"}, Unused: shield.DefaultUnused},
	}
}

// usable reports whether the holders of the foreign keys get in.
func (h *house) usable(t *testing.T) (bearer, signed bool) {
	t.Helper()
	r := &gatehouse.Request{Header: gatehouse.Header{"Authorization": {"Bearer " + foreignToken}}}
	bearer = h.verify(t, r).Granted
	body := []byte(`{"a":1}`)
	r = &gatehouse.Request{
		Header: gatehouse.Header{"Authorization": {"HMAC-SHA256 " + shieldKey + ":" + shield.Sign(shieldSecret, body)}},
		Body:   gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body},
	}
	return bearer, h.verify(t, r).Granted
}

func (h *house) adopt(t *testing.T, f []gatehouse.Foreign, dry bool) (outcomes []string, written bool) {
	t.Helper()
	answers, written, err := h.Adopt(context.Background(), operator, f, dry)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		outcomes = append(outcomes, a.Outcome.String())
		if (a.Outcome == gatehouse.AdoptRefused) != (a.Problem != "") {
			t.Errorf("%s: problem %q", a.Outcome, a.Problem)
		}
	}
	return outcomes, written
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	expect := func(step string, f []gatehouse.Foreign, dry bool, want []string, wantWritten, wantUsable bool) {
		t.Helper()
		got, written := h.adopt(t, f, dry)
		b, s := h.usable(t)
		if !slices.Equal(got, want) || written != wantWritten || b != wantUsable || s != wantUsable {
			t.Fatalf("%s: %v, written %v, usable %v %v; want %v, %v, %v", step, got, written, b, s, want, wantWritten, wantUsable)
		}
	}
	expect("dry", h.foreign(), true, []string{"new", "new"}, false, false)
	spoiled := h.foreign()
	spoiled[1].Secret = gatehouse.Secret{}
	expect("one that cannot be taken", spoiled, false, []string{"new", "refused"}, false, false)
	twice := append(h.foreign(), h.foreign()[0])
	expect("one twice", twice, false, []string{"new", "new", "refused"}, false, false)
	expect("all", h.foreign(), false, []string{"new", "new"}, true, true)
	expect("again", h.foreign(), false, []string{"same", "same"}, true, true)
	other := h.foreign()
	other[0].Hash = slices.Repeat([]byte{1}, 32)
	other[1].Secret = gatehouse.NewSecret("another secret of the same length as thatone")
	expect("another secret under the same id", other, false, []string{"refused", "refused"}, false, true)

	k, err := h.Get(ctx, operator, foreignShort)
	if err != nil || k.Created.Unix() != 1_500_000_000 || k.Prefix != "mycompany" || !slices.Equal(k.Scopes, gatehouse.Scopes{"read"}) {
		t.Errorf("%+v, %v", k, err)
	}
	// What was revoked here stays revoked when it is imported again.
	for _, id := range []string{foreignShort, shieldKey} {
		if _, err := h.Revoke(ctx, operator, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	expect("after a revocation", h.foreign(), false, []string{"same", "same"}, true, false)
}

func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	made := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}})
	hash512 := sha512.Sum512([]byte(foreignLong))
	for name, spoil := range map[string]func(f *gatehouse.Foreign){
		"no id":                          func(f *gatehouse.Foreign) { f.ID = "" },
		"an id with space":               func(f *gatehouse.Foreign) { f.ID = "a b" },
		"an id that is a step of a path": func(f *gatehouse.Foreign) { f.ID = ".." },
		"a taken id":                     func(f *gatehouse.Foreign) { f.ID = made.Key.ID },
		"no principal":                   func(f *gatehouse.Foreign) { f.Principal = "" },
		"nobody":                         func(f *gatehouse.Foreign) { f.Principal = "nobody" },
		"another scheme":                 func(f *gatehouse.Foreign) { f.Scheme = "barong" },
		"no such scheme":                 func(f *gatehouse.Foreign) { f.Scheme = "none" },
		"no hash":                        func(f *gatehouse.Foreign) { f.Hash = nil },
		"another hash":                   func(f *gatehouse.Foreign) { f.Hash = hash512[:] },
		"unknown hash":                   func(f *gatehouse.Foreign) { f.HashName = "md5" },
		"no prefix":                      func(f *gatehouse.Foreign) { f.Prefix = "" },
		"a bad scope":                    func(f *gatehouse.Foreign) { f.Scopes = gatehouse.Scopes{"a b"} },
		"short lifetime":                 func(f *gatehouse.Foreign) { f.Unused = time.Minute },
		"control in name":                func(f *gatehouse.Foreign) { f.Name = "a\nb" },
	} {
		f := h.foreign()[:1]
		spoil(&f[0])
		if got, written := h.adopt(t, f, false); got[0] != "refused" || written {
			t.Errorf("%s: %v, written %v", name, got, written)
		}
	}
	if _, _, err := h.Adopt(context.Background(), gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: h.owner.ID, Tenant: h.owner.Tenant}, h.foreign(), false); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("an account may import: %v", err)
	}
	var invalid *gatehouse.InvalidError
	if _, _, err := h.Adopt(context.Background(), operator, make([]gatehouse.Foreign, gatehouse.MaxAdopt+1), false); !errors.As(err, &invalid) {
		t.Errorf("more than fit: %v", err)
	}
	if b, s := h.usable(t); b || s {
		t.Error("a refused key is usable")
	}
}

// Keys whose hash is another SHA-2 keep it.
func TestAdoptOtherHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	sum := sha512.Sum512([]byte(foreignLong))
	f := h.foreign()[:1]
	f[0].Hash, f[0].HashName = sum[:], "sha-512"
	if got, written := h.adopt(t, f, false); got[0] != "new" || !written {
		t.Fatal(got, written)
	}
	if b, _ := h.usable(t); !b {
		t.Error("a token with a SHA-512 hash is not accepted")
	}
}

// A foreign key with its secret in clear works by the scheme it comes for.
func TestAdoptSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	secret := gatehouse.NewSecret("0123456789abcdef0123456789abcdef")
	foreign := []gatehouse.Foreign{
		{ID: "b1b1b1b1b1b1b1b1", Scheme: "barong"}, {ID: "short7", Scheme: "bearer", Prefix: "mycompany"}, {ID: "sig-1", Scheme: "httpsig"},
	}
	for i := range foreign {
		foreign[i].Principal, foreign[i].Secret = h.owner.ID, secret
	}
	answers, written, err := h.Adopt(context.Background(), operator, foreign, false)
	if err != nil || !written {
		t.Fatal(answers, err)
	}
	made := func(id string) gatehouse.Created {
		return gatehouse.Created{Key: gatehouse.Key{ID: id}, Secret: secret, Token: gatehouse.NewSecret("mycompany_" + id + "_" + secret.Reveal())}
	}
	key, err := lib.HMACKey([]byte(secret.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*gatehouse.Request{
		"barong": triple(made("b1b1b1b1b1b1b1b1"), time.Now()), "bearer": token(made("short7")), "httpsig": signed(t, "sig-1", key, time.Now(), nil, nil),
	} {
		if d := h.verify(t, r); !d.Granted {
			t.Errorf("%s: %v", name, d.Reason)
		}
	}
	if answers, _, err := h.Adopt(context.Background(), operator, foreign, false); err != nil || answers[0].Outcome != gatehouse.AdoptSame || answers[1].Outcome != gatehouse.AdoptSame {
		t.Errorf("again: %+v, %v", answers, err)
	}
	foreign[1].ID, foreign[1].Hash = "short8", make([]byte, 32)
	if answers, _, err := h.Adopt(context.Background(), operator, foreign[1:2], false); err != nil || answers[0].Outcome != gatehouse.AdoptRefused {
		t.Errorf("a secret and a hash: %+v, %v", answers, err)
	}
}
