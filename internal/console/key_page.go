// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// keyPage is all about a key.
type keyPage struct {
	Key      *shownKey
	Owner    string // e-mail address or name of whom it belongs to; empty: the reader
	OwnerAt  string // where the page of that is
	Ends     string // milliseconds that its end took to be in force everywhere; empty: not told
	Rotation *api.Rotation
	Attempts []api.Attempt // for operators: from where it was tried last
	Usage    *usageView
}

func (v *visit) showKey() error {
	ctx := v.r.Context()
	k, err := v.key()
	if err != nil {
		return err
	}
	page := keyPage{Key: k}
	if page.Owner, page.OwnerAt, err = v.ownerOf(k.Owner); err != nil {
		return err
	}
	if took, err := strconv.ParseUint(v.r.URL.Query().Get("took"), 10, 16); err == nil && k.Revoked() {
		page.Ends = strconv.FormatUint(took, 10)
	}
	if k.Rotating != nil {
		if page.Rotation, err = v.standing(k); err != nil {
			return err
		}
	}
	if v.operates() { // the API tells nobody else
		tried, err := v.api.Attempts(ctx, k.ID, attemptsShown)
		if err != nil {
			return err
		}
		page.Attempts = tried.Attempts
	}
	if page.Usage, err = v.usage(k); err != nil {
		return err
	}
	return v.show(http.StatusOK, "key.html", k.Label(), &page)
}

const attemptsShown = 20

// UnusedFor is how long the key may lie unused.
func (p *keyPage) UnusedFor() string {
	if hours := p.Key.Unused / 3600; hours < 48 {
		return plural(hours, "hour")
	}
	return plural(p.Key.Unused/86400, "day")
}

// key is the key that the path names.
func (v *visit) key() (*shownKey, error) {
	k, err := v.api.Key(v.r.Context(), v.r.PathValue("kid"))
	v.standBy(k.Owner)
	return &shownKey{k}, err
}

// standBy places the page in the navigation: an operator is with the keys of all where the key is
// not the operator's own.
func (v *visit) standBy(owner string) {
	if owner != "" && owner != v.account.UID && v.operates() {
		v.place = "/operate/keys/" + owner
	}
}

// ownerOf is the name of an account other than the reader's own, and where its page is; empty:
// it is that.
func (v *visit) ownerOf(uid string) (name, at string, err error) {
	if uid == v.account.UID {
		return "", "", nil
	}
	a, err := v.api.Account(v.r.Context(), uid)
	if a.Kind == kindService {
		return a.Username, (&shownService{a}).Path(), err // its address is made up
	}
	return a.Email, accountAt(uid), err
}

// keySpans are the times that the usage of a key looks back on, the first by default.
var keySpans = []usageSpan{
	{"24h", "24 hours", "hour", day, time.Hour},
	{"7d", "7 days", "hour", 7 * day, time.Hour},
	{"30d", "30 days", "day", 30 * day, day},
}

// usageView is how often a key was verified.
type usageView struct {
	Span    usageSpan
	Spans   []usageSpan
	Granted int64
	Reasons []tally // of denials
	Chart   chart
	By      []api.UsedBy // where it was used from of late
}

// Any reports whether there is anything to draw.
func (u *usageView) Any() bool { return u.Granted > 0 || len(u.Reasons) > 0 }

func (v *visit) usage(k *shownKey) (*usageView, error) {
	out, now := &usageView{Span: keySpans[0], Spans: keySpans}, time.Now().UTC()
	for _, s := range keySpans {
		if s.Name == v.r.URL.Query().Get("span") {
			out.Span = s
		}
	}
	used, err := v.api.Usage(v.r.Context(), k.ID, client.UsageQuery{Grain: out.Span.Grain, From: now.Add(-out.Span.Length), To: now})
	if err != nil {
		return nil, err
	}
	out.Granted, out.Reasons, out.Chart = used.Totals[granted], denials(used.Totals), chartOf(&used, out.Span.Step)
	out.By = used.By
	nameAgents(out.By)
	return out, nil
}
