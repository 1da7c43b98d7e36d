// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func (c *Console) operateRoutes() []route {
	return []route{
		{pattern: "GET /operate", need: operator, serve: (*visit).overview},
		{pattern: "GET /operate/hygiene", need: operator, serve: (*visit).hygieneReport},
		{pattern: "GET /operate/keys", need: operator, serve: (*visit).everyKey},
		{pattern: "GET /operate/accounts", need: operator, serve: (*visit).accounts},
		{pattern: "GET /operate/accounts/new", need: operator, serve: (*visit).showNewAccount},
		{pattern: "POST /operate/accounts", need: operator, serve: (*visit).createAccount},
		{pattern: "GET /operate/accounts/{uid}", need: operator, serve: (*visit).showAccount},
		{pattern: "GET /operate/accounts/{uid}/state", need: operator, serve: (*visit).showAccountState},
		{pattern: "POST /operate/accounts/{uid}/state", need: operator, serve: (*visit).setAccountState},
		{pattern: "POST /operate/accounts/{uid}/{what}", need: operator, serve: (*visit).changeAccount},
		{pattern: "GET /operate/limits", need: operator, serve: (*visit).limits},
		{pattern: "GET /operate/tenants", need: operator, serve: (*visit).showTenants},
		{pattern: "POST /operate/tenants", need: operator, serve: (*visit).createTenant},
		{pattern: "GET /operate/tenants/{name}", need: operator, serve: (*visit).showTenant},
		{pattern: "POST /operate/tenants/{name}/{what}", need: operator, serve: (*visit).changeTenant},
	}
}

// operateNotices are what operators' pages say after something was done.
var operateNotices = map[string]string{
	"account-created":    "The account is made.",
	"account-state":      "The state is changed.",
	"account-state-left": "The account is active again. Some of its service accounts are not, nor are its keys: see below.",
	"account-role":       "Role and level are changed.",
	"account-limits":     "The limits are changed.",
	"account-reset-otp":  "The second factor is off, and the keys of the account are disabled.",
	"account-sign-out":   "The account is signed out everywhere else.",
	"tenant-created":     "The tenant is made.",
	"tenant-text":        "The tenant is changed.",
	"tenant-disable":     "The tenant is disabled: none of its keys works.",
	"tenant-enable":      "The tenant is active again.",
	"tenant-remove":      "The tenant is removed.",
	"rules-saved":        "The rules are in force.",
	"rules-removed":      "There are no rules any more: gates let any valid key pass.",
	"signing-rotated":    "The next signing keys are published. They sign as soon as everybody knows them.",
}

const (
	rows       = 50 // of a page of a list
	fewRows    = 10 // of a list on the overview
	soonDays   = 30 // in which a key that expires wants attention
	unusedDays = 90 // after which a key counts as unused
	day        = 24 * time.Hour
)

// overviewPage is what wants an operator's attention.
type overviewPage struct {
	Span      string // name of the one that is shown
	Spans     []usageSpan
	PerSecond string // verifications, over the last whole minutes
	Granted   int64  // in the span
	Denied    int64
	Chart     chart
	Reasons   []tally // of denials, the most frequent first
	Expiring  []api.Key
	Hygiene   findings
	Refusals  []api.Attempt
	SoonDays  int
}

// tally is how often something was.
type tally struct {
	Name    string
	Count   int64
	Percent string
}

// usageSpan is a time that an overview looks back on.
type usageSpan struct {
	Name, Text, Grain string
	Length, Step      time.Duration
}

var usageSpans = []usageSpan{
	{"hour", "Last hour", "minute", time.Hour, time.Minute},
	{"day", "24 hours", "hour", day, time.Hour},
	{"month", "30 days", "day", 30 * day, day},
}

