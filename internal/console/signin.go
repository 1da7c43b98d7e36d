// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

func (c *Console) signInRoutes() []route {
	return []route{
		{pattern: "GET /{$}", need: anyone, serve: (*visit).home},
		{pattern: "/", need: anyone, serve: (*visit).nowhere},
		{pattern: "GET /sign-in", need: anyone, serve: (*visit).showSignIn},
		{pattern: "POST /sign-in", need: anyone, serve: (*visit).signIn},
		{pattern: "POST /sign-out", need: holder, serve: (*visit).signOut},
	}
}

// home leads to the page that one looks at first.
func (v *visit) home() error {
	done := v.r.URL.Query().Get("done")
	switch {
	case v.account == nil:
		return v.to("/sign-in", done)
	case v.operates():
		return v.to("/operate", done)
	}
	return v.to("/keys", done)
}

// nowhere is the page for an address that has none.
func (v *visit) nowhere() error { return gatehouse.ErrNotFound }

// signInPage is what the page of the sign-in shows.
type signInPage struct {
	Email, Next, Problem string
	Code                 bool // the code was missing or wrong: its field comes first
	Register             bool // whoever has no account can make one
	Fresh                bool // there is no administrator yet
}

func (v *visit) showSignIn() error {
	if v.account != nil {
		return v.to("/", "")
	}
	return v.show(http.StatusOK, "sign-in.html", "Sign in", signInPage{Next: ours(v.r.URL.Query().Get("next")), Register: v.Directory.Registers(), Fresh: v.fresh()})
}

// fresh reports whether there is no administrator yet. It is a hint: where the store does not
// answer there is none, and once there was one nobody asks it again.
func (v *visit) fresh() bool {
	if v.set.Load() {
		return false
	}
	there, err := v.Directory.HasAdministrator(v.r.Context())
	v.set.Store(there && err == nil)
	return !there && err == nil
}

// ours is a path of this site, or nothing: who links to the sign-in may lead nowhere else.
func ours(next string) string {
	if _, ok := gate.CanonicalPath(next); !ok || strings.HasPrefix(next, "//") {
		return ""
	}
	return next
}

func (v *visit) signIn() error {
	in := account.SignInRequest{
		Email: v.r.PostFormValue("email"), Password: gatehouse.NewSecret(v.r.PostFormValue("password")),
		Code: strings.ReplaceAll(v.r.PostFormValue("code"), " ", ""), Previous: v.id,
	}
	page := signInPage{Email: in.Email, Next: ours(v.r.PostFormValue("next")), Register: v.Directory.Registers()}
	opened, err := v.Directory.SignIn(v.r.Context(), v.actor(), in)
	if err == nil {
		v.remember(opened.ID)
		v.account = &opened.Account
		return v.to(cmp.Or(page.Next, "/"), v.spentRecovery(in.Code))
	}
	status := http.StatusUnauthorized
	throttled, barred := (*account.ThrottledError)(nil), (*account.StateError)(nil)
	switch {
	case errors.As(err, &throttled):
		status = http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", gate.Seconds(throttled.RetryAfter))
		page.Problem = fmt.Sprintf("Too many attempts. Try again in %s seconds.", gate.Seconds(throttled.RetryAfter))
	case errors.Is(err, account.ErrCodeMissing):
		page.Problem, page.Code = "Your account has a second factor: enter the code from your authenticator app, and your password again.", true
	case errors.Is(err, account.ErrCodeInvalid), errors.Is(err, account.ErrCodeUsed):
		page.Problem, page.Code = "The code is wrong or was used before. Wait for the next one.", true
	case errors.Is(err, account.ErrCredentials):
		page.Problem = "The e-mail address or the password is wrong."
	case errors.As(err, &barred):
		page.Problem = fmt.Sprintf("This account is %s, and cannot be used. If you do not know why, ask whoever runs this site.", barred.State)
	default:
		return err
	}
	return v.show(status, "sign-in.html", "Sign in", page)
}

func (v *visit) signOut() error {
	if err := v.Directory.SignOut(v.r.Context(), v.actor(), v.id); err != nil && !errors.Is(err, account.ErrNoSession) {
		return err
	}
	v.remember(gatehouse.Secret{})
	return v.to("/sign-in", "signed-out")
}
