// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"testing"
)

func TestPresents(t *testing.T) {
	t.Parallel()
	g := &Gate{strip: map[string]bool{"x-shield": true}}
	for name, want := range map[string]bool{
		"Authorization": true, "X-Api-Key": true, "x_api_key": true, "X-Auth-Apikey": true, "Signature-Input": true, "X-Auth-Nonce": true, "X-Shield": true,
		"Cookie": false, "X-Csrf-Token": false, "Accept": false,
	} {
		if got := g.Presents(&http.Request{Header: http.Header{"Host": {"a"}, name: {""}}}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if g.Presents(&http.Request{}) {
		t.Error("nothing is a credential")
	}
}
