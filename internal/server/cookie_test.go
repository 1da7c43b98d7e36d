// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The console believes of the client's connection what trusted_proxies allows, and nobody by default.
func TestConsoleCookie(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]string{
		"":             "gatehouse=",
		"127.0.0.0/8":  "__Host-gatehouse=",
		"192.0.2.0/24": "gatehouse=",
	} {
		greeting, stop := run(t, settings(t, map[string]string{"trusted_proxies": trusted, "admin.email": adminEmail, "admin.password": adminPassword}))
		base := regexp.MustCompile(`listens on (http://\S+)`).FindStringSubmatch(greeting)
		if base == nil {
			t.Fatalf("greeting:\n%s", greeting)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", base[1]+"/sign-in", strings.NewReader(url.Values{"email": {adminEmail}, "password": {adminPassword}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Close = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		got := resp.Header.Get("Set-Cookie")
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got, want) || strings.Contains(got, "; Secure") != strings.HasPrefix(want, "__Host-") {
			t.Errorf("trusted_proxies %q: status %d, %s", trusted, resp.StatusCode, got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}
