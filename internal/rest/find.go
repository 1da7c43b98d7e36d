// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// keyFilter is what a list of keys is asked.
type keyFilter struct {
	Page
	Owner         string    `query:"owner" maxLength:"255" doc:"e-mail address or uid"`
	State         []string  `query:"state,explode" maxItems:"3" doc:"active, disabled or revoked; any of these" enum:"active,disabled,revoked"`
	Scheme        string    `query:"scheme" maxLength:"64" doc:"allowed to the key"`
	Scope         string    `query:"scope" maxLength:"128" doc:"held by name"`
	ExpiresBefore time.Time `query:"expires_before" doc:"RFC 3339; the first to expire comes first"`
	UnusedSince   time.Time `query:"unused_since" doc:"RFC 3339; what was unused longest comes first"`
	Metadata      []string  `query:"metadata,explode" maxItems:"32" doc:"name=value; all of these"`
	Limited       bool      `query:"limited" doc:"true: with limits of its own"`
	Text          string    `query:"text" maxLength:"255" doc:"beginnings of words of the name, or the beginning of the key id, at least 4 characters"`
}

// The orders of a list of keys, in cursors.
const (
	orderCreated byte = iota + 1
	orderExpires
	orderUnused
)

type keysOut struct{ Body api.Keys }

func (h *Handler) listKeys(ctx context.Context, c *caller, in *keyFilter) (*keysOut, error) {
	s, order, err := c.search(ctx, in)
	if err != nil {
		return nil, err
	}
	keys, next, err := h.c.Authority.Find(ctx, c.actorFor(s.Principal), s)
	if err != nil {
		return nil, err
	}
	out := &keysOut{Body: api.Keys{Keys: []api.Key{}, Next: cursorOf(next, order).String()}}
	for i := range keys {
		out.Body.Keys = append(out.Body.Keys, keyBody(&keys[i].Key, keys[i].Principal.UID))
	}
	return out, nil
}

// search is the filter as the ground takes it.
func (c *caller) search(ctx context.Context, in *keyFilter) (s gatehouse.KeySearch, order byte, err error) {
	s = gatehouse.KeySearch{
		Scheme: in.Scheme, Scope: gatehouse.Scope(in.Scope), ExpiresBefore: in.ExpiresBefore.UTC(), UnusedSince: in.UnusedSince.UTC(), Limited: in.Limited, Text: in.Text, Limit: in.Limit,
	}
	order = orderCreated
	switch {
	case !s.ExpiresBefore.IsZero():
		order = orderExpires
	case !s.UnusedSince.IsZero():
		order = orderUnused
	}
	if in.Owner != "" {
		owner, err := c.find(ctx, in.Owner)
		if err != nil {
			return s, order, err
		}
		s.Principal = owner.ID
	}
	for _, text := range in.State {
		s.States = append(s.States, gatehouse.ParseState(text))
	}
	for _, pair := range in.Metadata {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := s.Metadata[name]; !ok || twice {
			return s, order, &gatehouse.InvalidError{Field: "metadata", Problem: "is not name=value, each name once"}
		}
		if s.Metadata == nil {
			s.Metadata = gatehouse.Metadata{}
		}
		s.Metadata[name] = value
	}
	at, err := parseCursor(in.Cursor, order)
	if err == nil && at != (cursor{}) {
		s.After = gatehouse.KeyCursor{Time: timeAt(at.At), ID: at.ID}
	}
	return s, order, err
}

// cursorOf is a place among keys as text can hold it.
func cursorOf(at gatehouse.KeyCursor, order byte) cursor {
	switch {
	case at == (gatehouse.KeyCursor{}):
		return cursor{}
	case at.Time.IsZero():
		return cursor{Order: order, At: math.MinInt64, ID: at.ID}
	}
	return cursor{Order: order, At: at.Time.UnixMicro(), ID: at.ID}
}

// timeAt is the time in a cursor, which may be none.
func timeAt(at int64) time.Time {
	if at == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}

// uid finds the uid of a principal of the tenant, remembering it in seen.
func (c *caller) uid(ctx context.Context, id string, seen map[string]string) (string, error) {
	if uid, ok := seen[id]; ok {
		return uid, nil
	}
	a, err := c.directory.Account(ctx, account.ByID, id)
	if err != nil {
		return "", err
	}
	seen[id] = a.UID
	return a.UID, nil
}
