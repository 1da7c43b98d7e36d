// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/assertion"
)

// signing is real signing keys as the API takes them.
type signing struct{ keys *assertion.Keys }

func (s *signing) List(ctx context.Context) ([]api.SigningKey, error) {
	infos, err := s.keys.List(ctx)
	var out []api.SigningKey
	for _, k := range infos {
		out = append(out, api.SigningKey{ID: k.ID, Algorithm: k.Algorithm, State: string(k.State), Created: k.Created, Signs: &k.Signs})
	}
	return out, err
}

func (s *signing) Rotate(ctx context.Context, actor gatehouse.Actor) error {
	return s.keys.Rotate(ctx, actor)
}

// openSigning opens signing keys and waits for the first.
func openSigning(t *testing.T, store gatehouse.SigningKeyStore, sealer gatehouse.Sealer) *assertion.Keys {
	t.Helper()
	keys, err := assertion.OpenKeys(t.Context(), assertion.KeysConfig{Store: store, Sealer: sealer, Algorithms: []string{assertion.ES256}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	m := assertion.NewMinter(assertion.MinterConfig{Keys: keys, Profile: assertion.Default, Issuer: "i", Audience: []string{"a"}})
	if _, err := m.Mint(t.Context(), assertion.Subject{Key: &gatehouse.Key{}, Principal: gatehouse.Principal{UID: "u", Kind: gatehouse.PrincipalAccount}}); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	list := func(r reply) (out api.SigningKeys) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return out
	}
	if got := list(h.send("GET /v1/signing-keys", "")); len(got.Keys) != 1 || got.Keys[0].State != "active" {
		t.Fatalf("at first %+v", got)
	}
	first := h.sendWith("POST /v1/signing-keys/rotate", "", "Idempotency-Key: a")
	if got := list(first); len(got.Keys) != 2 || got.Keys[0].State != "next" || got.Keys[1].State != "active" {
		t.Errorf("rotated %+v", got)
	}
	if again := h.sendWith("POST /v1/signing-keys/rotate", "", "Idempotency-Key: a"); again.body != first.body {
		t.Errorf("rotated again under one Idempotency-Key: %s", again.body)
	}
	next := list(first).Keys[0]
	const told = "the next keys are published already, and sign from TIME on: then the ones after them can be made"
	want := strings.ReplaceAll(told, "TIME", next.Signs.Add(time.Second-1).UTC().Truncate(time.Second).Format(time.RFC3339))
	if p := h.refused("POST /v1/signing-keys/rotate", "", 409, "conflict"); p.Detail != want {
		t.Errorf("rotated twice: %q, want %q", p.Detail, want)
	}
	_, admin := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	if r := h.call(admin.Token, "POST /v1/signing-keys/rotate", ""); r.status != 403 {
		t.Errorf("an administrator rotates: %d %s", r.status, r.body)
	}
	_, boss := h.keyOf("", "boss@example.com", "superadmin", manageAll()...)
	if got := list(h.call(boss.Token, "GET /v1/signing-keys", "")); len(got.Keys) != 2 {
		t.Errorf("a superadministrator sees %+v", got)
	}
}
