// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func (c *Console) recordRoutes() []route {
	return []route{
		{pattern: "GET /operate/audit", need: operator, serve: (*visit).audit},
		{pattern: "POST /operate/audit/verify", need: operator, serve: (*visit).verifyChain},
	}
}

// auditPage is a page of the audit log.
type auditPage struct {
	Asked   auditFilter
	Verbs   []string // that a filter may name
	Events  []shownEvent
	More    string // where the next page is; empty: this is the last
	First   string // where the first page is; empty: this is it
	Problem string
	Chain   *api.Chain // what a check has found; nil: none was made
}

// auditFilter is what was asked, as it was typed.
type auditFilter struct{ Verb, Subject, Actor, Outcome, Since, Until string }

// query is the filter for the API: days are whole, in UTC. A day that cannot be read is a
// problem.
func (f *auditFilter) query() (q client.EventQuery, problem string) {
	q = client.EventQuery{
		Subject: strings.TrimSpace(f.Subject), Actor: strings.TrimSpace(f.Actor), Outcome: f.Outcome,
		Verbs: verbsOf(f.Verb),
	}
	for _, d := range []struct {
		text string
		at   *time.Time
		more time.Duration
	}{{f.Since, &q.From, 0}, {f.Until, &q.To, day}} {
		if d.text == "" {
			continue
		}
		t, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return q, "A day is written as 2026-01-31."
		}
		*d.at = t.Add(d.more)
	}
	return q, ""
}

func (v *visit) audit() error { return v.auditPage(http.StatusOK, auditPage{}) }

// auditPage completes the page with the events that were asked for.
func (v *visit) auditPage(status int, page auditPage) error {
	get := v.r.URL.Query().Get
	page.Verbs = eventVerbs
	page.Asked = auditFilter{Verb: get("verb"), Subject: get("subject"), Actor: get("actor"), Outcome: get("outcome"), Since: get("since"), Until: get("until")}
	query, problem := page.Asked.query()
	if problem != "" {
		page.Problem = problem
		return v.show(http.StatusUnprocessableEntity, "operate-audit.html", "Audit log", page)
	}
	found, err := v.api.EventPage(v.r.Context(), query, client.Page{Cursor: get("cursor"), Limit: rows})
	if refused, problem := v.refusal(err); problem != "" {
		page.Problem, status = problem, refused
	} else if err != nil {
		return err
	}
	page.Events = shownEvents(found)
	page.First, page.More = v.pager("/operate/audit", "cursor", found.Next)
	return v.show(status, "operate-audit.html", "Audit log", page)
}

// verifyChain checks the whole log. A long one takes longer than a page may.
func (v *visit) verifyChain() error {
	chain, err := v.api.VerifyChain(v.r.Context(), api.VerifyChain{})
	if status, text := v.refusal(err); text != "" {
		return v.auditPage(status, auditPage{Problem: text})
	}
	if err != nil && v.r.Context().Err() != nil {
		return v.show(http.StatusServiceUnavailable, "problem.html", "It takes too long", problem{
			Title: "It takes too long", Text: "The log is too long to be checked while a page waits. Use “gatehouse audit verify” on the server's machine.",
		})
	}
	if err != nil {
		return err
	}
	return v.auditPage(http.StatusOK, auditPage{Chain: &chain})
}
