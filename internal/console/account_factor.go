// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"rsc.io/qr"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// recoveryNotices tell who signed in with a recovery code how many are left: "recovery-" and their
// number.
var recoveryNotices = func() map[string]string {
	const spent, renew = "You signed in with a recovery code, which is spent now. ", " Make new ones under My account, Second factor."
	out := map[string]string{"recovery-0": spent + "It was the last." + renew, "recovery-1": spent + "One is left." + renew}
	for n := 2; n < 10; n++ { // of ten
		out[fmt.Sprintf("recovery-%d", n)] = fmt.Sprintf("%s%d are left.", spent, n)
	}
	return out
}()

// spentRecovery is the word of the notice for who has just signed in with a code; empty: it was
// one of the app, or how many are left cannot be told.
func (v *visit) spentRecovery(code string) string {
	if _, ok := account.NormalizeRecoveryCode(code); !ok || !v.account.OTP {
		return ""
	}
	left, err := v.Directory.RecoveryLeft(v.r.Context(), v.actor(), v.account.ID)
	if err != nil { // who has signed in is in
		v.Log.WarnContext(v.r.Context(), "recovery codes not counted", "error", err)
		return ""
	}
	return fmt.Sprintf("recovery-%d", left)
}

// factorPage is what the page of the second factor shows: how it stands, or one of the two
// things that are shown once.
type factorPage struct {
	On       bool
	Left     int  // recovery codes, where it is on
	Scanning bool // a secret was made; a code of it turns the factor on
	Problem  string

	Picture template.HTML // of URI; empty: it was shown before
	URI     template.URL
	Secret  string // of URI, to be typed

	Codes []string     // recovery codes
	File  template.URL // the same as a file
}

func (v *visit) showFactor() error {
	return v.factorPage(http.StatusOK, factorPage{On: v.account.OTP})
}

func (v *visit) factorPage(status int, page factorPage) (err error) {
	if page.On {
		if page.Left, err = v.Directory.RecoveryLeft(v.r.Context(), v.actor(), v.account.ID); err != nil {
			return err
		}
	}
	return v.show(status, "factor.html", "Second factor", page)
}

// code is the code that the form brings, of an app or for recovery. Apps show it in groups.
func (v *visit) code() string { return strings.ReplaceAll(v.r.PostFormValue("code"), " ", "") }

// factorRefused answers a form about the second factor that did not work. Who sends one twice,
// or goes back to one that has done its work, is led to how things stand.
func (v *visit) factorRefused(err error, page factorPage) error {
	switch {
	case errors.Is(err, account.ErrOTPOn):
		return v.to("/account/factor", "factor-on")
	case errors.Is(err, account.ErrOTPOff):
		return v.to("/account/factor", "factor-was-off")
	}
	status, problem := v.refused(err)
	if problem == "" {
		return err
	}
	page.Problem = problem
	return v.factorPage(status, page)
}

// beginFactor makes a secret and shows it, this once: the directory gives it out no more, and
// the next one takes its place.
func (v *visit) beginFactor() error {
	text, err := v.Directory.BeginOTP(v.r.Context(), v.actor(), v.account.ID)
	if err != nil {
		return v.factorRefused(err, factorPage{On: v.account.OTP})
	}
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("read URI of the second factor: %w", errors.Unwrap(err)) // err itself holds the secret
	}
	picture, err := drawing(text)
	if err != nil {
		return err
	}
	return v.factorPage(http.StatusOK, factorPage{
		Scanning: true, Picture: picture, Secret: grouped(u.Query().Get("secret")),
		URI: template.URL(text), //nolint:gosec // made by the directory, escaped there
	})
}

// enableFactor turns the second factor on and shows the recovery codes. It takes the password
// anew: who sits down at an open console must not lock its holder out with a factor of their
// own. Who has the session's id can: Barong's door has no password there.
// After a wrong password or code the picture is not there any more: the app has it, or the holder
// begins again.
func (v *visit) enableFactor() error {
	ctx := v.r.Context()
	err := v.Directory.ConfirmPassword(ctx, v.actor(), v.account.ID, gatehouse.NewSecret(v.r.PostFormValue("password")))
	var recovery []gatehouse.Secret
	if err == nil {
		recovery, err = v.Directory.EnableOTP(ctx, v.actor(), v.account.ID, v.code(), v.id)
	}
	if err != nil {
		return v.factorRefused(err, factorPage{Scanning: true})
	}
	return v.showRecovery(recovery)
}

// renewRecovery replaces the recovery codes and shows the new ones.
func (v *visit) renewRecovery() error {
	recovery, err := v.Directory.RenewRecovery(v.r.Context(), v.actor(), v.account.ID, v.code())
	if err != nil {
		return v.factorRefused(err, factorPage{On: true})
	}
	return v.showRecovery(recovery)
}

// showRecovery shows recovery codes, once. The file is in the page itself: the server, which
// keeps hashes only, is not asked for it, and nothing that a browser sends is sent back.
func (v *visit) showRecovery(recovery []gatehouse.Secret) error {
	page := factorPage{On: true}
	for _, code := range recovery {
		page.Codes = append(page.Codes, code.Reveal())
	}
	file := fmt.Sprintf("Recovery codes of %s at %s.\nEach of them works once, in place of a code of the authenticator app.\n\n%s\n",
		v.account.Email, v.Name, strings.Join(page.Codes, "\n"))
	page.File = template.URL("data:text/plain;charset=utf-8," + url.PathEscape(file)) //nolint:gosec // escaped
	return v.factorPage(http.StatusOK, page)
}

// replaceFactor turns the second factor off and begins the next.
func (v *visit) replaceFactor() error {
	if err := v.Directory.DisableOTP(v.r.Context(), v.actor(), v.account.ID, v.code()); err != nil {
		return v.factorRefused(err, factorPage{On: true})
	}
	v.account.OTP = false
	return v.beginFactor()
}

func (v *visit) disableFactor() error {
	if err := v.Directory.DisableOTP(v.r.Context(), v.actor(), v.account.ID, v.code()); err != nil {
		return v.factorRefused(err, factorPage{On: true})
	}
	return v.to("/account/factor", "factor-off")
}

// grouped is a text in groups of four, which are easier to type.
func grouped(text string) string {
	const group = 4
	var b strings.Builder
	for i, c := range text {
		if i > 0 && i%group == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

const quiet = 4 // modules of white around a QR code (ISO/IEC 18004)

// drawing is the QR code of a text as SVG. It stands in the page itself, so that the secret has
// no address of its own. It is black on white also where the page is dark: not all apps read
// the opposite.
func drawing(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1H%dz", quiet+from, quiet+y, x-from, quiet+from)
			}
		}
	}
	side := code.Size + 2*quiet
	return template.HTML(fmt.Sprintf( //nolint:gosec // numbers only
		`<svg class="qr" role="img" aria-label="QR code of the secret" width="240" height="240" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		side, side, side, side, path.String())), nil
}
