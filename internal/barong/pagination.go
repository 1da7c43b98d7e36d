// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/gate"
)

// page is the part of a list that was asked for.
type page struct{ number, limit int }

const (
	pageLimit = 100
	// lastPage bounds what is multiplied; beyond it every list is over.
	lastPage = 1 << 30
)

// readPage reads page and limit and returns the codes of what is wrong with them. What
// is no number gets both codes of its parameter.
func readPage(v values) (page, []string) {
	p := page{number: 1, limit: pageLimit}
	var codes []string
	if v.has("page") {
		n, err := strconv.Atoi(v["page"])
		if err != nil {
			codes = append(codes, "non_integer_page")
		}
		if p.number = n; err != nil || n < 1 {
			codes = append(codes, "non_positive_page")
		}
	}
	if v.has("limit") {
		n, err := strconv.Atoi(v["limit"])
		if err != nil {
			codes = append(codes, "non_integer_limit")
		}
		if p.limit = n; err != nil || n < 1 || n > pageLimit {
			codes = append(codes, "invalid_limit")
		}
	}
	return p, codes
}

func (p page) offset() int { return (min(p.number, lastPage) - 1) * p.limit }

// headers tells where the page lies. Link is left out where there is nothing else.
func (p page) headers(r *http.Request, proxies gate.Proxies, total int) http.Header {
	h := http.Header{
		"Total":    {strconv.Itoa(total)},
		"Per-Page": {strconv.Itoa(p.limit)},
		"Page":     {strconv.Itoa(p.number)},
	}
	pages := (total + p.limit - 1) / p.limit
	var links []string
	link := func(rel string, number int) {
		query := r.URL.Query()
		for name, v := range query {
			query[name] = v[len(v)-1:]
		}
		query.Set("page", strconv.Itoa(number))
		u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		if proxies.Secure(r) {
			u.Scheme = "https"
		}
		links = append(links, "<"+u.String()+`>; rel="`+rel+`"`)
	}
	if p.number > 1 {
		link("first", 1)
		link("prev", p.number-1)
	}
	if p.number < pages {
		link("last", pages)
		link("next", p.number+1)
	}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
	return h
}
