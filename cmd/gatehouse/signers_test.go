// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	signing "github.com/seed14544106/gatehouse/client/sign"
	sig "github.com/seed14544106/gatehouse/httpsig"
)

// signers is the fourth: keys that sign, keys of other systems, another key to seal with.
func (s *story) signers() {
	t, admin := s.server.t, s.client()
	for _, scheme := range []string{"shield", "httpsig"} {
		k, err := admin.CreateKey(t.Context(), api.NewKey{Owner: "cli@example.com", Schemes: []string{scheme}})
		if err != nil {
			t.Fatal(err)
		}
		s.add("key secret", k.Secret)
		secret := gatehouse.NewSecret(k.Secret)
		signer := signing.Shield(k.ID, secret)
		if scheme == "httpsig" {
			key, err := sig.HMACKey([]byte(k.Secret))
			if err != nil {
				t.Fatal(err)
			}
			signer = signing.HTTPSig(&sig.Signer{KeyID: k.ID, Key: key})
		}
		body := []byte(`{"note":"` + wrongPassword + `"}`)
		r, err := http.NewRequest(http.MethodPost, "https://api.example.com/orders?x=1", bytes.NewReader(body))
		if err == nil {
			err = signer.Sign(r, body)
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range r.Header {
			if name == "Authorization" || name == "Signature" {
				s.add("signature", strings.Trim(values[0][strings.LastIndexAny(values[0][:len(values[0])-1], ":")+1:], ":"))
			}
		}
		for _, b := range [][]byte{body, body[1:]} {
			q := api.Check{Method: http.MethodPost, Scheme: "https", Authority: "api.example.com", Target: "/orders?x=1", Headers: r.Header, Body: &b}
			if d, err := admin.Verify(t.Context(), q); err != nil || d.Granted != (len(b) == len(body)) {
				t.Errorf("%s: %+v, %v", scheme, d, err)
			}
		}
	}
	const secret = "gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="
	hash := sha256.Sum256([]byte("51FwqftsmMDHHbJAMEXXHCgG"))
	s.add("imported secret", secret)
	s.add("imported hash", hex.EncodeToString(hash[:]))
	owners := []api.ImportOwner{{Email: "import@example.com", Origin: "test:1"}}
	for _, in := range []api.Import{
		{Scheme: "shield", Owners: owners, Keys: []api.ImportKey{{ID: "5947b62696fc5ba05fe914dcb3992c67", Owner: "import@example.com", Secret: secret}}},
		{Scheme: "shield", Owners: owners, Keys: []api.ImportKey{{ID: "5947 " + secret, Owner: "import@example.com", Name: secret, Secret: secret}}},
		{Scheme: "bearer", Owners: owners, Keys: []api.ImportKey{{ID: "BRTRKFsL", Prefix: "co", Owner: "import@example.com", Hash: hash[:]}}},
		{Scheme: "bearer", Owners: owners, Keys: []api.ImportKey{{ID: "BRTRKFsM", Prefix: "co", Owner: "import@example.com", Hash: hash[:], HashName: hex.EncodeToString(hash[:])}}},
	} {
		out, err := admin.Import(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range out.Keys {
			s.errors = append(s.errors, k.Problem)
		}
	}
	if _, err := admin.AddKeyringKey(t.Context(), api.NewKeyringKey{Kind: "kek", Primary: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
}
