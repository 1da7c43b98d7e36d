// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
)

// The native API is on the public face for keys and on the socket for the operator.
func TestAPIFaces(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	socket, public := p.admin(), p.public()
	post := func(target, body string) []byte {
		t.Helper()
		w := httptest.NewRecorder()
		socket.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
		if w.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	post("/v1/accounts", `{"email":"a@example.com"}`)
	var k api.CreatedKey
	if err := json.Unmarshal(post("/v1/keys", `{"owner":"a@example.com","schemes":["bearer"],"scopes":["keys:read"]}`), &k); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/v1/keys": 200, "/v1/self": 200, "/v1/accounts": 403, "/v1/keyring": 403, "/v1/keyring/rewrap": 404, "/v1/docs": 200, "/v1/openapi.json": 200} {
		if w := get(public, target, "Authorization", "Bearer "+k.Token); w.Code != want {
			t.Errorf("%s with a key: %d %s", target, w.Code, w.Body)
		}
	}
	if w := get(public, "/v1//keys"); w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"ambiguous_path"`) {
		t.Errorf("a path that can be read in two ways: %d %s", w.Code, w.Body)
	}
	if w := get(public, "/v1/keys"); w.Code != 401 {
		t.Errorf("without one: %d %s", w.Code, w.Body)
	}
	if w := get(socket, "/v1/keyring"); w.Code != 200 {
		t.Errorf("the keyring at the socket: %d %s", w.Code, w.Body)
	}
}
