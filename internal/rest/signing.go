// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Signing is what the API needs of the keys that assertions are signed with.
type Signing interface {
	// List reads the signing keys, newest first.
	List(ctx context.Context) ([]api.SigningKey, error)

	// Rotate makes the next key of every algorithm. gatehouse.ErrConflict: there is one
	// already, or the configuration brings the key; gatehouse.ErrRepeated.
	Rotate(ctx context.Context, actor gatehouse.Actor) error
}

// signingOperations are the routes of the signing keys; none where the process has none.
func (h *Handler) signingOperations() []operation {
	if h.c.Signing == nil {
		return nil
	}
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/signing-keys", ID: "listSigningKeys", Tag: "signing", Summary: "List the signing keys", Status: http.StatusOK,
			Text:   "The newest first.",
			limits: small, Scope: gatehouse.ScopeSigning, DefaultTenantOnly: true,
		}, h.listSigningKeys),
		does(route{
			Method: http.MethodPost, Path: "/v1/signing-keys/rotate", ID: "rotateSigningKeys", Tag: "signing", Summary: "Publish the next signing keys", Status: http.StatusOK,
			Text:   "They sign as soon as everybody knows them. The answer lists all keys.",
			limits: small, Scope: gatehouse.ScopeSigning, DefaultTenantOnly: true, again: h.signingAgain,
		}, h.rotateSigningKeys),
	}
}

type signingOut struct{ Body api.SigningKeys }

func (h *Handler) listSigningKeys(ctx context.Context, _ *caller, _ *struct{}) (*signingOut, error) {
	keys, err := h.c.Signing.List(ctx)
	if keys == nil {
		keys = []api.SigningKey{}
	}
	return &signingOut{Body: api.SigningKeys{Keys: keys}}, err
}

func (h *Handler) rotateSigningKeys(ctx context.Context, c *caller, _ *struct{}) (*signingOut, error) {
	err := h.c.Signing.Rotate(ctx, c.actor)
	if errors.Is(err, gatehouse.ErrConflict) {
		err = h.notYet(ctx)
	}
	if err != nil {
		return nil, err
	}
	return h.listSigningKeys(ctx, c, nil)
}

// notYet says why the signing keys are not rotated, and when they can be.
func (h *Handler) notYet(ctx context.Context) error {
	keys, err := h.c.Signing.List(ctx)
	if err != nil {
		return err
	}
	var free time.Time
	for _, k := range keys {
		if k.State == "next" && k.Signs != nil && k.Signs.After(free) {
			free = *k.Signs
		}
	}
	if free.IsZero() {
		return &ConflictError{Problem: "no key can have a next one now: the first are being made, or barong.jwt_private_key brings the key"}
	}
	at := free.Add(time.Second - time.Nanosecond).UTC().Truncate(time.Second).Format(time.RFC3339)
	return &ConflictError{Problem: "the next keys are published already, and sign from " + at + " on: then the ones after them can be made"}
}

// signingAgain lists the keys after a change that was made before.
func (h *Handler) signingAgain(ctx context.Context, c *caller, _ string) (any, error) {
	out, err := h.listSigningKeys(ctx, c, nil)
	return out.Body, err
}
