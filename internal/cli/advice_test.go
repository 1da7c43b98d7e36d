// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
)

// What is in the way to a server elsewhere is told with what to do about it; the token never.
func TestAdvice(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	answering := func(status int, kind, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	expired := answering(401, api.ProblemType, `{"code":"key_expired","title":"key expired"}`)
	noRoute := answering(404, api.ProblemType, `{"code":"no_route","title":"There is no such route"}`)
	page, missing := answering(200, "text/html", "<h1>"), answering(404, "text/html", "<h1>")
	list, empty := answering(200, "application/json", "[]"), answering(200, "application/json", "")
	tls := strings.Replace(noRoute, "http:", "https:", 1)
	for name, server := range map[string]string{"late": expired, "gone": "http://127.0.0.1:1", "tls": tls} {
		if got := command("gh_hunter2\n", nil, "profile", "set", name, "--server", server, "--token-stdin"); got.code != exitDone {
			t.Fatalf("%+v", got)
		}
	}
	for _, row := range []struct {
		environ    []string
		args, want string
		code       int
	}{
		{nil, "--profile late self", "The token is that of profile late. Another key's is kept by: gatehouse profile set late --server " + expired + " --token-stdin\n", exitDenied},
		{withToken, "--server " + expired + " self", "The token is that of GATEHOUSE_TOKEN. Another key's is kept by: gatehouse profile set NAME ", exitDenied},
		{nil, "--profile gone self", "Does the server run, and is its address right? It is that of profile gone: http://127.0.0.1:1\n", exitFailed},
		{nil, "--profile tls self", "Does the server run, and is its address right? It is that of profile tls: " + tls + "\n", exitFailed},
		{append([]string{"GATEHOUSE_SERVER=" + page}, withToken...), "self", "That is no Gatehouse API: another server answers, or something stands before it. The address is that of GATEHOUSE_SERVER: " + page + "\n", exitFailed},
		{withToken, "--server " + missing + " self", "The address is that of --server: " + missing + "\n", exitFailed},
		{withToken, "--server " + list + " self", "no Gatehouse API", exitFailed},
		{withToken, "--server " + empty + " self", "no Gatehouse API", exitFailed},
		{withToken, "--server " + noRoute + " keyring rewrap", "run the command on the server's machine, with --data", exitFailed},
		{withToken, "--server http://keys.example.com self", "Use https://, or lead a port of this machine there", exitUsage},
		{append([]string{"GATEHOUSE_SERVER=keys.example.com"}, withToken...), "self", "GATEHOUSE_SERVER: server: is not of the form https://host or https://host:port\n", exitUsage},
		{nil, "--profile none self", "profiles.toml: profile list says which there are, profile set makes one\n", exitUsage},
		{nil, "--data " + home + "/none self", "is gatehouse serve running with this --data?\n", exitFailed},
	} {
		got := command("", row.environ, strings.Fields(row.args)...)
		if got.code != row.code || !strings.Contains(got.err, row.want) || strings.Contains(got.err, "hunter2") || strings.Count(got.err, "\n") > 2 {
			t.Errorf("%s: %+v, want %d and %q", row.args, got, row.code, row.want)
		}
	}
}
