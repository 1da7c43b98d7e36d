// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/seed14544106/gatehouse/httpsig"
)

// A client signs, a server verifies.
func Example() {
	key, err := httpsig.HMACKey([]byte("a secret of at least sixteen bytes"))
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"amount": 3}`)
	r, err := http.NewRequest(http.MethodPost, "https://api.example.com/v1/orders?dry=1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer := httpsig.Signer{KeyID: "k1", Key: key}
	if err := signer.SignRequest(r, body); err != nil {
		fmt.Println(err)
		return
	}

	var used sync.Map // a real one forgets a nonce after s.Until()
	verifier := httpsig.Verifier{
		Key: func(context.Context, string) (httpsig.VerifyKey, error) { return key, nil },
		Claim: func(_ context.Context, s *httpsig.Signature) (bool, error) {
			_, before := used.LoadOrStore(s.KeyID+" "+s.Nonce, true)
			return !before, nil
		},
	}
	m := httpsig.MessageOf(r)
	for range 2 {
		s, err := verifier.Verify(r.Context(), &m, body)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("signed by", s.KeyID)
	}
	// Output:
	// signed by k1
	// nonce was used before
}
