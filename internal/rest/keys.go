// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) createKey(w http.ResponseWriter, r *http.Request) {
	var in api.NewKey
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	out, err := h.create(r, &in)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusCreated, out)
}

func (h *Handler) create(r *http.Request, in *api.NewKey) (*api.CreatedKey, error) {
	owner, err := h.find(r.Context(), in.Owner)
	if err != nil {
		return nil, err
	}
	scopes, err := gatehouse.ParseScopes(in.Scopes)
	if err != nil {
		return nil, err
	}
	replay, err := parseReplay(in.Replay)
	if err != nil {
		return nil, err
	}
	n := gatehouse.NewKey{
		Principal: owner.ID, Name: in.Name, Prefix: in.Prefix, Schemes: in.Schemes, Scopes: scopes, Replay: replay, PublicKey: in.PublicKey,
	}
	if n.Unused, err = seconds("unused", in.Unused); err != nil {
		return nil, err
	}
	if len(in.Schemes) == 1 && h.defaults[in.Schemes[0]] != nil {
		h.defaults[in.Schemes[0]](&n)
	}
	if in.Expires != nil {
		n.Expires = *in.Expires
	}
	c, err := h.authority.Create(r.Context(), h.operator(r), n)
	if err != nil {
		return nil, err
	}
	return &api.CreatedKey{Key: keyOut(&c.Key, owner.UID), Secret: c.Secret.Reveal(), Token: c.Token.Reveal()}, nil
}

// seconds reads a duration from a field.
func seconds(field string, n int64) (time.Duration, error) {
	const most = math.MaxInt64 / int64(time.Second)
	if n < 0 || n > most {
		return 0, &gatehouse.InvalidError{Field: field, Problem: "is no number of seconds"}
	}
	return time.Duration(n) * time.Second, nil
}

func parseReplay(text string) (gatehouse.ReplayMode, error) {
	switch text {
	case "", "strict":
		return gatehouse.ReplayStrict, nil
	case "window":
		return gatehouse.ReplayWindow, nil
	}
	return 0, &gatehouse.InvalidError{Field: "replay", Problem: "is neither strict nor window"}
}

func (h *Handler) listKeys(w http.ResponseWriter, r *http.Request) {
	q, err := h.keyQuery(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	keys, total, err := h.authority.List(r.Context(), h.operator(r), q)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := api.Keys{Keys: []api.Key{}, Total: total}
	uids := map[string]string{}
	for i := range keys {
		uid, err := h.uid(r.Context(), keys[i].Principal, uids)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		out.Keys = append(out.Keys, keyOut(&keys[i], uid))
	}
	answer(w, http.StatusOK, out)
}

const pageLimit = 100

func (h *Handler) keyQuery(r *http.Request) (gatehouse.KeyQuery, error) {
	q := gatehouse.KeyQuery{Limit: pageLimit}
	if owner := r.FormValue("owner"); owner != "" {
		a, err := h.find(r.Context(), owner)
		if err != nil {
			return q, err
		}
		q.Principal = a.ID
	}
	var err error
	q.Offset, q.Limit, err = page(r)
	return q, err
}

// page reads offset (default 0) and limit (1 to 1,000, default 100).
func page(r *http.Request) (offset, limit int, err error) {
	limit = pageLimit
	for name, p := range map[string]*int{"offset": &offset, "limit": &limit} {
		if text := r.FormValue(name); text != "" {
			if *p, err = strconv.Atoi(text); err != nil || *p < 0 {
				return 0, 0, &gatehouse.InvalidError{Field: name, Problem: "is no number from 0"}
			}
		}
	}
	if limit < 1 || limit > 1000 {
		return 0, 0, &gatehouse.InvalidError{Field: "limit", Problem: "is not from 1 to 1000"}
	}
	return offset, limit, nil
}

func (h *Handler) showKey(w http.ResponseWriter, r *http.Request) {
	h.onKey(h.authority.Get)(w, r)
}

// onKey answers with the key that a verb returns.
func (h *Handler) onKey(verb func(context.Context, gatehouse.Actor, string) (gatehouse.Key, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k, err := verb(r.Context(), h.operator(r), r.PathValue("kid"))
		if err != nil {
			h.fail(w, r, err)
			return
		}
		uid, err := h.uid(r.Context(), k.Principal, map[string]string{})
		if err != nil {
			h.fail(w, r, err)
			return
		}
		answer(w, http.StatusOK, keyOut(&k, uid))
	}
}

func (h *Handler) revokeKeys(w http.ResponseWriter, r *http.Request) {
	var in api.RevokeKeys
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	owner, err := h.find(r.Context(), in.Owner)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	n, err := h.authority.RevokeAll(r.Context(), h.operator(r), owner.ID, in.Scheme)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, api.RevokedKeys{Revoked: n})
}

// uid finds the uid of a principal, remembering it in seen.
func (h *Handler) uid(ctx context.Context, id string, seen map[string]string) (string, error) {
	if uid, ok := seen[id]; ok {
		return uid, nil
	}
	a, err := h.directory.Account(ctx, account.ByID, id)
	if err != nil {
		return "", err
	}
	seen[id] = a.UID
	return a.UID, nil
}

func (h *Handler) verify(w http.ResponseWriter, r *http.Request) {
	var in api.Check
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	req, err := question(&in)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	d, err := h.authority.Verify(r.Context(), req)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := api.Decision{Granted: d.Granted, Scheme: d.Scheme, Status: http.StatusOK, RetryAfter: millis(d.RetryAfter)}
	if !d.Granted {
		out.Reason, out.Status = d.Reason.Code(), d.Reason.Status()
	}
	if d.Granted {
		out.Body, out.Digest = d.Body.String(), d.Digest
	}
	if d.Key != nil {
		k := keyOut(d.Key, d.Principal.UID)
		out.Key = &k
	}
	answer(w, http.StatusOK, out)
}

// millis rounds up: who waits for less than was said is refused again.
func millis(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

// question turns a check into the request it is about.
func question(in *api.Check) (*gatehouse.Request, error) {
	scopes, err := gatehouse.ParseScopes(in.Scopes)
	if err != nil {
		return nil, err
	}
	anyScope, err := gatehouse.ParseScopes(in.AnyScope)
	if err != nil {
		return nil, err
	}
	req := &gatehouse.Request{Method: in.Method, Scheme: in.Scheme, Authority: in.Authority, Target: in.Target, Need: scopes, NeedAny: anyScope, Header: gatehouse.Header{}}
	if in.Body != nil {
		req.Body = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: *in.Body}
	}
	for name, values := range in.Headers {
		// Two spellings of one name are one field sent twice, as on the wire.
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		req.Header[canonical] = append(req.Header[canonical], values...)
	}
	if in.Peer != "" {
		if req.Peer, err = netip.ParseAddr(in.Peer); err != nil {
			return nil, &gatehouse.InvalidError{Field: "peer", Problem: "is no address"}
		}
	}
	return req, nil
}

func keyOut(k *gatehouse.Key, uid string) api.Key {
	return api.Key{
		ID: k.ID, Tenant: k.Tenant, Owner: uid, Name: k.Name, Prefix: k.Prefix, Schemes: k.Schemes, Scopes: k.Scopes.Strings(),
		State: k.State.String(), StateText: k.StateText, Replay: k.Replay.String(), Created: k.Created, Updated: k.Updated,
		NotBefore: timeOut(k.NotBefore), Expires: timeOut(k.Expires), LastUsed: timeOut(k.LastUsed), Unused: int64(k.Unused / time.Second),
	}
}

func timeOut(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
