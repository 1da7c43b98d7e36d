// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
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

// keyringOperations are the routes of the keyring; none where the process has none to change.
func (h *Handler) keyringOperations() []operation {
	if h.c.Keyring == nil {
		return nil
	}
	at := func(method, path, id, summary string, status int) route {
		return route{
			Method: method, Path: "/v1/keyring" + path, ID: id, Tag: "keyring", Summary: summary, Status: status,
			limits: small, AnyCaller: true, SocketOnly: true, DefaultTenantOnly: true, Repeat: repeatFresh,
		}
	}
	read := at(http.MethodGet, "", "getKeyring", "Read the keyring", http.StatusOK)
	read.Text = "It holds no key. Where a key is kept, and what keeps a rewrap from going on, is told in full at the admin socket only."
	read.AnyCaller, read.SocketOnly, read.Scope = false, false, gatehouse.ScopeSystem
	return []operation{
		does(read, h.getKeyring),
		does(at(http.MethodPost, "/keys", "addKeyringKey", "Add a key to the keyring", http.StatusCreated), h.addKeyringKey),
		does(at(http.MethodPost, "/keys/{id}/primary", "setPrimaryKeyringKey", "Make new things with a key", http.StatusOK), h.setPrimary),
		does(at(http.MethodPost, "/keys/{id}/retire", "retireKeyringKey", "Remove a key that nothing refers to", http.StatusOK), h.retire),
		does(at(http.MethodPost, "/rewrap", "beginRewrap", "Bring everything under the primary KEK", http.StatusAccepted), h.beginRewrap),
		does(at(http.MethodGet, "/rewrap", "getRewrap", "Ask how far that has come", http.StatusOK), h.getRewrap),
	}
}

// keyringPath names a key of the keyring.
type keyringPath struct {
	ID string `path:"id" maxLength:"64" doc:"id of the key"`
}

type keyringOut struct{ Body api.Keyring }

type keyringKeyOut struct{ Body api.KeyringKey }

type rewrapOut struct{ Body api.Rewrap }

func (h *Handler) getKeyring(ctx context.Context, c *caller, _ *struct{}) (*keyringOut, error) {
	keys, unreadable, err := h.c.Keyring.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &keyringOut{Body: api.Keyring{Keys: keys, Unreadable: unreadable, Rewrap: h.c.Keyring.Progress()}}
	if !c.operator() {
		for i := range keys { // paths and places in Vault are for who is on the machine
			keys[i].Source, _, _ = strings.Cut(keys[i].Source, ":")
		}
		h.veil(ctx, "rewrap", &out.Body.Rewrap.Problem)
	}
	return out, nil
}

func (h *Handler) addKeyringKey(ctx context.Context, c *caller, in *struct{ Body api.NewKeyringKey }) (*keyringKeyOut, error) {
	k, err := h.c.Keyring.Add(ctx, c.actor, in.Body)
	return &keyringKeyOut{Body: k}, err
}

func (h *Handler) setPrimary(ctx context.Context, c *caller, in *keyringPath) (*keyringKeyOut, error) {
	k, err := h.c.Keyring.SetPrimary(ctx, c.actor, in.ID)
	return &keyringKeyOut{Body: k}, err
}

func (h *Handler) retire(ctx context.Context, c *caller, in *keyringPath) (*keyringOut, error) {
	if err := h.c.Keyring.Retire(ctx, c.actor, in.ID); err != nil {
		return nil, err
	}
	return h.getKeyring(ctx, c, nil)
}

func (h *Handler) beginRewrap(ctx context.Context, c *caller, _ *struct{}) (*rewrapOut, error) {
	p, err := h.c.Keyring.Rewrap(ctx, c.actor)
	return &rewrapOut{Body: p}, err
}

func (h *Handler) getRewrap(context.Context, *caller, *struct{}) (*rewrapOut, error) {
	return &rewrapOut{Body: h.c.Keyring.Progress()}, nil
}
