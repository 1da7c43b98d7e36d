// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"iter"
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
			per = shortSpan(time.Duration(l.Period) * time.Millisecond)
		}
		fmt.Fprintf(&b, "%s=%d/%s", l.Name, l.Count, per)
		if l.Burst != 0 {
			fmt.Fprintf(&b, "+%d", l.Burst)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

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

// readLimits is the inverse of limitLines, and what is wrong with the text; empty lines are
// none. No limits are an empty list.
func readLimits(text string) (limits []api.Limit, problem string) {
	limits = []api.Limit{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		l, ok := readLimit(line)
		if !ok {
			return nil, fmt.Sprintf("Line %d of the limits is not such as calls=100/1m, calls=100/1m+20 or plan=1000/day.", n)
		}
		limits = append(limits, l)
	}
	return limits, ""
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
	Looked   int  // at so many accounts, and at so many keys, at most
	Some     bool // there are more than were looked at
}

func (v *visit) limits() error {
	page, ctx := limitsPage{Looked: 2000}, v.r.Context()
	tenants, err := v.api.Tenants(ctx)
	if page.Refused = wrong(err); page.Refused == "" && err != nil {
		return err
	}
	page.Tenants = tenants.Tenants
	var someAccounts, someKeys bool
	page.Accounts, someAccounts, err = limited(v.api.Accounts(ctx, client.AccountQuery{}), page.Looked, func(a *api.Account) bool { return len(a.Limits) > 0 })
	if err != nil {
		return err
	}
	page.Keys, someKeys, err = limited(v.api.Keys(ctx, client.KeyQuery{}), page.Looked, func(k *api.Key) bool { return len(k.Limits) > 0 })
	if err != nil {
		return err
	}
	page.Some = someAccounts || someKeys
	return v.show(http.StatusOK, "operate-limits.html", "Limits", page)
}

// limited are those of the first records that have limits, and whether there are further
// records.
func limited[T any](all iter.Seq2[T, error], most int, has func(*T) bool) (out []T, more bool, err error) {
	seen := 0
	for one, err := range all {
		if err != nil {
			return nil, false, err
		}
		if seen++; seen > most {
			return out, true, nil
		}
		if has(&one) {
			out = append(out, one)
		}
	}
	return out, false, nil
}
