// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Upstream is a service, and which requests are for it. One with a host comes before one
// without, and a longer path before a shorter one.
type Upstream struct {
	Host string   // that the client names, in lower case and without a port; empty: any
	Path string   // at or below which its targets lie, by whole segments; empty: all
	URL  *url.URL // http or https, with a host and nothing behind it
}

// ParseUpstreams reads upstreams of the form URL or HOST/PATH=URL, where HOST, PATH or
// both may be missing: "http://127.0.0.1:3000", "api.example.com/v1=http://127.0.0.1:3001",
// "/static=https://files.example.com". Errors name the upstream by its number, from 1, and
// hold nothing of a URL that cannot be read.
func ParseUpstreams(texts []string) ([]Upstream, error) {
	out := make([]Upstream, 0, len(texts))
	for i, text := range texts {
		var u Upstream
		where, address, routed := strings.Cut(text, "=")
		if !routed || strings.Contains(where, "://") {
			where, address = "", text
		}
		u.Host = where
		if at := strings.IndexByte(where, '/'); at >= 0 {
			u.Host, u.Path = where[:at], where[at:]
		}
		var err error
		if u.URL, err = url.Parse(address); err != nil {
			u.URL = nil // its error repeats the text, which may hold a password
		}
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("upstream %d: %w", i+1, err)
		}
		out = append(out, u)
	}
	return out, nil
}

func (u *Upstream) check() error {
	to := u.URL
	if to == nil || to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "" || to.User != nil || to.Opaque != "" ||
		to.Path != "" && to.Path != "/" || to.RawQuery != "" || to.ForceQuery || to.Fragment != "" {
		return errors.New("is no URL of the form http://HOST:PORT or https://HOST:PORT, without user, path and query")
	}
	if host, ok := gate.CanonicalHost(u.Host); !ok || host != u.Host {
		return errors.New("the host before = is none in lower case, without a port")
	}
	if u.Path == "" {
		return nil
	}
	if path, ok := gatehouse.CanonicalPath(u.Path); !ok || strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(path, "/") || strings.Contains(u.Path, "?") {
		return errors.New("the path before = is none that can be read in one way, without escapes and query")
	}
	return nil
}

func (u *Upstream) matches(host, path string) bool {
	return (u.Host == "" || u.Host == host) && gatehouse.UnderPrefix(path, u.Path)
}

// String is what requests it is for, for errors.
func (u *Upstream) String() string { return cmp.Or(u.Host+u.Path, "all requests") }

// routes are upstreams, the more specific first.
type routes struct {
	upstreams []Upstream
	byPath    bool // the path decides
}

func newRoutes(upstreams []Upstream) (routes, error) {
	if len(upstreams) == 0 {
		return routes{}, errors.New("there is no upstream")
	}
	rs := routes{upstreams: slices.Clone(upstreams)}
	for i := range rs.upstreams {
		u := &rs.upstreams[i]
		if err := u.check(); err != nil {
			return routes{}, fmt.Errorf("upstream %d: %w", i+1, err)
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		rs.byPath = rs.byPath || u.Path != ""
	}
	for i, a := range rs.upstreams {
		for _, b := range rs.upstreams[i+1:] {
			if err := rs.distinct(a, b); err != nil {
				return routes{}, err
			}
		}
	}
	slices.SortStableFunc(rs.upstreams, func(a, b Upstream) int {
		return cmp.Or(cmp.Compare(min(len(b.Host), 1), min(len(a.Host), 1)), cmp.Compare(len(b.Path), len(a.Path)))
	})
	return rs, nil
}

// distinct refuses two upstreams for the same requests, and two of which one is more
// specific by its host and the other by its path, unless a third says which it is.
func (rs *routes) distinct(a, b Upstream) error {
	if a.Host == b.Host && a.Path == b.Path {
		return fmt.Errorf("two upstreams are for %s", &a)
	}
	if a.Host == "" {
		a, b = b, a
	}
	if a.Host == "" || b.Host != "" || a.Path == b.Path || !gatehouse.UnderPrefix(b.Path, a.Path) {
		return nil
	}
	if slices.ContainsFunc(rs.upstreams, func(c Upstream) bool { return c.Host == a.Host && c.Path == b.Path }) {
		return nil
	}
	return fmt.Errorf("the upstreams for %s and for %s overlap, and neither is more specific: say what %s%s is", &a, &b, a.Host, b.Path)
}

var badHost = &gate.Denial{Status: http.StatusBadRequest, Code: "bad_target", Title: "The host can be read in two ways"}

// find returns the service for a host and a raw path.
func (rs *routes) find(authority, raw string) (*url.URL, *gate.Denial) {
	path := raw
	if rs.byPath {
		var ok bool
		if path, ok = gatehouse.CanonicalPath(raw); !ok {
			reason := gatehouse.ReasonAmbiguousPath
			return nil, &gate.Denial{Status: reason.Status(), Code: reason.Code(), Title: "The path can be read in two ways"}
		}
	}
	host, ok := gate.CanonicalHost(authority)
	if !ok {
		return nil, badHost
	}
	for i := range rs.upstreams {
		if rs.upstreams[i].matches(host, path) {
			return rs.upstreams[i].URL, nil
		}
	}
	return nil, &gate.Denial{Status: http.StatusNotFound, Code: "no_upstream", Title: "No service is for this host and path"}
}
