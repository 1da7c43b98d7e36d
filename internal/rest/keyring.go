// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// Keyring is what the API needs of the process's keyring. Refusals that can be explained
// are a *[ConflictError].
type Keyring interface {
	// List reads the keys of the keyring and what refers to them. unreadable counts the
	// rows that cannot be read, so that nobody knows what they refer to.
	List(ctx context.Context) (keys []api.KeyringKey, unreadable int, err error)

	// Add adds a key. *gatehouse.InvalidError, gatehouse.ErrExists.
	Add(ctx context.Context, actor gatehouse.Actor, n api.NewKeyringKey) (api.KeyringKey, error)

	// SetPrimary makes a key the one that new things are made with. gatehouse.ErrNotFound.
	SetPrimary(ctx context.Context, actor gatehouse.Actor, id string) (api.KeyringKey, error)

	// Retire removes a key that nothing refers to. gatehouse.ErrNotFound.
	Retire(ctx context.Context, actor gatehouse.Actor, id string) error

	// Rewrap begins to bring everything under the primary KEK.
	Rewrap(ctx context.Context, actor gatehouse.Actor) (api.Rewrap, error)

	// Progress says how far that has come.
	Progress() api.Rewrap
}

// ConflictError is a gatehouse.ErrConflict that says what is in the way. It never holds a
// secret.
type ConflictError struct{ Problem string }

// Error implements error.
func (e *ConflictError) Error() string { return e.Problem }

// Unwrap returns gatehouse.ErrConflict.
func (e *ConflictError) Unwrap() error { return gatehouse.ErrConflict }

// keyringRoutes are the routes of the keyring; none where the process has none to change.
func (h *Handler) keyringRoutes() []gate.Route {
	var routes []gate.Route
	if h.keyring == nil {
		return nil
	}
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /v1/keyring":                    h.showKeyring,
		"POST /v1/keyring/keys":              h.addKeyringKey,
		"POST /v1/keyring/keys/{id}/primary": h.setPrimary,
		"POST /v1/keyring/keys/{id}/retire":  h.retire,
		"POST /v1/keyring/rewrap":            h.beginRewrap,
		"GET /v1/keyring/rewrap":             h.showRewrap,
	} {
		routes = append(routes, gate.Route{Pattern: pattern, MaxBody: maxBody, Timeout: timeout, Handler: handler})
	}
	return routes
}

func (h *Handler) showKeyring(w http.ResponseWriter, r *http.Request) {
	keys, unreadable, err := h.keyring.List(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, api.Keyring{Keys: keys, Unreadable: unreadable, Rewrap: h.keyring.Progress()})
}

func (h *Handler) addKeyringKey(w http.ResponseWriter, r *http.Request) {
	var in api.NewKeyringKey
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	k, err := h.keyring.Add(r.Context(), h.operator(r), in)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusCreated, k)
}

func (h *Handler) setPrimary(w http.ResponseWriter, r *http.Request) {
	k, err := h.keyring.SetPrimary(r.Context(), h.operator(r), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, k)
}

func (h *Handler) retire(w http.ResponseWriter, r *http.Request) {
	if err := h.keyring.Retire(r.Context(), h.operator(r), r.PathValue("id")); err != nil {
		h.fail(w, r, err)
		return
	}
	h.showKeyring(w, r)
}

func (h *Handler) beginRewrap(w http.ResponseWriter, r *http.Request) {
	p, err := h.keyring.Rewrap(r.Context(), h.operator(r))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, p)
}

func (h *Handler) showRewrap(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, h.keyring.Progress())
}
