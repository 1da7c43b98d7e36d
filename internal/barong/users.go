// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const kindUser = "identity.user"

var registerParams = []param{
	need(kindUser, "email"), need(kindUser, "password"), may("username"), may("refid"),
	{name: "captcha_response", object: true, invalid: kindUser + ".invalid_captcha_format"}, may("data"),
}

var resetParams = []param{
	{name: "reset_password_token", required: true, missing: kindUser + ".missing_pass_token", empty: kindUser + ".empty_reset_password_token"},
	need(kindUser, "password"), need(kindUser, "confirm_password"),
}

// register answers POST users: an account, a session, and a mail with a confirmation.
func (d *Door) register(ctx context.Context, c *call) (answer, error) {
	if !d.c.Accounts.Registers() {
		return answer{}, refuse(http.StatusUnprocessableEntity, kindUser+".registration_closed")
	}
	if c.params.has("refid") && c.params["refid"] == "" {
		return answer{}, refuse(http.StatusUnprocessableEntity, kindUser+".invalid_referral_format")
	}
	a, err := d.c.Accounts.Register(ctx, c.actor, account.Registration{
		Email: c.params["email"], Username: c.params["username"], Data: c.params["data"],
		ReferralUID: c.params["refid"], Password: gatehouse.NewSecret(c.params["password"]),
	})
	if invalid := new(gatehouse.InvalidError); errors.As(err, &invalid) && invalid.Field == "referral" {
		code := kindUser + ".invalid_referral_format"
		if invalid.Problem == "unknown" {
			code = kindUser + ".referral_doesnt_exist"
		}
		return answer{}, refuse(http.StatusUnprocessableEntity, code)
	}
	if err != nil {
		return answer{}, say(err, kindUser+".too_many_attempts")
	}
	if a.State == gatehouse.PrincipalPending {
		// The account is there: a full queue must not make its holder register again,
		// and generate_code sends another mail.
		if err := d.post.take(d.confirmationMail(a.Email)); err != nil {
			d.c.Logger.WarnContext(ctx, "no confirmation mail", "account", a.ID, "error", err)
		}
	}
	return d.begin(ctx, c, &a)
}

// begin opens the first session of an account whose holder has just made or confirmed
// it. A second factor is not skipped: then there is no session, and no csrf_token.
func (d *Door) begin(ctx context.Context, c *call, a *account.Account) (answer, error) {
	previous, _ := d.sessionID(c.r)
	opened, err := d.c.Accounts.OpenSession(ctx, c.actor, a.ID, previous)
	switch {
	case errors.Is(err, account.ErrCodeMissing):
		body, err := d.userJSON(ctx, a, "")
		return answer{status: http.StatusCreated, body: body}, err
	case err != nil:
		return answer{}, err
	}
	return d.welcome(ctx, c, http.StatusCreated, &opened)
}

// mailConfirmation answers the same whoever the address belongs to, and in the same
// time: everything else happens after the answer.
func (d *Door) mailConfirmation(_ context.Context, c *call) (answer, error) {
	return answer{status: http.StatusCreated, body: http.StatusCreated}, d.post.take(d.confirmationMail(c.params["email"]))
}

// confirmEmail spends a mailed confirmation.
func (d *Door) confirmEmail(ctx context.Context, c *call) (answer, error) {
	id, email, err := d.mailedToken(ctx, purposeConfirmation, c.params["token"])
	if err != nil {
		return answer{}, err
	}
	a, err := d.c.Accounts.ConfirmEmail(ctx, c.actor, id, email)
	if err != nil {
		return answer{}, say(err, "",
			row{gatehouse.ErrNotFound, http.StatusUnprocessableEntity, kindUser + ".active_or_doesnt_exist"},
			row{account.ErrSpent, http.StatusUnprocessableEntity, kindUser + ".utilized_token"})
	}
	return d.begin(ctx, c, &a)
}

// mailReset is as mailConfirmation.
func (d *Door) mailReset(_ context.Context, c *call) (answer, error) {
	return answer{status: http.StatusCreated, body: http.StatusCreated}, d.post.take(d.resetMail(c.actor, c.params["email"]))
}

// resetPassword spends a mailed reset.
func (d *Door) resetPassword(ctx context.Context, c *call) (answer, error) {
	if c.params["password"] != c.params["confirm_password"] {
		return answer{}, refuse(http.StatusUnprocessableEntity, kindUser+".passwords_doesnt_match")
	}
	id, email, err := d.mailedToken(ctx, purposeReset, c.params["reset_password_token"])
	if err != nil {
		return answer{}, err
	}
	if _, err := d.c.Accounts.ResetPassword(ctx, c.actor, id, email, gatehouse.NewSecret(c.params["password"])); err != nil {
		return answer{}, say(err, "", row{account.ErrSpent, http.StatusUnprocessableEntity, kindUser + ".utilized_token"})
	}
	return answer{status: http.StatusCreated, body: http.StatusCreated}, nil
}

func (d *Door) mailedToken(ctx context.Context, purpose, token string) (id, email string, err error) {
	id, email, err = d.c.Tokens.Verify(ctx, purpose, gatehouse.NewSecret(token))
	if wrong := new(TokenError); errors.As(err, &wrong) {
		return "", "", refuse(http.StatusUnprocessableEntity, codeBearer+"."+string(wrong.Problem))
	}
	return id, email, err
}

// user is an account on the wire. The order of its fields is the order on the wire.
type user struct {
	Email    string  `json:"email"`
	UID      string  `json:"uid"`
	Role     string  `json:"role"`
	Level    int     `json:"level"`
	OTP      bool    `json:"otp"`
	State    string  `json:"state"`
	Referral *string `json:"referral_uid"`
	Data     *string `json:"data"`
	CSRF     string  `json:"csrf_token,omitempty"` // of a session that was just opened
	Username *string `json:"username"`
	Labels   []label `json:"labels"`
	Phones   []any   `json:"phones"`        // there are none here
	Profiles []any   `json:"profiles"`      // nor these
	Storages []any   `json:"data_storages"` // nor these
	Created  string  `json:"created_at"`
	Updated  string  `json:"updated_at"`
}

func (d *Door) userJSON(ctx context.Context, a *account.Account, csrf string) (user, error) {
	u := user{
		Email: a.Email, UID: a.UID, Role: a.Role, Level: a.Level, OTP: a.OTP, State: string(a.State),
		Data: orNull(a.Data), CSRF: csrf, Username: orNull(a.Username), Labels: labelsJSON(a.Labels),
		Phones: []any{}, Profiles: []any{}, Storages: []any{}, Created: stamp(a.Created), Updated: stamp(a.Updated),
	}
	if a.Referral == "" {
		return u, nil
	}
	by, err := d.c.Accounts.Account(ctx, account.ByID, a.Referral)
	if err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
		return user{}, err
	}
	u.Referral = orNull(by.UID)
	return u, nil
}
