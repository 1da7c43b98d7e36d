// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
)

// cookieLife is how long a browser keeps the cookie. The session behind it has limits
// of its own.
const cookieLife = 24 * time.Hour

// cookie carries a session id to the client.
func (d *Door) cookie(r *http.Request, id gatehouse.Secret) *http.Cookie {
	return &http.Cookie{
		Name: d.c.SessionName, Value: id.Reveal(), Path: "/", Expires: d.c.Now().Add(cookieLife),
		HttpOnly: true, Secure: d.c.Proxies.Secure(r), SameSite: http.SameSiteLaxMode,
	}
}

// sessionID is the session id that a request carries, empty without one. twice is true
// when it carries more than one: a server before us might read another than we do.
func (d *Door) sessionID(r *http.Request) (id gatehouse.Secret, twice bool) {
	switch cookies := r.CookiesNamed(d.c.SessionName); len(cookies) {
	case 0:
		return gatehouse.Secret{}, false
	case 1:
		return gatehouse.NewSecret(cookies[0].Value), false
	}
	return gatehouse.Secret{}, true
}
