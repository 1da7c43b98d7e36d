// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net/http"
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
	var checked []gatehouse.Limit
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
		refill, _ := gatehouse.ParseRefill(l.Refill) // it has been read
		checked = append(checked, gatehouse.Limit{Name: l.Name, Count: l.Count, Period: time.Duration(l.Period) * time.Millisecond, Burst: l.Burst, Refill: refill})
	}
	if err := gatehouse.CheckLimits(checked); err != nil {
		return nil, err
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

// limitsPage is where limits are: of tenants, of accounts and of keys.
type limitsPage struct {
	Tenants  []api.Tenant
	Refused  string // why the tenants are not told
	Accounts []api.Account
	Keys     []api.Key
	Owners   owners // of the keys

	OfAccounts, OfKeys otherPages
}

// otherPages is where other pages of a list are; empty: there is no such page.
type otherPages struct{ First, More string }

func (v *visit) limits() error {
	ctx, get := v.r.Context(), v.r.URL.Query().Get
	page := limitsPage{}
	tenants, err := v.api.Tenants(ctx)
	if page.Refused = wrong(err); page.Refused == "" && err != nil {
		return err
	}
	page.Tenants = tenants.Tenants
	accounts, err := v.api.AccountPage(ctx, client.AccountQuery{Limited: true}, client.Page{Cursor: get("accounts"), Limit: rows})
	if err != nil {
		return err
	}
	page.Accounts = accounts.Accounts
	page.OfAccounts.First, page.OfAccounts.More = v.pager("/operate/limits", "accounts", accounts.Next)
	keys, err := v.api.KeyPage(ctx, client.KeyQuery{Limited: true}, client.Page{Cursor: get("keys"), Limit: rows})
	if err != nil {
		return err
	}
	page.Keys = keys.Keys
	if page.Owners, err = v.namesOf(page.Keys); err != nil {
		return err
	}
	page.OfKeys.First, page.OfKeys.More = v.pager("/operate/limits", "keys", keys.Next)
	return v.show(http.StatusOK, "operate-limits.html", "Limits", page)
}
