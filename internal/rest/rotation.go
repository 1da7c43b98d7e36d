// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) rotationOperations() []operation {
	change := func(verb, id, summary string, do func(context.Context, gatehouse.Actor, string) (gatehouse.Key, error)) operation {
		return does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/rotation/" + verb, ID: id, Tag: "rotation", Summary: summary, Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeKeysRotate, again: h.keyAgain,
		}, func(ctx context.Context, c *caller, in *KeyPath) (*keyOut, error) {
			return h.change(ctx, c, in.Kid, h.ofRotation(do))
		})
	}
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/rotate", ID: "rotateKey", Tag: "rotation", Summary: "Give a key a new secret", Status: http.StatusOK,
			Text:   "The new secret is in this answer only, and works at once; the old one works until the end of grace, exactly.",
			limits: small, Scope: gatehouse.ScopeKeysRotate, Secret: true, again: h.createdAgain,
		}, h.rotateKey),
		does(route{
			Method: http.MethodGet, Path: "/v1/keys/{kid}/rotation", ID: "getRotation", Tag: "rotation", Summary: "Ask where a rotation stands", Status: http.StatusOK,
			Text:   "Who uses the old secret and who the new one, at most ten seconds late, and whether the rotation can be finished without an outage.",
			limits: small, Scope: gatehouse.ScopeKeysRead,
		}, h.getRotation),
		change("finish", "finishRotation", "End the old secret now", h.c.Authority.FinishRotation),
		change("cancel", "cancelRotation", "Take the new secret away and keep the old one", h.c.Authority.CancelRotation),
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/rotation/extend", ID: "extendRotation", Tag: "rotation", Summary: "Move the end of the old secret", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeKeysRotate, again: h.keyAgain,
		}, h.extendRotation),
	}
}

func (h *Handler) rotateKey(ctx context.Context, c *caller, in *struct {
	KeyPath
	Body api.Rotate
}) (*createdOut, error) {
	grace, err := seconds("grace_s", in.Body.Grace)
	if err != nil {
		return nil, err
	}
	actor, err := h.mayChange(ctx, c, in.Kid, nil)
	if err != nil {
		return nil, err
	}
	made, err := h.c.Authority.Rotate(ctx, actor, in.Kid, grace, in.Body.PublicKey)
	if errors.Is(err, gatehouse.ErrConflict) {
		return nil, h.whyNotRotated(ctx, actor, in.Kid, err)
	}
	if err != nil {
		return nil, err
	}
	uid, err := c.uid(ctx, made.Key.Principal, map[string]string{})
	if err != nil {
		return nil, err
	}
	return h.created(&made, uid), nil
}

// whyNotRotated says what is in the way of a rotation, as far as it is still there.
func (h *Handler) whyNotRotated(ctx context.Context, actor gatehouse.Actor, kid string, err error) error {
	k, readErr := h.c.Authority.Get(ctx, actor, kid)
	switch {
	case readErr != nil:
		return err
	case k.State != gatehouse.StateActive:
		return &ConflictError{Problem: "the key is " + k.State.String()}
	}
	if r := k.Rotation(time.Now()); len(r.Outgoing) > 0 {
		return &ConflictError{Problem: "a rotation is under way until " + spoken(r.Ends) + ": finish, cancel or extend it"}
	}
	return err
}

// ofRotation is a verb that says of a conflict that no rotation is under way, where none is.
func (h *Handler) ofRotation(verb keyVerb) keyVerb {
	return func(ctx context.Context, actor gatehouse.Actor, kid string) (gatehouse.Key, error) {
		k, err := verb(ctx, actor, kid)
		if errors.Is(err, gatehouse.ErrConflict) {
			if now, readErr := h.c.Authority.Get(ctx, actor, kid); readErr == nil && len(now.Rotation(time.Now()).Outgoing) == 0 {
				err = &ConflictError{Problem: "no rotation is under way"}
			}
		}
		return k, err
	}
}

