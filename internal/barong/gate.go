// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// question is what the gate judges: may this request reach that path? Nothing in it
// comes from the body, and the method is the request's own.
type question struct {
	r      *http.Request
	target string // the client's raw target
	path   string // the same, canonical; empty: it can be read in two ways
	peer   netip.Addr
}

// caller is who a question comes from, proven.
type caller struct {
	principal gatehouse.Principal
	key       *gatehouse.Key  // nil with a session
	account   account.Account // with a session
	session   string          // names the session without being its id; empty with a key
}

// lateBody is how long an answer of the gate may wait for a body that nobody reads.
const lateBody = 100 * time.Millisecond

// serveGate answers /api/v2/auth/<original path>.
func (d *Door) serveGate(w http.ResponseWriter, r *http.Request) {
	target := strings.TrimPrefix(r.RequestURI, rootGate)
	path, _ := gate.CanonicalPath(target)
	token, err := d.authorize(r.Context(), &question{r: r, target: target, path: path, peer: d.c.Proxies.Peer(r)})
	if r.ContentLength != 0 {
		// The server takes what is left of a body off the wire before it answers, and some
		// gateways announce a body that they do not send.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lateBody))
	}
	if err != nil {
		said := d.settle(w, r, err)
		// Some gateways hand on the header of a refusal and not its body.
		w.Header().Set("X-Auth-Error", said.codes[0])
		said.write(w, contentGate)
		return
	}
	if token != "" {
		w.Header().Set("Authorization", "Bearer "+token)
	}
	w.Header().Set("Content-Type", contentGate)
	w.WriteHeader(http.StatusOK)
}

// authorize returns the JWT for the service, or none for a path that passes.
func (d *Door) authorize(ctx context.Context, q *question) (token string, err error) {
	if err := d.rules.screen(q.path, q.peer); err != nil {
		return "", err
	}
	if d.rules.passes(q.path) {
		return "", nil
	}
	who, err := d.prove(ctx, q)
	if err != nil {
		return "", err
	}
	token, err = d.c.Tokens.Mint(ctx, &who.principal, who.key, who.session)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	return token, nil
}

// prove finds out who asks, by key or by session, and whether its role may.
func (d *Door) prove(ctx context.Context, q *question) (who caller, err error) {
	if carriesKey(q.r) {
		who, err = d.proveKey(ctx, q)
	} else {
		who, err = d.proveSession(ctx, q)
	}
	if err != nil {
		return caller{}, err
	}
	return who, d.permit(ctx, q, &who.principal)
}

// proveSession judges a session cookie. The order is Barong's: the CSRF token comes
// before the question whether there is a session at all.
func (d *Door) proveSession(ctx context.Context, q *question) (caller, error) {
	id, twice := d.sessionID(q.r)
	if twice {
		return caller{}, refuse(http.StatusUnauthorized, "authz.invalid_session")
	}
	csrf, err := d.csrfToken(q.r)
	if err != nil {
		return caller{}, err
	}
	s, a, err := d.c.Accounts.FindSession(ctx, id)
	if err != nil {
		if csrf != nil {
			// Without a session there is nothing that the token could match.
			return caller{}, say(err, "", row{account.ErrNoSession, http.StatusUnauthorized, "authz.csrf_token_mismatch"})
		}
		return caller{}, say(err, "", row{account.ErrNoSession, http.StatusUnauthorized, "authz.invalid_session"})
	}
	if csrf != nil && !equal(*csrf, s.CSRF) {
		return caller{}, refuse(http.StatusUnauthorized, "authz.csrf_token_mismatch")
	}
	actor := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: a.ID, Tenant: a.Tenant, Address: q.peer, UserAgent: q.r.UserAgent()}
	if _, err := d.c.Accounts.CheckSession(ctx, actor, id, s); err != nil {
		return caller{}, say(err, "",
			row{account.ErrSessionMismatch, http.StatusUnauthorized, "authz.client_session_mismatch"},
			row{account.ErrNoSession, http.StatusUnauthorized, "authz.invalid_session"})
	}
	if !a.State.MayAct() {
		return caller{}, refuse(http.StatusUnauthorized, "authz.user_not_active")
	}
	return caller{principal: a.Principal(), account: a, session: hex.EncodeToString(s.Hash)}, nil
}

// csrfToken is the token that a changing request must carry; nil for one that need not.
func (d *Door) csrfToken(r *http.Request) (*string, error) {
	switch strings.ToUpper(r.Method) {
	case "GET", "HEAD", "OPTIONS":
		return nil, nil
	}
	if d.c.NoCSRF {
		return nil, nil
	}
	switch sent := r.Header.Values("X-CSRF-Token"); {
	case len(sent) == 0 || len(sent) == 1 && sent[0] == "":
		return nil, refuse(http.StatusUnauthorized, "authz.missing_csrf_token")
	case len(sent) > 1:
		return nil, refuse(http.StatusUnauthorized, "authz.csrf_token_mismatch")
	default:
		return &sent[0], nil
	}
}

// What an audit row keeps of a request. Parameters are no part of it.
const (
	maxAuditMethod = 32
	maxAuditPath   = 255
)

// refusalLimits are how many refusals of one account are written down.
var refusalLimits = []gatehouse.Limit{{Name: "refusals", Count: 10, Period: time.Minute, Burst: 10}}

// permit asks the permissions of the principal's role, and writes down what they want
// written down and whom they refuse. Service accounts leave no rows, as in Barong.
func (d *Door) permit(ctx context.Context, q *question, p *gatehouse.Principal) error {
	v := d.rules.judge(p.Role, q.r.Method, q.path)
	verb, outcome := "gate.audit", gatehouse.OutcomeSucceeded
	if !v.allowed {
		verb, outcome = "gate.refuse", gatehouse.OutcomeDenied
	}
	write := p.Kind == gatehouse.PrincipalAccount && (v.audited || !v.allowed)
	if write && !v.allowed {
		// Whoever registered can be refused as often as they like. The log keeps some.
		var err error
		if write, _, err = d.c.Limiter.Take(ctx, "barong:refuse:"+p.Tenant+":"+p.ID, refusalLimits); err != nil {
			return err
		}
	}
	if write {
		actor := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: p.ID, Tenant: p.Tenant, Address: q.peer, UserAgent: q.r.UserAgent()}
		e := gatehouse.NewEvent(actor, d.c.Now(), verb, p.ID, outcome,
			gatehouse.Change{Field: "topic", After: topic(v.topic, q.path)},
			gatehouse.Change{Field: "method", After: clip(q.r.Method, maxAuditMethod)},
			gatehouse.Change{Field: "path", After: clip(q.path, maxAuditPath)})
		if err := d.c.Audit.AppendEvent(ctx, e); err != nil {
			return fmt.Errorf("record request: %w", err)
		}
	}
	if !v.allowed {
		return refuse(http.StatusUnauthorized, codePermission)
	}
	return nil
}

// topic is a row's own, or else the segment after admin/, or else "general".
func topic(own, path string) string {
	if own != "" {
		return own
	}
	if _, rest, found := strings.Cut(path, "/admin/"); found {
		first, _, _ := strings.Cut(rest, "/")
		return clip(first, maxAuditPath)
	}
	return "general"
}

// clip cuts a text to at most n bytes, and leaves valid UTF-8.
func clip(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}
