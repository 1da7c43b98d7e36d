// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import "testing"

// With registration closed the answer is one, whatever is asked: nobody learns who is here.
func TestRegistrationClosed(t *testing.T) {
	t.Parallel()
	h := open(t, options{closed: true})
	h.person("there@example.com")
	for _, body := range []string{
		`{"email":"new@example.com","password":"` + password + `"}`,
		`{"email":"there@example.com","password":"` + password + `"}`,
		`{"email":"new@example.com","password":"weak"}`,
		`{"email":"new@example.com","password":"` + password + `","refid":"nobody"}`,
	} {
		got := h.api("POST", "/identity/users", jsonBody(body))
		h.refused(body, got, 422, "identity.user.registration_closed")
		if len(got.header["Set-Cookie"]) != 0 {
			t.Errorf("%s: a cookie", body)
		}
	}
	if mails := h.mails(); len(mails) != 0 {
		t.Errorf("mails %v", mails)
	}
	h.signInAs("there@example.com")
}
