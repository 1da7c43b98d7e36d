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

func (h *Handler) keyOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/keys", ID: "createKey", Tag: "keys", Summary: "Make a key", Status: http.StatusCreated,
			Text: "The secret is in this answer only. A caller with a key gives on no scope it has not, by name where it is one of management, and no longer life than its own. " +
				"Callers that manage no others make keys for themselves and their service accounts.",
			limits: small, Scope: gatehouse.ScopeKeysCreate, Secret: true, again: h.createdAgain,
		}, h.createKey),
		does(route{
			Method: http.MethodGet, Path: "/v1/keys", ID: "listKeys", Tag: "keys", Summary: "Find keys", Status: http.StatusOK,
			Text:   "Filters narrow together. Callers that manage no others see their own keys, and with owner those of a service account of theirs.",
			limits: small, Scope: gatehouse.ScopeKeysRead,
		}, h.listKeys),
		does(route{
			Method: http.MethodGet, Path: "/v1/keys/{kid}", ID: "getKey", Tag: "keys", Summary: "Read a key", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeKeysRead,
		}, h.getKey),
		does(route{
			Method: http.MethodPatch, Path: "/v1/keys/{kid}", ID: "updateKey", Tag: "keys", Summary: "Change a key", Status: http.StatusOK,
			Text:   "A narrowing is in force when the answer comes.",
			limits: small, Scope: gatehouse.ScopeKeysUpdate,
		}, h.updateKey),
		does(route{
			Method: http.MethodDelete, Path: "/v1/keys/{kid}", ID: "deleteKey", Tag: "keys", Summary: "Delete a revoked key", Status: http.StatusNoContent,
			Text:   "All is taken from it but what the audit log speaks of; its id is never given again.",
			limits: small, Scope: gatehouse.ScopeKeysDelete,
		}, h.deleteKey),
	}
}

// KeyPath names a key.
type KeyPath struct {
	Kid string `path:"kid" maxLength:"128" doc:"id of the key"`
}

// keyOut answers with a key.
type keyOut struct {
	ETag string `header:"ETag"`
	Body api.Key
}

// createdOut answers with a key and its secret.
type createdOut struct {
	ETag string `header:"ETag"`
	Body api.CreatedKey
}

func (h *Handler) createKey(ctx context.Context, c *caller, in *struct{ Body api.NewKey }) (*createdOut, error) {
	owner, err := c.find(ctx, in.Body.Owner)
	if err != nil {
		return nil, err
	}
	if err := c.mayTouch(ctx, &owner); err != nil {
		return nil, err
	}
	n, err := newKey(&in.Body, owner.ID)
	if err == nil {
		err = h.mayGive(c, &owner, n.Scopes)
	}
	if err != nil {
		return nil, err
	}
	if len(n.Schemes) == 1 && h.c.Defaults[n.Schemes[0]] != nil {
		h.c.Defaults[n.Schemes[0]](&n)
	}
	made, err := h.c.Authority.Create(ctx, c.actorFor(owner.ID), n)
	if err != nil {
		return nil, err
	}
	return h.created(&made, owner.UID), nil
}

// created is a key that was just made or rotated.
func (h *Handler) created(made *gatehouse.Created, owner string) *createdOut {
	return &createdOut{ETag: etag(made.Key.Version), Body: api.CreatedKey{Key: keyBody(&made.Key, owner), Secret: made.Secret.Reveal(), Token: made.Token.Reveal()}}
}

// createdAgain is the key of a change that was made before.
func (h *Handler) createdAgain(ctx context.Context, c *caller, kid string) (any, error) {
	out, err := h.read(ctx, c, kid)
	if err != nil {
		return nil, err
	}
	return api.CreatedKey{Key: out.Body}, nil
}

