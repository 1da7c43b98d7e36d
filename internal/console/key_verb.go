// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// verb is a change of a key that needs no more than to be confirmed.
type verb struct {
	title, button, text string
	danger, typed       bool // typed: the end of the key id has to be typed
	done                string
	do                  func(*visit, context.Context, string) error
}

// verbs by the last part of their path.
var verbs = map[string]*verb{
	"disable": {
		title: "Disable", button: "Disable the key", done: "key-disabled", danger: true,
		text: "Requests with this key are refused from then on, everywhere. You can enable it again.",
		do: func(v *visit, ctx context.Context, kid string) error {
			_, err := v.api.DisableKey(ctx, kid)
			return err
		},
	},
	"enable": {
		title: "Enable", button: "Enable the key", done: "key-enabled",
		text: "Requests with this key pass again.",
		do:   func(v *visit, ctx context.Context, kid string) error { _, err := v.api.EnableKey(ctx, kid); return err },
	},
	"revoke": {
		title: "Revoke", button: "Revoke the key for good", done: "key-revoked", danger: true, typed: true,
		text: "Requests with this key are refused from then on, everywhere and for good. Nobody can bring it back. To take it out of use for a while, disable it.",
		do: func(v *visit, ctx context.Context, kid string) error {
			_, err := v.api.RevokeKey(ctx, kid, strings.TrimSpace(v.r.PostFormValue("reason")))
			return err
		},
	},
}

// confirms reports whether one of the words was typed to confirm the form. Capitals do not matter, as
// it shows that somebody looked, and nothing more.
func (v *visit) confirms(words ...string) bool {
	typed := strings.TrimSpace(v.r.PostFormValue("confirm"))
	return slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(word, typed) })
}

// verbPage asks to confirm a verb.
type verbPage struct {
	Key                 *shownKey
	Title, Button, Text string
	Danger              bool
	Word                string // that has to be typed; empty: none
	Typed               string // in its place
	Reason              string
	Once                string // of the form as it was sent first; empty: a new one
	Problem             string
	Unconfirmed         bool // Problem is about the word
}

// verb finds what the path names, and the page that asks to confirm it.
func (v *visit) verb() (*verb, *verbPage, error) {
	what := verbs[v.r.PathValue("verb")]
	if what == nil {
		return nil, nil, gatehouse.ErrNotFound
	}
	k, err := v.key()
	if err != nil {
		return nil, nil, err
	}
	page := &verbPage{Key: k, Title: what.title, Button: what.button, Text: what.text, Danger: what.danger}
	if what.typed {
		page.Word = k.ID[max(0, len(k.ID)-4):]
	}
	return what, page, nil
}

func (v *visit) showVerb() error {
	_, page, err := v.verb()
	if err != nil {
		return err
	}
	return v.verbForm(page)(http.StatusOK)
}

// verbForm shows the page with a status.
func (v *visit) verbForm(page *verbPage) func(int) error {
	return func(status int) error {
		return v.show(status, "key-verb.html", page.Title+" "+page.Key.Label(), page)
	}
}

func (v *visit) doVerb() error {
	what, page, err := v.verb()
	if err != nil {
		return err
	}
	page.Once, page.Reason, page.Typed = v.r.PostFormValue("once"), v.r.PostFormValue("reason"), v.r.PostFormValue("confirm")
	if page.Word != "" && !v.confirms(page.Word, page.Key.ID) {
		page.Problem = "Type the last characters of the key id, as they are shown, or all of it, to confirm."
		page.Unconfirmed = true
		return v.verbForm(page)(http.StatusUnprocessableEntity)
	}
	began := time.Now()
	if err := what.do(v, v.r.Context(), page.Key.ID); err != nil {
		return v.refusedOr(err, &page.Problem, v.verbForm(page))
	}
	to := page.Key.Path()
	if what.typed { // the API answers when the end is in force everywhere
		to += fmt.Sprintf("?took=%d", max(1, time.Since(began).Milliseconds()))
	}
	return v.to(to, what.done)
}