func (v *visit) overview() error {
	ctx, now, span := v.r.Context(), time.Now().UTC(), usageSpans[1]
	if i := slices.IndexFunc(usageSpans, func(s usageSpan) bool { return s.Name == v.r.URL.Query().Get("span") }); i >= 0 {
		span = usageSpans[i]
	}
	used, err := v.api.Usage(ctx, "", client.UsageQuery{Grain: span.Grain, From: now.Add(-span.Length), To: now})
	if err != nil {
		return err
	}
	page := overviewPage{Span: span.Name, Spans: usageSpans, SoonDays: soonDays, Chart: chartOf(&used, span.Step), Reasons: denials(used.Totals)}
	page.Granted = used.Totals[granted]
	for _, r := range page.Reasons {
		page.Denied += r.Count
	}
	if page.PerSecond, err = v.perSecond(now); err != nil {
		return err
	}
	if page.Expiring, err = v.expiring(now); err != nil {
		return err
	}
	report, err := v.api.Hygiene(ctx, unusedDays, fewRows)
	if err != nil {
		return err
	}
	if page.Hygiene, err = v.named(report); err != nil {
		return err
	}
	if page.Refusals, err = v.refusals(); err != nil {
		return err
	}
	return v.show(http.StatusOK, "operate.html", "Operate", page)
}

// denials are the reasons among totals by outcome.
func denials(totals map[string]int64) (out []tally) {
	var sum int64
	for name, n := range totals {
		if name != granted {
			out, sum = append(out, tally{Name: name, Count: n}), sum+n
		}
	}
	slices.SortFunc(out, func(a, b tally) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	for i := range out {
		out[i].Percent = fmt.Sprintf("%.1f %%", 100*float64(out[i].Count)/float64(sum))
	}
	return out
}

// perSecond is how many verifications there were in a second of the last five whole minutes.
func (v *visit) perSecond(now time.Time) (string, error) {
	const minutes = 5
	to := now.Truncate(time.Minute)
	used, err := v.api.Usage(v.r.Context(), "", client.UsageQuery{Grain: "minute", From: to.Add(-minutes * time.Minute), To: to})
	var sum int64
	for _, n := range used.Totals {
		sum += n
	}
	rate, digits := float64(sum)/(minutes*60), 2
	if rate >= 10 {
		digits = 0
	}
	return strconv.FormatFloat(rate, 'f', digits, 64), err
}

// expiring are the active keys that end soon. Those that have ended come first in the list
// of the API, and are passed over.
func (v *visit) expiring(now time.Time) (out []api.Key, err error) {
	const most = 1000
	seen, query := 0, client.KeyQuery{States: []string{gatehouse.StateActive.String()}, ExpiresBefore: now.Add(soonDays * day)}
	for k, err := range v.api.Keys(v.r.Context(), query) {
		if err != nil {
			return nil, err
		}
		if k.Expires.After(now) {
			out = append(out, k)
		}
		if seen++; len(out) == fewRows || seen == most {
			break
		}
	}
	return out, nil
}

// refusals are the newest attempts that were not granted.
func (v *visit) refusals() ([]api.Attempt, error) {
	const looked = 1000
	all, err := v.api.Attempts(v.r.Context(), "", looked)
	out := slices.DeleteFunc(all.Attempts, func(a api.Attempt) bool { return a.Outcome == granted })
	return out[:min(len(out), 2*fewRows)], err
}

// hygienePage is a page of the whole report.
type hygienePage struct {
	findings
	DenyAll bool // rules are stored, and they are none
	Other   otherPages
	Cut     int // the report ends here, at so many findings, and there are more; zero: it does not
}

// hygieneReport shows a page of the findings. The API has no cursor for them: it tells the first
// so many.
func (v *visit) hygieneReport() error {
	const most = 1000
	from := 0
	if n, err := strconv.ParseUint(v.r.URL.Query().Get("from"), 10, 31); err == nil {
		from = min(int(n), most-rows)
	}
	report, err := v.api.Hygiene(v.r.Context(), unusedDays, from+rows)
	if err != nil {
		return err
	}
	report.Findings = report.Findings[min(from, len(report.Findings)):]
	page, next := hygienePage{}, ""
	if page.findings, err = v.named(report); err != nil {
		return err
	}
	switch to := from + rows; {
	case report.More && to < most:
		next = strconv.Itoa(to)
	case report.More:
		page.Cut = to
	}
	page.Other.First, page.Other.More = v.pager("/operate/hygiene", "from", next)
	now, err := v.api.Rules(v.r.Context())
	if err != nil {
		return err
	}
	page.DenyAll = now.Version > 0 && len(now.Rules) == 0
	return v.show(http.StatusOK, "operate-hygiene.html", "Hygiene", page)
}
