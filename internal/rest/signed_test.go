// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/httpsig"
)

// A key may manage by whatever scheme it has. What a proof covers is what the verb reads.
func TestCallersOfEveryScheme(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for scheme, signer := range map[string]func(k api.CreatedKey) sign.Scheme{
		"bearer": func(k api.CreatedKey) sign.Scheme { return sign.Bearer(gatehouse.NewSecret(k.Token)) },
		"barong": func(k api.CreatedKey) sign.Scheme { return sign.Barong(k.ID, gatehouse.NewSecret(k.Secret)) },
		"shield": func(k api.CreatedKey) sign.Scheme { return sign.Shield(k.ID, gatehouse.NewSecret(k.Secret)) },
		"httpsig": func(k api.CreatedKey) sign.Scheme {
			key, err := httpsig.HMACKey([]byte(k.Secret))
			if err != nil {
				t.Fatal(err)
			}
			return sign.HTTPSig(&httpsig.Signer{KeyID: k.ID, Key: key})
		},
	} {
		k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner, Schemes: []string{scheme}, Scopes: []string{"keys:create", "keys:read"}})
		if err != nil {
			t.Fatal(err)
		}
		signs := signer(k) // one for both: it makes no nonce twice
		body := `{"owner":"` + owner + `","schemes":["` + scheme + `"],"unused_s":3600,"scopes":["keys:read"]}`
		send := func(sent string) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://keys.example.com/v1/keys", strings.NewReader(sent))
			if err := signs.Sign(r, []byte(body)); err != nil {
				t.Fatal(err)
			}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(sent)), int64(len(sent))
			w := httptest.NewRecorder()
			h.public.ServeHTTP(w, r)
			return w.Code
		}
		if status := send(body); status != http.StatusCreated {
			t.Errorf("%s: %d", scheme, status)
		}
		covers := scheme == "shield" || scheme == "httpsig"
		if status := send(strings.Replace(body, "keys:read", "keys:xxxx", 1)); covers != (status == http.StatusUnauthorized) {
			t.Errorf("%s with another body: %d", scheme, status)
		}
	}
}
