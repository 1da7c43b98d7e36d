// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// How people get in: they register, confirm their address, and set a new password when they
// have forgotten theirs. Barong's door does it and sends the mail; the links in that mail lead
// here. No page tells whether an address has an account.

func (c *Console) joinRoutes() []route {
	return []route{
		{pattern: "GET /register", need: anyone, serve: (*visit).showRegister},
		{pattern: "POST /register", need: anyone, serve: (*visit).register},
		{pattern: "GET /register/sent", need: anyone, serve: (*visit).showSent},
		{pattern: "GET /accounts/confirmation", need: anyone, serve: (*visit).showConfirm},
		{pattern: "POST /accounts/confirmation", need: anyone, serve: (*visit).confirm},
		{pattern: "POST /accounts/confirmation/again", need: anyone, serve: (*visit).confirmAgain},
		{pattern: "GET /forgot", need: anyone, serve: (*visit).showForgot},
		{pattern: "POST /forgot", need: anyone, serve: (*visit).forgot},
		{pattern: "GET /forgot/sent", need: anyone, serve: (*visit).showSent},
		{pattern: "GET /accounts/password_reset", need: anyone, serve: (*visit).showReset},
		{pattern: "POST /accounts/password_reset", need: anyone, serve: (*visit).reset},
	}
}

// joinNotices are the words of this file.
var joinNotices = map[string]string{
	"confirmed":    "The e-mail address is confirmed.",
	"password-set": "The new password is set, and every session of the account has ended. Sign in with it.",
}

// joinPage is what the pages of this file show.
type joinPage struct {
	Email   string
	Token   string // of the link; goes back with the form
	Policy  string // of passwords, in words
	Problem string
	Weak    bool // the password is what is wrong
	Dead    bool // the link is no good
	Closed  bool // nobody can register
}

// identity is where Barong's door has what these pages need.
const identity = "/api/v2/barong/identity/"

// tell sends the door an object and returns the codes with which it refuses; none: it was done.
// The session that the door may have opened is ended: who follows a link in a mail has not
// shown to know the password, and who does not is not to learn from a cookie what there is.
func (v *visit) tell(path string, object map[string]string) (codes []string, err error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	resp, err := v.ask(http.MethodPost, identity+path, "application/json", string(body))
	if err != nil {
		return nil, err
	}
	if id := v.sessionOf(resp); !id.Empty() {
		if err := v.Directory.SignOut(v.r.Context(), v.actor(), id); err != nil && !errors.Is(err, account.ErrNoSession) {
			return nil, err
		}
	}
	var said struct{ Errors []string }
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return nil, nil
	case resp.StatusCode == http.StatusServiceUnavailable:
		return nil, gatehouse.Unavailable("ask the door", errors.New(path))
	case json.NewDecoder(resp.Body).Decode(&said) != nil || len(said.Errors) == 0 || resp.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("the door answers %s with %d", path, resp.StatusCode)
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, gatehouse.ErrForbidden // a rule keeps this client away
	case resp.StatusCode == http.StatusTooManyRequests:
		v.w.Header().Set("Retry-After", resp.Header.Get("Retry-After"))
	}
	return said.Errors, nil
}

// commonPolicy says what [account.DefaultPasswordPolicy] demands.
const commonPolicy = "8 to 80 characters, with a capital letter, a small letter and a digit. Common words and keyboard rows do not help."

