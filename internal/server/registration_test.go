// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The setting reaches the door and the console.
func TestRegistrationSetting(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]struct {
		status int
		body   string
		offers bool
	}{
		"true":  {http.StatusCreated, `"email":"new@example.com"`, true},
		"false": {http.StatusUnprocessableEntity, `{"errors":["identity.user.registration_closed"]}`, false},
	} {
		public := wire(t, settings(t, map[string]string{"account.registration": setting})).public()
		r := httptest.NewRequest(http.MethodPost, "/api/v2/barong/identity/users", strings.NewReader(`{"email":"new@example.com","password":"`+adminPassword+`"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		public.ServeHTTP(w, r)
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.body) {
			t.Errorf("%s: %d %s", setting, w.Code, w.Body)
		}
		if page := get(public, "/sign-in"); page.Code != http.StatusOK || strings.Contains(page.Body.String(), "/register") != want.offers {
			t.Errorf("%s: the sign-in: %d %s", setting, page.Code, page.Body)
		}
	}
}
