// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// lateBody is a body that is sent when the server asks for it, and before that something happens.
type lateBody struct {
	io.Reader
	first  sync.Once
	before func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	b.first.Do(b.before)
	return b.Reader.Read(p)
}

// Who sends a body slowly changes nothing once its session has ended, or its account is stopped.
func TestSlowBodiesOutliveNothing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end  func(h *house, id string) error
		code string
	}{
		"signed out everywhere": {func(h *house, id string) error {
			return h.directory.EndSessions(t.Context(), h.operator, id, gatehouse.Secret{})
		}, "authz.csrf_token_mismatch"},
		"banned": {func(h *house, id string) error {
			return h.directory.SetState(t.Context(), h.operator, id, gatehouse.PrincipalBanned)
		}, "authz.user_not_active"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, options{})
			a := h.person("holder@example.com")
			s := h.signInAs("holder@example.com")
			late := func(r *http.Request) {
				r.Header.Set("Expect", "100-continue")
				r.Header.Set("Content-Type", "application/json")
				r.ContentLength = -1
				text := fmt.Sprintf(`{"old_password":%q,"new_password":%q,"confirm_password":%q}`, password, password2, password2)
				r.Body = io.NopCloser(&lateBody{Reader: strings.NewReader(text), before: func() {
					if err := row.end(h, a.ID); err != nil {
						t.Error(err)
					}
				}})
			}
			got := h.api("PUT", "/resource/users/password", s.with, late)
			if got.status != 401 || !strings.Contains(got.body, row.code) {
				t.Error(got)
			}
			if again, err := h.directory.Account(t.Context(), account.ByID, a.ID); err != nil || again.PasswordHash != a.PasswordHash {
				t.Errorf("the password was changed: %v", err)
			}
		})
	}
}
