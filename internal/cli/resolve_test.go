// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The request goes to the address, and is signed and sent as one for the URL's host.
func TestCurlResolve(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "host", r.Host, r.Header.Get("Signature-Input"))
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args string
		code int
		want string // in the output, or the error output
	}{
		{"--resolve a.example:PORT:127.0.0.1 http://a.example:PORT/x", exitDone, "host a.example:PORT "},
		{"--resolve a.example:PORT:127.0.0.1 http://A.Example:PORT/x", exitDone, "host a.example:PORT "},
		{"--resolve b.example:PORT:127.0.0.2 --resolve a.example:PORT:127.0.0.1 http://a.example:PORT/x", exitDone, "host a.example:PORT "},
		{"--resolve a.example:PORT:[::ffff:127.0.0.1] http://a.example:PORT/x", exitDone, "host a.example:PORT "},
		{"--resolve a.example:PORT:192.0.2.1 http://a.example:PORT/x", exitUsage, "--plain-http allows it"},
		{"--resolve a.example:1:127.0.0.1 http://a.example:PORT/x", exitUsage, "no --resolve is for the host and port of the URL"},
		{"--resolve b.example:PORT:127.0.0.1 http://a.example:PORT/x", exitUsage, "no --resolve is for"},
		{"--resolve a.example:127.0.0.1 http://a.example:PORT/x", exitUsage, "--resolve is not of the form"},
		{"--resolve a.example:PORT:localhost http://a.example:PORT/x", exitUsage, "--resolve is not of the form"},
		{"--resolve :PORT:127.0.0.1 http://a.example:PORT/x", exitUsage, "--resolve is not of the form"},
		{"--resolve a.example:PORT:127.0.0.1 http://a.example:PORT\x7f/", exitUsage, "the URL is not of the form"},
	} {
		text := strings.ReplaceAll(row.args, "PORT", u.Port())
		want := strings.ReplaceAll(row.want, "PORT", u.Port())
		got := command("", nil, append([]string{"curl", "--key", keyFile(t, "httpsig")}, strings.Split(text, " ")...)...)
		if got.code != row.code || !strings.Contains(got.out+got.err, want) {
			t.Errorf("%s: %+v, want %q", text, got, want)
		}
	}
}

// Without a port in the URL it is that of the scheme. A key stays on this machine only where
// nothing takes the request elsewhere.
func TestResolveOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		entry, url   string
		found, plain bool
	}{
		{"a.example:80:127.0.0.1", "http://a.example/x", true, true},
		{"a.example:443:::1", "https://a.example", true, true},
		{"a.example:443:192.0.2.1", "https://a.example", true, false},
		{"a.example:443:127.0.0.1", "http://a.example/x", false, false},
	} {
		c := curlCommand{Resolve: []string{row.entry}, requestFlags: requestFlags{URL: row.url}}
		o, err := c.options()
		if (err == nil) != row.found || o.PlainHTTP != row.plain {
			t.Errorf("%s for %s: %+v, %v", row.entry, row.url, o, err)
		}
		if base, ok := o.Base.(*http.Transport); ok != row.found || ok && base.Proxy != nil {
			t.Errorf("%s for %s is sent by %+v", row.entry, row.url, o.Base)
		}
	}
}
