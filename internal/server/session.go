// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/subtle"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/config"
)

// session finds the account behind a request's session cookie, as [rest.Config].Sessions has
// it. A request that may change something carries the session's CSRF token, whatever Barong's
// door is told: browsers send cookies along by themselves.
func (p *parts) session(c *config.Config) func(*http.Request) (account.Account, error) {
	return func(r *http.Request) (account.Account, error) {
		cookies := r.CookiesNamed(c.Barong.SessionName)
		if len(cookies) != 1 {
			return account.Account{}, account.ErrNoSession
		}
		id := gatehouse.NewSecret(cookies[0].Value)
		s, a, err := p.directory.FindSession(r.Context(), id)
		if err != nil {
			return account.Account{}, err
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			sent := r.Header.Values("X-Csrf-Token")
			if len(sent) != 1 || subtle.ConstantTimeCompare([]byte(sent[0]), []byte(s.CSRF)) != 1 {
				return account.Account{}, gatehouse.ErrForbidden
			}
		}
		actor := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: a.ID, Tenant: a.Tenant, Address: p.proxies.Peer(r), UserAgent: r.UserAgent()}
		if _, err := p.directory.CheckSession(r.Context(), actor, id, s); err != nil {
			return account.Account{}, err
		}
		if !a.State.MayAct() {
			return account.Account{}, account.ErrInactive
		}
		return a, nil
	}
}
