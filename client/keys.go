// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

func keyPath(kid, rest string) string { return "/v1/keys/" + url.PathEscape(kid) + rest }

// ErrSecretLost: the key was made or rotated, and the answer with its secret was lost on
// the way. Nobody can tell it any more: the key has to be rotated.
var ErrSecretLost = errors.New("its secret was lost on the way, and it has to be rotated")

// CreateKey makes a key. The secret is in this answer only. [ErrSecretLost], with the key.
func (c *Client) CreateKey(ctx context.Context, n api.NewKey) (api.CreatedKey, error) {
	return c.secret(ctx, "/v1/keys", n, n.PublicKey == "")
}

// secret makes a change that is answered with a secret.
func (c *Client) secret(ctx context.Context, path string, in any, wanted bool) (out api.CreatedKey, err error) {
	err = c.post(ctx, path, in, &out)
	if err == nil && wanted && out.Secret == "" {
		err = fmt.Errorf("key %s: %w", out.ID, ErrSecretLost)
	}
	return out, err
}

// KeyQuery selects keys. Zero fields do not select.
type KeyQuery struct {
	Owner         string    // e-mail address or uid
	States        []string  // any of "active", "disabled", "revoked"
	Scheme        string    // that it allows
	Scope         string    // that it has
	ExpiresBefore time.Time // it ends before
	UnusedSince   time.Time // it was not used since, or never
	Metadata      map[string]string
	Limited       bool   // it has limits of its own
	Text          string // beginnings of words of its name, or the beginning of its id
}

func (f *KeyQuery) values() url.Values {
	q := url.Values{}
	add(q, "owner", f.Owner)
	add(q, "scheme", f.Scheme)
	add(q, "scope", f.Scope)
	add(q, "text", f.Text)
	if f.Limited {
		q.Set("limited", "true")
	}
	addTime(q, "expires_before", f.ExpiresBefore)
	addTime(q, "unused_since", f.UnusedSince)
	if len(f.States) > 0 {
		q["state"] = f.States
	}
	for _, name := range slices.Sorted(maps.Keys(f.Metadata)) {
		q.Add("metadata", name+"="+f.Metadata[name])
	}
	return q
}

// Keys yields the keys that a query selects, page by page. An error is the last.
func (c *Client) Keys(ctx context.Context, f KeyQuery) iter.Seq2[api.Key, error] {
	return each(func(p Page) ([]api.Key, string, error) {
		out, err := c.KeyPage(ctx, f, p)
		return out.Keys, out.Next, err
	})
}

// KeyPage reads one page of the keys that a query selects.
func (c *Client) KeyPage(ctx context.Context, f KeyQuery, p Page) (out api.Keys, err error) {
	err = c.read(ctx, path("/v1/keys", p.add(f.values())), &out)
	return out, err
}

// Key reads a key.
func (c *Client) Key(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.read(ctx, keyPath(kid, ""), &out)
	return out, err
}

// UpdateKey changes a key that has this version; zero: whichever it has. An *[Error] with
// status 412 or 409 says that it has another.
func (c *Client) UpdateKey(ctx context.Context, kid string, version int64, p api.PatchKey) (out api.Key, err error) {
	err = c.replace(ctx, http.MethodPatch, keyPath(kid, ""), version, p, &out)
	return out, err
}

// DeleteKey takes away everything but the name of a revoked key.
func (c *Client) DeleteKey(ctx context.Context, kid string) error {
	return c.do(ctx, &request{method: http.MethodDelete, path: keyPath(kid, "")}, nil)
}

// DisableKey takes a key out of use, reversibly.
func (c *Client) DisableKey(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/disable"), struct{}{}, &out)
	return out, err
}

// EnableKey makes a disabled key active again.
func (c *Client) EnableKey(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/enable"), struct{}{}, &out)
	return out, err
}

// RevokeKey ends a key for good. The reason (empty: none) is kept in the audit log.
func (c *Client) RevokeKey(ctx context.Context, kid, reason string) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/revoke"), api.Revoke{Reason: reason}, &out)
	return out, err
}

// RevokeKeys ends the keys of an owner (e-mail address or uid), of one scheme or of all
// (empty), and returns how many it ended.
func (c *Client) RevokeKeys(ctx context.Context, owner, scheme string) (int, error) {
	var out api.RevokedKeys
	err := c.post(ctx, "/v1/keys/revoke", api.RevokeKeys{Owner: owner, Scheme: scheme}, &out)
	return out.Revoked, err
}

// Import takes over at most 1,000 keys of another system. A refused key is an answer, not
// an error. What was imported before is the same the next time, so that it needs no
// Idempotency-Key; after a lost answer the keys read as "same".
func (c *Client) Import(ctx context.Context, in api.Import) (out api.Imported, err error) {
	err = c.ask(ctx, "/v1/keys/import", in, &out)
	return out, err
}

// RotateKey gives a key a new secret, which is in this answer only. The old one works on
// for the time of grace. [ErrSecretLost], with the key; cancel that rotation before the
// next.
func (c *Client) RotateKey(ctx context.Context, kid string, r api.Rotate) (api.CreatedKey, error) {
	return c.secret(ctx, keyPath(kid, "/rotate"), r, r.PublicKey == "")
}

// Rotation reads where a key's rotation stands, and who still uses the old secret. It is
// safe to finish once the old secret was not used for quiet; zero: the server's default.
func (c *Client) Rotation(ctx context.Context, kid string, quiet time.Duration) (out api.Rotation, err error) {
	q := url.Values{}
	if quiet != 0 {
		q.Set("quiet", strconv.FormatInt(int64(quiet/time.Second), 10))
	}
	err = c.read(ctx, path(keyPath(kid, "/rotation"), q), &out)
	return out, err
}

// FinishRotation ends the old secret now.
func (c *Client) FinishRotation(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/rotation/finish"), struct{}{}, &out)
	return out, err
}

// CancelRotation takes the new secret away; the old one stays.
func (c *Client) CancelRotation(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/rotation/cancel"), struct{}{}, &out)
	return out, err
}

// ExtendRotation moves the end of the old secret to so many seconds from now.
func (c *Client) ExtendRotation(ctx context.Context, kid string, e api.Extend) (out api.Key, err error) {
	err = c.post(ctx, keyPath(kid, "/rotation/extend"), e, &out)
	return out, err
}

// Self says who the caller is and what it may do.
func (c *Client) Self(ctx context.Context) (out api.Self, err error) {
	err = c.read(ctx, "/v1/self", &out)
	return out, err
}

// RevokeSelf ends the key that the call is made with. The reason (empty: none) is kept in
// the audit log.
func (c *Client) RevokeSelf(ctx context.Context, reason string) (out api.Key, err error) {
	err = c.once(ctx, "/v1/self/revoke", api.Revoke{Reason: reason}, &out)
	return out, err
}

// Verify asks for a decision. A denial is an answer, not an error. It is asked once: the
// check consumes what its request would.
func (c *Client) Verify(ctx context.Context, check api.Check) (out api.Decision, err error) {
	err = c.once(ctx, "/v1/verify", check, &out)
	return out, err
}

// VerifyBatch asks for at most 100 decisions, once. The answers have the order of the
// checks.
func (c *Client) VerifyBatch(ctx context.Context, checks []api.Check) ([]api.Decision, error) {
	var out api.Decisions
	err := c.once(ctx, "/v1/verify/batch", api.Checks{Checks: checks}, &out)
	if err == nil && len(out.Decisions) != len(checks) {
		return nil, errCount
	}
	return out.Decisions, err
}