func (h *Handler) extendRotation(ctx context.Context, c *caller, in *struct {
	KeyPath
	Body api.Extend
}) (*keyOut, error) {
	grace, err := seconds("grace_s", in.Body.Grace)
	if err != nil {
		return nil, err
	}
	return h.change(ctx, c, in.Kid, h.ofRotation(func(ctx context.Context, a gatehouse.Actor, kid string) (gatehouse.Key, error) {
		return h.c.Authority.ExtendRotation(ctx, a, kid, grace)
	}))
}

type rotationOut struct{ Body api.Rotation }

func (h *Handler) getRotation(ctx context.Context, c *caller, in *struct {
	KeyPath
	Quiet int64 `query:"quiet" default:"86400" minimum:"1" maximum:"31622400" doc:"seconds for which the old secret is to be unused, for it to be safe to finish"`
}) (*rotationOut, error) {
	k, _, err := h.reach(ctx, c, in.Kid)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	r := k.Rotation(now)
	if len(r.Outgoing) == 0 || k.State == gatehouse.StateRevoked {
		return &rotationOut{Body: api.Rotation{State: "none"}}, nil
	}
	sources, err := h.c.Usage.Sources(ctx, c.actor.Tenant, k.ID)
	if err != nil {
		return nil, err
	}
	out := api.Rotation{State: "running", Began: &r.Began, Ends: &r.Ends, Old: usedBy(sources, r.Outgoing), New: usedBy(sources, r.Incoming)}
	out.Safe, out.Why = judge(&out, now, time.Duration(in.Quiet)*time.Second)
	return &rotationOut{Body: out}, nil
}

// usedBy tells who uses a secret, which is the material of these versions.
func usedBy(sources []gatehouse.Source, versions []int64) *api.RotationSecret {
	out := &api.RotationSecret{}
	for _, s := range sources {
		if !slices.Contains(versions, s.Material) {
			continue
		}
		if s.Total {
			out.Uses += s.Uses
			if out.FirstUsed == nil || s.First.Before(*out.FirstUsed) {
				out.FirstUsed = &s.First
			}
			if out.LastUsed == nil || s.Last.After(*out.LastUsed) {
				out.LastUsed = &s.Last
			}
			continue
		}
		if out.By = append(out.By, placeOf(&s)); len(out.By) == maxUsedBy {
			break
		}
	}
	return out
}

// placeOf is one place that a secret is used from.
func placeOf(s *gatehouse.Source) api.UsedBy {
	by := api.UsedBy{Agent: s.Agent, Scheme: s.Scheme, First: s.First, Last: s.Last, Uses: s.Uses}
	if s.Peer.IsValid() {
		by.Peer = s.Peer.String()
	}
	return by
}

const maxUsedBy = 32

// judge says whether a rotation can be finished without an outage, and why.
func judge(r *api.Rotation, now time.Time, quiet time.Duration) (safe bool, why string) {
	if r.Old.LastUsed != nil && !r.Old.LastUsed.Before(*r.Began) && now.Sub(*r.Old.LastUsed) < quiet {
		why = "the old secret was used " + spoken(*r.Old.LastUsed)
		if len(r.Old.By) > 0 {
			last := r.Old.By[0]
			why += fmt.Sprintf(" from %s by %s", cmp.Or(last.Peer, "somewhere unknown"), program(last.Agent))
		}
		return false, why
	}
	if r.New.LastUsed == nil {
		return false, "the new secret was not used yet"
	}
	if r.Old.LastUsed == nil || r.Old.LastUsed.Before(*r.Began) {
		return true, "the new secret is in use, and the old one was not used since the rotation began"
	}
	return true, fmt.Sprintf("the new secret is in use, and the old one was not used for %s", spanWords(quiet))
}

// spoken is an instant in a sentence.
func spoken(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// spanWords is a span in a sentence, of whole hours where it has them.
func spanWords(d time.Duration) string {
	if hours := d / time.Hour; hours > 1 && d%time.Hour == 0 {
		return fmt.Sprintf("%d hours", hours)
	}
	return d.String()
}

// program is the class of a user agent in a sentence. Of programs that are in no class the
// name is not kept.
func program(agent string) string {
	switch agent {
	case "", "none":
		return "a program without a name"
	case "other":
		return "another program"
	}
	return agent
}
