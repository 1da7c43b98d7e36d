// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// listAttempts answers with the newest attempts, of one key (?key=) or of all. They are
// for operators only.
func (h *Handler) listAttempts(w http.ResponseWriter, r *http.Request) {
	_, limit, err := page(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	attempts, err := h.attempts.ListAttempts(r.Context(), gatehouse.AttemptQuery{Tenant: h.tenant, KeyID: r.FormValue("key"), Limit: limit})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := api.Attempts{Attempts: []api.Attempt{}}
	uids := map[string]string{"": ""}
	for i := range attempts {
		a := &attempts[i]
		uid, err := h.uid(r.Context(), a.Principal, uids)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		row := api.Attempt{Time: a.Time, Outcome: a.Outcome, Scheme: a.Scheme, KeyID: a.KeyID, Owner: uid, UserAgent: a.UserAgent}
		if a.Peer.IsValid() {
			row.Peer = a.Peer.String()
		}
		out.Attempts = append(out.Attempts, row)
	}
	answer(w, http.StatusOK, out)
}
