// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) usageOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/usage", ID: "getUsage", Tag: "usage", Summary: "Read how often the tenant's keys were verified", Status: http.StatusOK,
			Text:   "Requests that named no key count, too.",
			limits: small, Scope: gatehouse.ScopeUsageRead, Everyone: true,
		}, h.getUsage),
		does(route{
			Method: http.MethodGet, Path: "/v1/keys/{kid}/usage", ID: "getKeyUsage", Tag: "usage", Summary: "Read how often a key was verified", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeUsageRead,
		}, h.getKeyUsage),
		does(route{
			Method: http.MethodGet, Path: "/v1/hygiene", ID: "getHygiene", Tag: "usage", Summary: "Find active keys that want looking after", Status: http.StatusOK,
			Text:   "The oldest first.",
			limits: limits{MaxBody: small.MaxBody, Timeout: time.Minute}, Scope: gatehouse.ScopeUsageRead, Everyone: true,
		}, h.getHygiene),
	}
}

// Series says which part of a series is asked for.
type Series struct {
	Grain string    `query:"grain" enum:"minute,hour,day" default:"hour"`
	From  time.Time `query:"from" doc:"RFC 3339; the span it lies in is the first. Default: a day before the end"`
	To    time.Time `query:"to" doc:"RFC 3339, exclusive. Default: now"`
}

// spansMost is how many spans a series has at most: of minutes a week fits, of hours a year.
const spansMost = 11_000

var grains = map[string]gatehouse.Grain{"minute": gatehouse.GrainMinute, "hour": gatehouse.GrainHour, "day": gatehouse.GrainDay}

// query is the series as the ground takes it. *gatehouse.InvalidError.
func (s *Series) query(tenant, kid string) (gatehouse.UsageQuery, error) {
	q := gatehouse.UsageQuery{Tenant: tenant, KeyID: kid, Grain: grains[s.Grain], From: s.From.UTC(), To: s.To.UTC()}
	if q.To.IsZero() {
		q.To = time.Now().UTC().Truncate(time.Microsecond)
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-24 * time.Hour)
	}
	q.From = q.From.Truncate(q.Grain.Length())
	switch {
	case !q.From.Before(q.To):
		return q, &gatehouse.InvalidError{Field: "to", Problem: "is not after from"}
	case q.To.Sub(q.From)/q.Grain.Length() > spansMost:
		return q, &gatehouse.InvalidError{Field: "from", Problem: "more than 11,000 spans before the end: take a longer grain"}
	}
	return q, nil
}

type usageOut struct{ Body api.Usage }

func (h *Handler) getUsage(ctx context.Context, c *caller, in *Series) (*usageOut, error) {
	return h.series(ctx, c, in, "")
}

func (h *Handler) getKeyUsage(ctx context.Context, c *caller, in *struct {
	KeyPath
	Series
}) (*usageOut, error) {
	if _, _, err := h.reach(ctx, c, in.Kid); err != nil {
		return nil, err
	}
	out, err := h.series(ctx, c, &in.Series, in.Kid)
	if err != nil {
		return nil, err
	}
	sources, err := h.c.Usage.Sources(ctx, c.actor.Tenant, in.Kid)
	if err != nil {
		return nil, err
	}
	out.Body.By = places(sources)
	return out, nil
}

// places are the places that a key is used from, the latest first, whichever of its secrets.
func places(sources []gatehouse.Source) (out []api.UsedBy) {
	for i := range sources {
		if sources[i].Total {
			continue
		}
		by := placeOf(&sources[i])
		at := slices.IndexFunc(out, func(o api.UsedBy) bool { return o.Peer == by.Peer && o.Agent == by.Agent && o.Scheme == by.Scheme })
		if at < 0 {
			out = append(out, by)
			continue
		}
		same := &out[at]
		same.Uses += by.Uses
		if by.First.Before(same.First) {
			same.First = by.First
		}
		if by.Last.After(same.Last) {
			same.Last = by.Last
		}
	}
	slices.SortStableFunc(out, func(a, b api.UsedBy) int { return b.Last.Compare(a.Last) })
	return out[:min(len(out), maxUsedBy)]
}

// series reads a series of a key, or with an empty kid of the caller's tenant.
func (h *Handler) series(ctx context.Context, c *caller, in *Series, kid string) (*usageOut, error) {
	q, err := in.query(c.actor.Tenant, kid)
	if err != nil {
		return nil, err
	}
	points, err := h.c.Usage.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	out := api.Usage{Key: kid, Grain: in.Grain, From: q.From, To: q.To, Points: []api.UsagePoint{}, Totals: map[string]int64{}}
	for _, p := range points {
		if n := len(out.Points); n == 0 || !out.Points[n-1].Start.Equal(p.Start) {
			out.Points = append(out.Points, api.UsagePoint{Start: p.Start, Counts: map[string]int64{}})
		}
		out.Points[len(out.Points)-1].Counts[p.Outcome] += p.Count
		out.Totals[p.Outcome] += p.Count
	}
	return &usageOut{Body: out}, nil
}

// legacySchemes are those of the systems that keys come from.
var legacySchemes = []string{"barong", "shield"}

type hygieneOut struct{ Body api.Hygiene }

func (h *Handler) getHygiene(ctx context.Context, c *caller, in *struct {
	Days  int `query:"days" default:"90" minimum:"1" maximum:"3650" doc:"what counts as unused"`
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"findings at most"`
}) (*hygieneOut, error) {
	found, err := h.c.Usage.Hygiene(ctx, gatehouse.HygieneQuery{
		Tenant: c.actor.Tenant, Now: time.Now().UTC(), Unused: time.Duration(in.Days) * 24 * time.Hour, Legacy: legacySchemes, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := api.Hygiene{Days: in.Days, Findings: []api.HygieneRow{}, More: len(found) > in.Limit}
	seen := map[string]string{}
	for i := range found[:min(len(found), in.Limit)] {
		f := &found[i]
		uid, err := c.uid(ctx, f.Key.Principal, seen)
		if err != nil {
			return nil, err
		}
		row := api.HygieneRow{
			Key: f.Key.ID, Name: f.Key.Name, Owner: uid, Created: f.Key.Created, LastUsed: timeOut(f.Key.LastUsed),
			Unused: f.Unused, Never: f.Never, Endless: f.Endless, Legacy: f.Legacy,
		}
		for _, s := range f.Idle {
			row.Idle = append(row.Idle, string(s))
		}
		out.Findings = append(out.Findings, row)
	}
	return &hygieneOut{Body: out}, nil
}
