// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// limitLines are limits as people write them, one a line: "calls=100/1m", which may take
// "+20" for a burst, and "plan=1000/day", a quota by the calendar.
func limitLines(limits []api.Limit) string {
	var b strings.Builder
	for _, l := range limits {
		per := l.Refill
		if per == "" {
			per = limitSpan(l.Period)
		}
		fmt.Fprintf(&b, "%s=%d/%s", l.Name, l.Count, per)
		if l.Burst != 0 {
			fmt.Fprintf(&b, "+%d", l.Burst)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// limitSpan is a period of a limit, in milliseconds, as people write it.
func limitSpan(ms int64) string { return shortSpan(time.Duration(ms) * time.Millisecond) }

// shortSpan is a span without the zeros that it ends in: "1m", "24h".
func shortSpan(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// readLimits is the inverse of limitLines; empty lines are none. No limits are an empty list.
// *gatehouse.InvalidError.
func readLimits(text string) (limits []api.Limit, err error) {
	limits = []api.Limit{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		l, ok := readLimit(line)
		if !ok {
			return nil, &gatehouse.InvalidError{Field: "limits", Problem: fmt.Sprintf("line %d is not such as calls=100/1m, calls=100/1m+20 or plan=1000/day", n)}
		}
		limits = append(limits, l)
	}
	return limits, nil
}

func readLimit(text string) (l api.Limit, ok bool) {
	name, rest, named := strings.Cut(text, "=")
	count, per, counted := strings.Cut(rest, "/")
	l.Name = strings.TrimSpace(name)
	var err error
	if l.Count, err = strconv.ParseInt(strings.TrimSpace(count), 10, 64); !named || !counted || err != nil {
		return l, false
	}
	per = strings.TrimSpace(per)
	if refill, known := gatehouse.ParseRefill(per); known && refill != gatehouse.RefillNone {
		l.Refill = per
		return l, true
	}
	period, burst, bursts := strings.Cut(per, "+")
	span, err := time.ParseDuration(strings.TrimSpace(period))
	if err != nil || span%time.Millisecond != 0 {
		return l, false
	}
	if l.Period = span.Milliseconds(); bursts {
		l.Burst, err = strconv.ParseInt(strings.TrimSpace(burst), 10, 64)
	}
	return l, err == nil
}

// limitsPage is where limits are: of tenants, of accounts and of keys. The API cannot be asked for
// what has some: a page looks through so many accounts and keys.
type limitsPage struct {
	Tenants  []api.Tenant
	Refused  string // why the tenants are not told
	Accounts []api.Account
	Keys     []api.Key
	Owners   owners // of the keys
	Looked   int    // at so many accounts, and at so many keys, at most

	OfAccounts, OfKeys otherPages
}

// otherPages is where other pages of a list are; empty: there is no such page.
type otherPages struct{ First, More string }

// Only reports whether this page is all there is.
func (p otherPages) Only() bool { return p.First == "" && p.More == "" }

func (v *visit) limits() error {
	const looked = 1000
	ctx, get := v.r.Context(), v.r.URL.Query().Get
	page := limitsPage{Looked: looked}
	tenants, err := v.api.Tenants(ctx)
	if page.Refused = wrong(err); page.Refused == "" && err != nil {
		return err
	}
	page.Tenants = tenants.Tenants
	accounts, err := v.api.AccountPage(ctx, client.AccountQuery{}, client.Page{Cursor: get("accounts"), Limit: looked})
	if err != nil {
		return err
	}
	page.Accounts = slices.DeleteFunc(accounts.Accounts, func(a api.Account) bool { return len(a.Limits) == 0 })
	page.OfAccounts.First, page.OfAccounts.More = v.pager("/operate/limits", "accounts", accounts.Next)
	keys, err := v.api.KeyPage(ctx, client.KeyQuery{}, client.Page{Cursor: get("keys"), Limit: looked})
	if err != nil {
		return err
	}
	page.Keys = slices.DeleteFunc(keys.Keys, func(k api.Key) bool { return len(k.Limits) == 0 })
	if page.Owners, err = v.namesOf(page.Keys); err != nil {
		return err
	}
	page.OfKeys.First, page.OfKeys.More = v.pager("/operate/limits", "keys", keys.Next)
	return v.show(http.StatusOK, "operate-limits.html", "Limits", page)
}
