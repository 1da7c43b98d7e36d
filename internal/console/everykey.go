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

// everyKeyPage is a page of all keys.
type everyKeyPage struct {
	Owners  owners
	Asked   keyFilter
	Schemes []string // that a filter may name
	Keys    []api.Key
	Now     time.Time
	More    string // where the next page is; empty: this is the last
	First   string // where the first page is; empty: this is it
	Problem string
}

// keyFilter is what was asked, as it was typed.
type keyFilter struct {
	Text, Owner, State, Scheme, Scope string
	Expires                           string // days until a key has ended; "0": it has already
	Unused                            string // days
}

// query is the filter for the API. Days that are no number do not select.
func (f *keyFilter) query(now time.Time) client.KeyQuery {
	q := client.KeyQuery{Text: f.Text, Owner: f.Owner, Scheme: f.Scheme, Scope: f.Scope}
	if f.State != "" {
		q.States = []string{f.State}
	}
	if n, err := strconv.ParseUint(f.Expires, 10, 12); err == nil {
		q.ExpiresBefore = now.Add(time.Duration(n) * day)
	}
	if n, err := strconv.ParseUint(f.Unused, 10, 12); err == nil {
		q.UnusedSince = now.Add(-time.Duration(n) * day)
	}
	return q
}

func (v *visit) everyKey() error {
	get, now := v.r.URL.Query().Get, time.Now().UTC()
	page := everyKeyPage{Schemes: v.Schemes, Now: now, Asked: keyFilter{
		Text: get("text"), Owner: get("owner"), State: get("state"), Scheme: get("scheme"), Scope: get("scope"), Expires: get("expires"), Unused: get("unused"),
	}}
	found, err := v.api.KeyPage(v.r.Context(), page.Asked.query(now), client.Page{Cursor: get("cursor"), Limit: rows})
	var status int
	if status, page.Problem, err = v.answered(err); err != nil {
		return err
	}
	if page.Owners, err = v.namesOf(found.Keys); err != nil {
		return err
	}
	page.Keys = found.Keys
	page.First, page.More = v.pager("/operate/keys", "cursor", found.Next)
	return v.show(status, "operate-keys.html", "All keys", page)
}

// answered is the status of a list that was asked for, and what is wrong with the question: an
// owner that does not exist is that, too. An error that is about something else is left.
func (v *visit) answered(err error) (status int, problem string, left error) {
	if isStatus(err, http.StatusNotFound) {
		return http.StatusUnprocessableEntity, "There is no account of this name.", nil
	}
	if status, problem = v.refusal(err); problem != "" {
		return status, problem, nil
	}
	return http.StatusOK, "", err
}

// pager is where the first page of the list at path and the next one are, with what was
// asked. Next is the place of the next page in the parameter name; empty: there is none.
func (v *visit) pager(path, name, next string) (first, more string) {
	q := v.r.URL.Query()
	q.Del("done")
	if q.Has(name) {
		q.Del(name)
		first = path + "?" + q.Encode()
	}
	if next != "" {
		q.Set(name, next)
		more = path + "?" + q.Encode()
	}
	return first, more
}
