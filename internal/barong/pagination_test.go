// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/gate"
)

func TestReadPage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v     values
		want  page
		codes []string
	}{
		{values{}, page{1, 100}, nil},
		{values{"page": "3", "limit": "1"}, page{3, 1}, nil},
		{values{"limit": "100"}, page{1, 100}, nil},
		{values{"page": "0"}, page{0, 100}, []string{"non_positive_page"}},
		{values{"page": "x"}, page{0, 100}, []string{"non_integer_page", "non_positive_page"}},
		{values{"page": "1.5"}, page{0, 100}, []string{"non_integer_page", "non_positive_page"}},
		{values{"limit": "0"}, page{1, 0}, []string{"invalid_limit"}},
		{values{"limit": "101"}, page{1, 101}, []string{"invalid_limit"}},
		{values{"page": "-1", "limit": ""}, page{-1, 0}, []string{"non_positive_page", "non_integer_limit", "invalid_limit"}},
	} {
		got, codes := readPage(tt.v)
		if diff := cmp.Diff(tt.codes, codes); diff != "" {
			t.Errorf("%v: codes (-want +got):\n%s", tt.v, diff)
		}
		if len(codes) == 0 && got != tt.want {
			t.Errorf("%v: %v, want %v", tt.v, got, tt.want)
		}
	}
	if far := (page{number: 1<<62 + 1, limit: 100}).offset(); far <= 0 {
		t.Errorf("offset of a far page: %d", far)
	}
}

func TestPageHeaders(t *testing.T) {
	t.Parallel()
	const base = "http://keys.example/api/v2/barong/resource/api_keys?"
	for _, tt := range []struct {
		name, query string
		page        page
		total       int
		link        []string
	}{
		{"one page", "", page{1, 4}, 4, nil},
		{"nothing", "", page{1, 4}, 0, nil},
		{"first", "limit=4", page{1, 4}, 9, []string{"<" + base + `limit=4&page=3>; rel="last", <` + base + `limit=4&page=2>; rel="next"`}},
		{"middle", "page=2&limit=4", page{2, 4}, 9, []string{
			"<" + base + `limit=4&page=1>; rel="first", <` + base + `limit=4&page=1>; rel="prev", ` +
				"<" + base + `limit=4&page=3>; rel="last", <` + base + `limit=4&page=3>; rel="next"`}},
		{"beyond", "page=9&x=a+b&x=c", page{9, 4}, 9, []string{"<" + base + `page=1&x=c>; rel="first", <` + base + `page=8&x=c>; rel="prev"`}},
	} {
		r := httptest.NewRequest("GET", "http://keys.example/api/v2/barong/resource/api_keys?"+tt.query, nil)
		h := tt.page.headers(r, gate.Proxies{}, tt.total)
		if diff := cmp.Diff(tt.link, h["Link"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	h := page{2, 4}.headers(httptest.NewRequest("GET", "/", nil), gate.Proxies{}, 9)
	h.Del("Link")
	if diff := cmp.Diff(http.Header{"Total": {"9"}, "Per-Page": {"4"}, "Page": {"2"}}, h); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