// policy is what new passwords must be, in words.
func (v *visit) policy() (string, error) {
	resp, err := v.ask(http.MethodGet, identity+"configs", "", "")
	if err != nil {
		return "", err
	}
	var said struct {
		Pattern string `json:"password_regexp"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&said) != nil {
		return "", fmt.Errorf("the door answers configs with %d", resp.StatusCode)
	}
	if strings.Contains(said.Pattern, account.DefaultPasswordPolicy().Pattern) {
		return commonPolicy, nil
	}
	return "It must match the pattern " + said.Pattern + " and be hard to guess.", nil
}

// needs is what a password lacks of the common policy, in words; empty: nothing.
func needs(password string) string {
	letters := utf8.RuneCountInString(password)
	var missing []string
	for _, row := range []struct {
		met  bool
		text string
	}{
		{letters >= 8, "at least 8 characters"},
		{letters <= 80, "no more than 80 characters"},
		{strings.ContainsAny(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "a capital letter (A to Z)"},
		{strings.ContainsAny(password, "abcdefghijklmnopqrstuvwxyz"), "a small letter (a to z)"},
		{strings.ContainsAny(password, "0123456789"), "a digit"},
	} {
		if !row.met {
			missing = append(missing, row.text)
		}
	}
	switch n := len(missing); n {
	case 0:
		return ""
	case 1:
		return "The password still needs " + missing[0] + "."
	default:
		return "The password still needs " + strings.Join(missing[:n-1], ", ") + " and " + missing[n-1] + "."
	}
}

// joinWords are what the pages say for the door's codes, in the order of the fields.
var joinWords = []struct{ code, text string }{
	{"identity.user.too_many_attempts", "Too many attempts from your network. Try again in some minutes."},
	{"identity.user.empty_email", "Enter your e-mail address."},
	{"email.invalid", "This is no e-mail address."},
	{"identity.user.empty_password", "Enter a password."},
	{"password.requirements", "The password does not keep to the rule for passwords."},
	{"password.weak", "The password is too easy to guess. Make it longer, or less like a word."},
	{"password.too_long", "The password is too long: 72 bytes are the most."},
}

// saidOf are the sentences for the codes of a refusal, of a password if there was one.
func (v *visit) saidOf(codes []string, password string) string {
	var said []string
	for _, row := range joinWords {
		if !slices.Contains(codes, row.code) {
			continue
		}
		text := row.text
		if row.code == "password.requirements" {
			if rule, err := v.policy(); err == nil && rule == commonPolicy {
				text = cmp.Or(needs(password), text)
			}
		}
		said = append(said, text)
	}
	return cmp.Or(strings.Join(said, " "), "The server did not accept this.")
}

// ofPassword reports whether a code is about a password.
func ofPassword(code string) bool {
	return code == "identity.user.empty_password" || strings.HasPrefix(code, "password.")
}

// statusOf is the status of a page that shows a refusal again.
func statusOf(codes []string) int {
	if slices.Contains(codes, "identity.user.too_many_attempts") {
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}

func (v *visit) showRegister() error {
	if v.account != nil {
		return v.to("/", "")
	}
	return v.registerPage(http.StatusOK, joinPage{})
}

func (v *visit) registerPage(status int, page joinPage) (err error) {
	if !v.Directory.Registers() {
		return v.show(status, "register.html", "Register", joinPage{Closed: true})
	}
	if page.Policy, err = v.policy(); err != nil {
		return err
	}
	return v.show(status, "register.html", "Register", page)
}

// register makes an account. An address that has one gets the same answer, and where it is not
// confirmed yet, another mail.
func (v *visit) register() error {
	if !v.Directory.Registers() {
		return v.registerPage(http.StatusForbidden, joinPage{})
	}
	email, password := v.r.PostFormValue("email"), v.r.PostFormValue("password")
	codes, err := v.tell("users", map[string]string{"email": email, "password": password})
	switch {
	case err != nil:
		return err
	case slices.Equal(codes, []string{"email.taken"}):
		return v.mailConfirmation(email)
	case len(codes) > 0:
		weak := !slices.ContainsFunc(codes, func(code string) bool { return !ofPassword(code) })
		return v.registerPage(statusOf(codes), joinPage{Email: email, Problem: v.saidOf(codes, password), Weak: weak})
	}
	return v.to("/register/sent", "")
}

func (v *visit) mailConfirmation(email string) error {
	codes, err := v.tell("users/email/generate_code", map[string]string{"email": email})
	if err != nil {
		return err
	}
	if len(codes) > 0 {
		return v.show(statusOf(codes), "confirm.html", "Confirm your address", joinPage{Problem: v.saidOf(codes, "")})
	}
	return v.to("/register/sent", "")
}

func (v *visit) confirmAgain() error { return v.mailConfirmation(v.r.PostFormValue("email")) }

func (v *visit) showSent() error {
	title := "Look into your mail"
	if v.MailServer == "" {
		title = "Ask for your link"
	}
	return v.show(http.StatusOK, "sent.html", title, nil)
}

// showConfirm is where the link of a mail leads. It changes nothing: mail scanners follow links.
func (v *visit) showConfirm() error {
	return v.show(http.StatusOK, "confirm.html", "Confirm your address", joinPage{Token: v.r.URL.Query().Get("confirmation_token")})
}

// confirm confirms the address of who knows the account's password. Somebody else may have
// registered it: who only has the mail sets a password of their own first, which ends what
// the other began.
func (v *visit) confirm() error {
	page := joinPage{Token: v.r.PostFormValue("token")}
	email := addressOf(page.Token)
	if email != "" {
		known, err := v.knows(email, gatehouse.NewSecret(v.r.PostFormValue("password")))
		throttled := (*account.ThrottledError)(nil)
		switch {
		case errors.As(err, &throttled):
			v.w.Header().Set("Retry-After", gate.Seconds(throttled.RetryAfter))
			page.Problem = "Too many attempts. Try again later."
			return v.show(http.StatusTooManyRequests, "confirm.html", "Confirm your address", page)
		case err != nil:
			return err
		case !known:
			page.Problem = "The password is not that of this account. If you did not choose it yourself, set a new one by “Forgotten password” and come back to this link."
			return v.show(http.StatusUnprocessableEntity, "confirm.html", "Confirm your address", page)
		}
	}
	codes, err := v.tell("users/email/confirm_code", map[string]string{"token": page.Token})
	switch {
	case err != nil:
		return err
	case len(codes) > 0:
		return v.show(http.StatusUnprocessableEntity, "confirm.html", "Confirm your address", joinPage{
			Problem: "This link was used before, is too old, or is not whole. If you have used it, you are done and can sign in.",
		})
	case v.account != nil:
		return v.to("/account", "confirmed")
	}
	return v.to("/sign-in", "confirmed")
}

// addressOf is the address in the token of a mail, unchecked: it only says whose password is to
// be known. Empty: there is none.
func addressOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Email string `json:"email"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Email
}

// knows reports whether a password is that of an account. The session that proves it ends.
func (v *visit) knows(email string, password gatehouse.Secret) (bool, error) {
	opened, err := v.Directory.SignIn(v.r.Context(), v.actor(), account.SignInRequest{Email: email, Password: password})
	switch {
	case err == nil:
		return true, v.Directory.SignOut(v.r.Context(), v.actor(), opened.ID)
	case errors.Is(err, account.ErrCodeMissing), errors.Is(err, account.ErrInactive):
		return true, nil // both are said after the password was right
	case errors.Is(err, account.ErrCredentials):
		return false, nil
	}
	return false, err
}

func (v *visit) showForgot() error {
	return v.show(http.StatusOK, "forgot.html", "Forgotten password", joinPage{})
}

// forgot has a link mailed. It looks at the address only as far as it can be misspelt.
func (v *visit) forgot() error {
	email := v.r.PostFormValue("email")
	codes := []string{"email.invalid"}
	if account.CheckEmail(email) == nil {
		var err error
		if codes, err = v.tell("users/password/generate_code", map[string]string{"email": email}); err != nil {
			return err
		}
	}
	if len(codes) > 0 {
		return v.show(statusOf(codes), "forgot.html", "Forgotten password", joinPage{Email: email, Problem: v.saidOf(codes, "")})
	}
	return v.to("/forgot/sent", "")
}

// showReset is where the link of a mail leads, and changes nothing either.
func (v *visit) showReset() error {
	token := v.r.URL.Query().Get("reset_token")
	return v.resetPage(http.StatusOK, joinPage{Token: token, Dead: token == ""})
}

func (v *visit) resetPage(status int, page joinPage) (err error) {
	if page.Policy, err = v.policy(); err != nil {
		return err
	}
	return v.show(status, "reset.html", "New password", page)
}

func (v *visit) reset() error {
	token, password := v.r.PostFormValue("token"), v.r.PostFormValue("password")
	codes, err := v.tell("users/password/confirm_code", map[string]string{"reset_password_token": token, "password": password, "confirm_password": password})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(codes, ofPassword) {
		return v.resetPage(statusOf(codes), joinPage{Token: token, Problem: v.saidOf(codes, password)})
	}
	if len(codes) > 0 {
		return v.resetPage(http.StatusUnprocessableEntity, joinPage{Dead: true})
	}
	return v.to("/sign-in", "password-set")
}