// keyAgain is createdAgain for changes that make no secret.
func (h *Handler) keyAgain(ctx context.Context, c *caller, kid string) (any, error) {
	out, err := h.read(ctx, c, kid)
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// getKey reads a key. When it was last used is known better to usage, which is written every
// few seconds, than to the key itself.
func (h *Handler) getKey(ctx context.Context, c *caller, in *KeyPath) (*keyOut, error) {
	out, err := h.read(ctx, c, in.Kid)
	if err != nil || out.Body.State != gatehouse.StateActive.String() { // who still tries then is no use of it
		return out, err
	}
	sources, err := h.c.Usage.Sources(ctx, c.actor.Tenant, in.Kid)
	if err != nil {
		return nil, err
	}
	for i := range sources {
		if s := &sources[i]; s.Total && (out.Body.LastUsed == nil || s.Last.After(*out.Body.LastUsed)) {
			out.Body.LastUsed = &s.Last
		}
	}
	return out, nil
}

func (h *Handler) read(ctx context.Context, c *caller, kid string) (*keyOut, error) {
	k, _, err := h.reach(ctx, c, kid)
	return h.shown(ctx, c, &k, err)
}

// shown answers with a key that a verb returned.
func (h *Handler) shown(ctx context.Context, c *caller, k *gatehouse.Key, err error) (*keyOut, error) {
	if err != nil {
		return nil, err
	}
	uid, err := c.uid(ctx, k.Principal, map[string]string{})
	if err != nil {
		return nil, err
	}
	return &keyOut{ETag: etag(k.Version), Body: keyBody(k, uid)}, nil
}

func (h *Handler) updateKey(ctx context.Context, c *caller, in *struct {
	KeyPath
	Precondition
	Body api.PatchKey
}) (*keyOut, error) {
	p, err := patchOf(&in.Body)
	if err != nil {
		return nil, err
	}
	if p.Version, err = in.version(); err != nil {
		return nil, err
	}
	var scopes gatehouse.Scopes
	if p.Scopes != nil {
		scopes = *p.Scopes
	}
	actor, err := h.mayChange(ctx, c, in.Kid, scopes)
	if err != nil {
		return nil, err
	}
	k, err := h.c.Authority.Update(ctx, actor, in.Kid, p)
	if errors.Is(err, gatehouse.ErrConflict) && p.Version != 0 {
		if now, err := h.c.Authority.Get(ctx, actor, in.Kid); err == nil && now.Version != p.Version {
			return nil, errPrecondition
		}
	}
	return h.shown(ctx, c, &k, h.ended(ctx, actor, in.Kid, err))
}

// ended says of a conflict that the key is revoked, where it is that.
func (h *Handler) ended(ctx context.Context, actor gatehouse.Actor, kid string, err error) error {
	if errors.Is(err, gatehouse.ErrConflict) {
		if k, readErr := h.c.Authority.Get(ctx, actor, kid); readErr == nil && k.State == gatehouse.StateRevoked {
			return &ConflictError{Problem: "the key is revoked, for good"}
		}
	}
	return err
}

func (h *Handler) deleteKey(ctx context.Context, c *caller, in *KeyPath) (*struct{}, error) {
	actor, err := h.mayEnd(ctx, c, in.Kid)
	if err != nil {
		return nil, err
	}
	err = h.c.Authority.Delete(ctx, actor, in.Kid)
	if errors.Is(err, gatehouse.ErrConflict) {
		err = &ConflictError{Problem: "only a revoked key can be deleted"}
	}
	return &struct{}{}, err
}

// change makes a change that takes nothing but the key's id.
func (h *Handler) change(ctx context.Context, c *caller, kid string, verb keyVerb) (*keyOut, error) {
	actor, err := h.mayChange(ctx, c, kid, nil)
	if err != nil {
		return nil, err
	}
	k, err := verb(ctx, actor, kid)
	return h.shown(ctx, c, &k, h.ended(ctx, actor, kid, err))
}

type keyVerb func(ctx context.Context, actor gatehouse.Actor, kid string) (gatehouse.Key, error)

// end is change for what only takes away.
func (h *Handler) end(ctx context.Context, c *caller, kid string, verb keyVerb) (*keyOut, error) {
	actor, err := h.mayEnd(ctx, c, kid)
	if err != nil {
		return nil, err
	}
	k, err := verb(ctx, actor, kid)
	return h.shown(ctx, c, &k, h.ended(ctx, actor, kid, err))
}

// keyBody is a key as the wire has it.
func keyBody(k *gatehouse.Key, owner string) api.Key {
	out := api.Key{
		ID: k.ID, Tenant: k.Tenant, Owner: owner, Name: k.Name, Prefix: k.Prefix, Schemes: k.Schemes, Scopes: k.Scopes.Strings(),
		State: k.State.String(), StateText: k.StateText, Replay: k.Replay.String(), Created: k.Created, Updated: k.Updated,
		NotBefore: timeOut(k.NotBefore), Expires: timeOut(k.Expires), LastUsed: timeOut(k.LastUsed), Unused: int64(k.Unused / time.Second),
		Networks: networksOut(k.Networks), Methods: k.Methods, Paths: k.Paths, Signed: k.Signed, Limits: limitsOut(k.Limits), Metadata: k.Metadata,
		Version: k.Version,
	}
	if k.State != gatehouse.StateRevoked { // its secrets ended with it
		out.Rotating = timeOut(k.Rotation(time.Now()).Ends)
	}
	return out
}

func timeOut(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
