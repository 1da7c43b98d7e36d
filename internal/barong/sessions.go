// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const kindSession = "identity.session"

var signInParams = []param{
	{name: "email", required: true, missing: kindSession + ".missing_email"},
	{name: "password", required: true, missing: kindSession + ".missing_password"},
	may("otp_code"),
	{name: "captcha_response", object: true, invalid: kindSession + ".invalid_captcha_format"},
}

// signIn answers POST sessions.
func (d *Door) signIn(ctx context.Context, c *call) (answer, error) {
	previous, _ := d.sessionID(c.r)
	opened, err := d.c.Accounts.SignIn(ctx, c.actor, account.SignInRequest{
		Email: c.params["email"], Password: gatehouse.NewSecret(c.params["password"]), Code: c.params["otp_code"], Previous: previous,
	})
	if inactive := new(account.StateError); errors.As(err, &inactive) {
		return answer{}, refuse(http.StatusUnauthorized, kindSession+"."+barredAs(inactive.State))
	}
	if err != nil {
		return answer{}, say(err, kindSession+".too_many_attempts",
			row{account.ErrCredentials, http.StatusUnauthorized, kindSession + ".invalid_params"},
			row{account.ErrCodeMissing, http.StatusUnauthorized, kindSession + ".missing_otp"},
			row{account.ErrCodeInvalid, http.StatusForbidden, kindSession + ".invalid_otp"},
			row{account.ErrCodeUsed, http.StatusUnprocessableEntity, codeTOTPUsed})
	}
	return d.welcome(ctx, c, http.StatusOK, &opened)
}

// barredAs names a state that does not let its account in.
func barredAs(s gatehouse.PrincipalState) string {
	if s == gatehouse.PrincipalBanned || s == gatehouse.PrincipalDeleted {
		return string(s)
	}
	return "not_active"
}

// welcome is the answer to whoever has just opened a session.
func (d *Door) welcome(ctx context.Context, c *call, status int, o *account.Opened) (answer, error) {
	body, err := d.userJSON(ctx, &o.Account, o.Session.CSRF)
	if err != nil {
		return answer{}, err
	}
	return answer{status: status, body: body, cookie: d.cookie(c.r, o.ID)}, nil
}

// signOut answers DELETE sessions. The client gets a fresh session id, behind which
// there is nothing.
func (d *Door) signOut(ctx context.Context, c *call) (answer, error) {
	id, _ := d.sessionID(c.r)
	if err := d.c.Accounts.SignOut(ctx, c.actor, id); err != nil {
		return answer{}, say(err, "", row{account.ErrNoSession, http.StatusNotFound, kindSession + ".not_found"})
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return answer{status: http.StatusOK, body: http.StatusOK, cookie: d.cookie(c.r, gatehouse.NewSecret(hex.EncodeToString(b[:])))}, nil
}
