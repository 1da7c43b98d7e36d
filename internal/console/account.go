// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

func (c *Console) accountRoutes() []route {
	return []route{
		{pattern: "GET /account", need: holder, serve: (*visit).showHolder},
		{pattern: "POST /account/password", need: holder, serve: (*visit).changePassword},
		{pattern: "POST /account/sessions/end", need: holder, serve: (*visit).endSession},
		{pattern: "POST /account/sessions/end-all", need: holder, serve: (*visit).endSessions},
		{pattern: "GET /account/factor", need: holder, serve: (*visit).showFactor},
		{pattern: "POST /account/factor/begin", need: holder, serve: (*visit).beginFactor},
		{pattern: "POST /account/factor/enable", need: holder, serve: (*visit).enableFactor},
		{pattern: "POST /account/factor/recovery", need: holder, serve: (*visit).renewRecovery},
		{pattern: "POST /account/factor/replace", need: holder, serve: (*visit).replaceFactor},
		{pattern: "POST /account/factor/disable", need: holder, serve: (*visit).disableFactor},
	}
}

// accountNotices are the words of the pages about one's own account.
var accountNotices = map[string]string{
	"password-changed": "Your password is changed.",
	"session-ended":    "The session has ended.",
	"sessions-ended":   "All other sessions have ended.",
	"signed-out-all":   "You are signed out everywhere.",
	"factor-on":        "Your second factor is on. If you have not seen your recovery codes, make new ones here.",
	"factor-off":       "Your second factor is off. Your keys are disabled: look which of them you want to enable again.",
	"factor-was-off":   "Your second factor is off.",
}

// holderPage is what the page shows.
type holderPage struct {
	Account  *account.Account
	Pending  bool // the address is not confirmed
	Recovery int  // codes that are left
	Sessions []shownSession
	Policy   string
	Problem  string // with the change of the password
	Weak     bool   // the new one is what is wrong
}

// shownSession is a session in a list. ID is its hash, which opens nothing.
type shownSession struct {
	account.Session
	ID      string
	Browser string
	Here    bool // the session of this page
}

// browserOf is what a user agent calls itself, in a few words; as it was sent where none of
// them is known.
func browserOf(agent string) string {
	find := func(marks ...[2]string) string {
		for _, m := range marks {
			if strings.Contains(agent, m[0]) {
				return m[1]
			}
		}
		return ""
	}
	// Browsers name their forebears as well: the younger comes first.
	browser := find([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox/", "Firefox"}, [2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := find([2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Windows", "Windows"}, [2]string{"Mac OS X", "macOS"}, [2]string{"Linux", "Linux"})
	switch {
	case agent == "":
		return "unknown"
	case browser == "" || system == "":
		return agent
	}
	return browser + " on " + system
}

func (v *visit) showHolder() error { return v.holderPage(http.StatusOK, "", false) }

// holderPage shows the page, with what is wrong with a change of the password; weak: with the new one.
func (v *visit) holderPage(status int, problem string, weak bool) error {
	sessions, err := v.Directory.Sessions(v.r.Context(), v.actor(), v.account.ID)
	if err != nil {
		return err
	}
	page := holderPage{Account: v.account, Pending: v.account.State == gatehouse.PrincipalPending, Problem: problem, Weak: weak}
	for _, s := range sessions {
		page.Sessions = append(page.Sessions, shownSession{Session: s, ID: hex.EncodeToString(s.Hash), Browser: browserOf(s.UserAgent), Here: bytes.Equal(s.Hash, v.session.Hash)})
	}
	if v.account.OTP {
		if page.Recovery, err = v.Directory.RecoveryLeft(v.r.Context(), v.actor(), v.account.ID); err != nil {
			return err
		}
	}
	if page.Policy, err = v.policy(); err != nil {
		return err
	}
	return v.show(status, "my-account.html", "My account", page)
}

// changePassword changes the password and, where that is asked for, ends the other sessions.
func (v *visit) changePassword() error {
	ctx, old, fresh := v.r.Context(), gatehouse.NewSecret(v.r.PostFormValue("old")), gatehouse.NewSecret(v.r.PostFormValue("password"))
	err := v.Directory.ChangePassword(ctx, v.actor(), v.account.ID, old, fresh)
	if status, problem := v.refused(err); problem != "" {
		_, weak := errors.AsType[*account.PasswordError](err)
		return v.holderPage(status, problem, weak)
	}
	if err != nil {
		return err
	}
	if v.r.PostFormValue("others") != "" {
		if err := v.Directory.EndSessions(ctx, v.actor(), v.account.ID, v.id); err != nil {
			return err
		}
	}
	return v.to("/account", "password-changed")
}

// codesOf are the codes of the door for a password that is refused.
func codesOf(weak *account.PasswordError) (codes []string) {
	for _, p := range weak.Problems {
		codes = append(codes, "password."+string(p))
	}
	return codes
}

// refused is the status and the sentence for what the directory does not accept of the account's
// holder; an empty sentence: err is of another kind, and is the caller's to return.
func (v *visit) refused(err error) (status int, problem string) {
	if throttled := (*account.ThrottledError)(nil); errors.As(err, &throttled) {
		seconds := gate.Seconds(throttled.RetryAfter)
		v.w.Header().Set("Retry-After", seconds)
		return http.StatusTooManyRequests, fmt.Sprintf("Too many attempts. Try again in %s seconds.", seconds)
	}
	if weak := (*account.PasswordError)(nil); errors.As(err, &weak) {
		return http.StatusUnprocessableEntity, v.saidOf(codesOf(weak), v.r.PostFormValue("password"))
	}
	for _, row := range []struct {
		err  error
		text string
	}{
		{account.ErrCredentials, "The present password is wrong."},
		{account.ErrPasswordSame, "The new password is the present one."},
		{account.ErrCodeMissing, "Enter the code that your authenticator app shows."},
		{account.ErrCodeInvalid, "The code is wrong. Wait for the next one and try again."},
		{account.ErrCodeUsed, "The code was used before. Wait for the next one and try again."},
		{gatehouse.ErrConflict, "Somebody else has changed this meanwhile. Look at what it is now, and try again."},
	} {
		if errors.Is(err, row.err) {
			return http.StatusUnprocessableEntity, row.text
		}
	}
	return 0, ""
}

// endSession ends one session of the account. One that has ended already has ended.
func (v *visit) endSession() error {
	hash, err := hex.DecodeString(v.r.PostFormValue("session"))
	if err != nil {
		return gatehouse.ErrNotFound
	}
	err = v.Directory.EndSession(v.r.Context(), v.actor(), v.account.ID, hash)
	if err != nil && !errors.Is(err, account.ErrNoSession) {
		return err
	}
	if bytes.Equal(hash, v.session.Hash) {
		v.remember(gatehouse.Secret{})
		return v.to("/sign-in", "signed-out")
	}
	return v.to("/account", "session-ended")
}

// endSessions ends all sessions but this one, or this one as well.
func (v *visit) endSessions() error {
	keep := v.id
	if v.r.PostFormValue("here") != "" {
		keep = gatehouse.Secret{}
	}
	if err := v.Directory.EndSessions(v.r.Context(), v.actor(), v.account.ID, keep); err != nil {
		return err
	}
	if keep.Empty() {
		v.remember(gatehouse.Secret{})
		return v.to("/sign-in", "signed-out-all")
	}
	return v.to("/account", "sessions-ended")
}
