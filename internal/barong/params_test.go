// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	const form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for _, tt := range []struct {
		name, method, target, kind, body string
		path                             map[string]string
		want                             map[string]any
	}{
		{"query", "POST", "/?a=1&b=2&a=3", "", "", nil, map[string]any{"a": "3", "b": "2"}},
		{"JSON over query", "POST", "/?a=1&b=2", "application/json", `{"a":"x"}`, nil, map[string]any{"a": "x", "b": "2"}},
		{"form over query", "PUT", "/?a=1", form, "a=x+y&c=%41", nil, map[string]any{"a": "x y", "c": "A"}},
		{"form with charset", "PUT", "/", form + "; charset=utf-8", "a=x", nil, map[string]any{"a": "x"}},
		{"multipart", "POST", "/", multipart, "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--\r\n", nil, map[string]any{"a": "v"}},
		{"path over all", "PATCH", "/?kid=q", "application/json", `{"kid":"b"}`, map[string]string{"kid": "p"}, map[string]any{"kid": "p"}},
		{"JSON without a name", "POST", "/", "", `{"a":"x"}`, nil, map[string]any{"a": "x"}},
		{"JSON under a wrong name", "POST", "/", "text/plain", `{"a":"x"}`, nil, map[string]any{"a": "x"}},
		{"JSON that is no object", "POST", "/", "application/json", `["a"]`, nil, map[string]any{}},
		{"empty body", "POST", "/", "application/json", "", nil, map[string]any{}},
		{"blank body", "POST", "/", "application/json", " \n", nil, map[string]any{}},
		{"body of GET", "GET", "/?a=1", "application/json", `{"a":"x"}`, nil, map[string]any{"a": "1"}},
		{"body of DELETE", "DELETE", "/?a=1", "application/json", `{"a":"x"}`, nil, map[string]any{"a": "x"}},
	} {
		r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.kind)
		got, err := merge(r, tt.path)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, target, kind, body string }{
		{"JSON cut short", "/", "application/json", `{"a":`},
		{"two JSON texts", "/", "application/json", `{} {}`},
		{"query", "/?a=%zz", "", ""},
		{"form", "/", "application/x-www-form-urlencoded", "a=%zz"},
		{"multipart", "/", "multipart/form-data; boundary=x", "--x\r\nno header\r\n\r\n"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		_, r.URL.RawQuery, _ = strings.Cut(tt.target, "?")
		r.Header.Set("Content-Type", tt.kind)
		if _, err := merge(r, nil); !errors.Is(err, errBody) {
			t.Errorf("%s: %v, want errBody", tt.name, err)
		}
	}
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 65)))
		r.Header.Set("Content-Type", kind)
		r.Body = http.MaxBytesReader(nil, r.Body, 64)
		long := new(http.MaxBytesError)
		if _, err := merge(r, nil); !errors.As(err, &long) {
			t.Errorf("long %s: %v, want MaxBytesError", kind, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	declared := []param{
		need("m.c", "one"),
		{name: "two", required: true, missing: "m.c.missing_two"},
		filled("m.c", "three"),
		may("four"),
		{name: "five", object: true, invalid: "m.c.odd_five"},
	}
	for _, tt := range []struct {
		name, body string
		codes      []string
		want       values
	}{
		{"all missing", `{}`, []string{"m.c.missing_one", "m.c.empty_one", "m.c.missing_two"}, values{}},
		{"blank", `{"one":" ","two":"","three":"\t"}`, []string{"m.c.empty_one", "m.c.empty_three"}, values{"two": ""}},
		{"null is there and blank", `{"one":null,"two":null,"three":null,"four":null}`, []string{"m.c.empty_one", "m.c.empty_three"}, values{}},
		{"coerced", `{"one":12,"two":true,"three":1.5e3}`, nil, values{"one": "12", "two": "true", "three": "1.5e3"}},
		{"not text", `{"one":[],"two":{},"four":[1]}`, []string{"invalid", "invalid", "invalid"}, values{}},
		{"object", `{"one":"a","two":"b","five":{"x":1}}`, nil, values{"one": "a", "two": "b", "five": ""}},
		{"no object", `{"one":"a","two":"b","five":7}`, []string{"m.c.odd_five"}, values{"one": "a", "two": "b"}},
		{"undeclared", `{"one":"a","two":"b","six":[]}`, nil, values{"one": "a", "two": "b"}},
	} {
		said := map[string]any{}
		if err := mergeJSON(said, []byte(tt.body)); err != nil {
			t.Fatal(err)
		}
		got, codes := check(said, declared)
		if diff := cmp.Diff(tt.codes, codes); diff != "" {
			t.Errorf("%s: codes (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: values (-want +got):\n%s", tt.name, diff)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a=1", "application/json", `{"a":{"b":[1]}}`)
	f.Add("a=%zz", "application/x-www-form-urlencoded", "a=b;c")
	f.Add("", "multipart/form-data; boundary=x", "--x\r\n\r\n")
	f.Fuzz(func(t *testing.T, query, kind, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Content-Type"] = []string{kind}
		said, err := merge(r, nil)
		if err != nil {
			return
		}
		for name := range said {
			check(said, []param{need("m.c", name)})
		}
	})
}
