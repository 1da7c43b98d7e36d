// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	kindHolder     = "resource.user"
	codeHolderSlow = kindHolder + ".too_many_attempts"
)

func (d *Door) me(ctx context.Context, c *call) (answer, error) {
	body, err := d.userJSON(ctx, &c.account, "")
	return answer{status: http.StatusOK, body: body}, err
}

func (d *Door) setData(ctx context.Context, c *call) (answer, error) {
	a, err := d.c.Accounts.SetData(ctx, c.actor, c.account.ID, c.params["data"])
	if err != nil {
		return answer{}, say(err, "")
	}
	body, err := d.userJSON(ctx, &a, "")
	return answer{status: http.StatusOK, body: body}, err
}

// deleteMe closes the account.
func (d *Door) deleteMe(ctx context.Context, c *call) (answer, error) {
	err := d.c.Accounts.Delete(ctx, c.actor, c.account.ID, gatehouse.NewSecret(c.params["password"]), c.params["otp_code"])
	if err != nil {
		return answer{}, say(err, codeHolderSlow,
			row{account.ErrCredentials, http.StatusUnprocessableEntity, kindHolder + ".invalid_password"},
			row{account.ErrCodeMissing, http.StatusUnprocessableEntity, kindHolder + ".missing_otp_code"},
			row{account.ErrCodeInvalid, http.StatusUnprocessableEntity, kindHolder + ".invalid_otp"},
			row{account.ErrCodeUsed, http.StatusUnprocessableEntity, codeTOTPUsed})
	}
	return answer{status: http.StatusOK, body: http.StatusOK}, nil
}

// changePassword keeps sessions and keys, as Barong does.
func (d *Door) changePassword(ctx context.Context, c *call) (answer, error) {
	if c.params["new_password"] != c.params["confirm_password"] {
		return answer{}, refuse(http.StatusUnprocessableEntity, "resource.password.doesnt_match")
	}
	err := d.c.Accounts.ChangePassword(ctx, c.actor, c.account.ID,
		gatehouse.NewSecret(c.params["old_password"]), gatehouse.NewSecret(c.params["new_password"]))
	if err != nil {
		return answer{}, say(err, codeHolderSlow,
			row{account.ErrCredentials, http.StatusBadRequest, "resource.password.prev_pass_not_correct"},
			row{account.ErrPasswordSame, http.StatusBadRequest, "resource.password.no_change_provided"})
	}
	return answer{status: http.StatusCreated, body: http.StatusCreated}, nil
}
