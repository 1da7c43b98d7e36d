// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is read as client credentials is a pair that is written so again; all else is a
// failure that says nothing of it.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"Basic eDp5", "basic " + base64.StdEncoding.EncodeToString([]byte("a%3Ab:c+d%25")), "Bearer x", "Basic", "Basic ==", "Basic Og==", "Basic eDp5\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		p, err := parseBasic(field)
		if err != nil {
			if !errors.Is(err, errClient) || p != nil {
				t.Fatalf("%q: %v, %v", field, p, err)
			}
			return
		}
		if p == nil {
			if name, _, _ := strings.Cut(field, " "); strings.EqualFold(name, "Basic") {
				t.Fatalf("%q is passed over", field)
			}
			return
		}
		if p.id == "" || p.secret.Empty() || !utf8.ValidString(p.id+p.secret.Reveal()) {
			t.Fatalf("%q: %q %q", field, p.id, p.secret.Reveal())
		}
		written := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(p.id) + ":" + url.QueryEscape(p.secret.Reveal())))
		again, err := parseBasic("Basic " + written)
		if err != nil || again.id != p.id || again.secret.Reveal() != p.secret.Reveal() {
			t.Fatalf("%q reads as %v, %v", written, again, err)
		}
	})
}

// A form that is read has each parameter once, and is written so again.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"a=b&c=d", "a=b&a=c", "a=&b", "a=%ff", "a;b", "a=%2", "=x", "scope=a+b%20c", "a&%61=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		read, err := parseForm(body)
		if err != nil {
			if _, ok := errors.AsType[*failure](err); !ok || read != nil {
				t.Fatalf("%q: %v, %v", body, read, err)
			}
			return
		}
		values := url.Values{}
		for name, v := range read {
			if v == "" || !utf8.ValidString(name+v) {
				t.Fatalf("%q: %q is %q", body, name, v)
			}
			values.Set(name, v)
		}
		again, err := parseForm(values.Encode())
		if err != nil || len(again) != len(read) {
			t.Fatalf("%q reads as %v, %v", values.Encode(), again, err)
		}
		for name, v := range read {
			if again[name] != v {
				t.Fatalf("%q becomes %q", v, again[name])
			}
		}
	})
}
