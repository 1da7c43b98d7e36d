// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// enter lets the caller of a route in, or says why not.
//
// A resource call comes through a gateway, with the JWT that our gate made for it; or
// it comes straight to us, and then it is judged as the gate would judge it.
func (d *Door) enter(ctx context.Context, c *call, a auth, path string) error {
	q := question{r: c.r, target: c.r.RequestURI, path: path, peer: d.c.Proxies.Peer(c.r)}
	c.actor = gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: d.c.Tenant, Address: q.peer, UserAgent: c.r.UserAgent()}
	bearer, sent := c.r.Header["Authorization"]
	if err := d.rules.screen(path, q.peer); err != nil || a == open {
		return err
	}
	if sent {
		return d.byBearer(ctx, c, &q, bearer)
	}
	who, err := d.prove(ctx, &q)
	if err != nil {
		return err
	}
	if who.key != nil {
		if who.account, err = d.c.Accounts.Account(ctx, account.ByID, who.principal.ID); err != nil {
			return err
		}
	}
	return c.as(who.account)
}

// bearerLife is how old a JWT of ours may be here. Behind a gateway it is as old as the
// way from the gate; what was kept from an earlier request has no business here, where
// passwords and keys are changed.
const bearerLife = time.Minute

// byBearer lets the account in that a JWT of ours names. Whoever holds one may have got
// it from the gate himself, so the rules are judged again, by what the account is now.
// A JWT from before the account's last change is refused: a reset password, a new
// second factor or a ban ends what was handed out before.
func (d *Door) byBearer(ctx context.Context, c *call, q *question, sent []string) error {
	token, ok := strings.CutPrefix(sent[0], "Bearer ")
	if !ok || len(sent) != 1 {
		return refuse(http.StatusUnauthorized, codeBearer)
	}
	uid, issued, err := d.c.Tokens.Bearer(ctx, token)
	if wrong := new(TokenError); errors.As(err, &wrong) {
		return refuse(http.StatusUnauthorized, codeBearer)
	}
	if err != nil {
		return err
	}
	a, err := d.c.Accounts.Account(ctx, account.ByUID, uid)
	if err != nil {
		return err
	}
	// iat counts in whole seconds.
	if issued.Before(a.Updated.Truncate(time.Second)) || d.c.Now().Sub(issued) > bearerLife {
		return refuse(http.StatusUnauthorized, codeBearer)
	}
	if !a.State.MayAct() {
		return refuse(http.StatusUnauthorized, "authz.user_not_active")
	}
	if err := c.as(a); err != nil {
		return err
	}
	p := a.Principal()
	return d.permit(ctx, q, &p)
}

// as makes the call one of the account's holder. Service accounts have nothing here.
func (c *call) as(a account.Account) error {
	if a.Kind != gatehouse.PrincipalAccount {
		return refuse(http.StatusNotFound, codeNotFound)
	}
	c.account = a
	c.actor.Kind, c.actor.ID, c.actor.Role = gatehouse.ActorAccount, a.ID, a.Role
	return nil
}
