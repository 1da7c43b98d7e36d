// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

// asked is what a server was asked, one request a line.
type asked struct {
	*httptest.Server
	lines []string
}

// stub answers every request alike, and tells what it was asked.
func stub(t *testing.T, status int, answer string) *asked {
	t.Helper()
	a := &asked{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		line := r.Method + " " + r.URL.RequestURI()
		for _, name := range []string{"If-Match", "Gatehouse-Tenant"} {
			if v := r.Header.Get(name); v != "" {
				line += " " + name + ":" + v
			}
		}
		if a.lines = append(a.lines, strings.TrimSpace(line+" "+string(body))); r.Header.Get("Authorization") != "Bearer gh_hunter2" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		if w.Header().Set("Content-Type", "application/json"); status >= 400 {
			w.Header().Set("Content-Type", api.ProblemType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(a.Close)
	return a
}

var withToken = []string{"GATEHOUSE_TOKEN=gh_hunter2"}

// What cannot be taken back is not done unasked.
func TestSure(t *testing.T) {
	t.Parallel()
	s := stub(t, http.StatusOK, `{"keys":[{"kid":"k","state":"active"}]}`)
	for _, args := range []string{
		"key revoke k", "key revoke --all --owner a", "key revoke --all --text t", "key delete k", "key rotation finish k", "key rotation cancel k", "tenant remove t", "rules clear", "self revoke",
	} {
		got := command("yes\n", withToken, append([]string{"--server", s.URL}, strings.Fields(args)...)...)
		if got.code != exitUsage || !strings.Contains(got.err, "--yes is needed") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if diff := cmp.Diff([]string{"GET /v1/keys?limit=500&text=t"}, s.lines); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	for text, want := range map[string]bool{"yes\n": true, "YES\r\n": true, " yes ": true, "": false, "y\n": false, "no\n": false, "\nyes\n": false, "yesterday\n": false} {
		r := strings.NewReader(text + "more")
		if text == " yes " || text == "" {
			r = strings.NewReader(text)
		}
		if isYes(r) != want {
			t.Errorf("%q: want %v", text, want)
		}
		if rest, _ := io.ReadAll(r); text == "yes\n" && string(rest) != "more" {
			t.Errorf("%q is left of what follows", rest)
		}
	}
}

// Keys that filters select are ended one by one; revoked ones are let be.
func TestRevokeByFilter(t *testing.T) {
	t.Parallel()
	s := stub(t, http.StatusOK, `{"keys":[{"kid":"k1","state":"active"},{"kid":"k2","state":"revoked"},{"kid":"k3","state":"disabled"}]}`)
	got := command("", withToken, "--server", s.URL, "key", "revoke", "--all", "--unused-since", "2026-01-31T00:00:00Z", "--reason", "idle", "--yes", "--format", "json")
	want := []string{"GET /v1/keys?limit=500&unused_since=2026-01-31T00%3A00%3A00Z", `POST /v1/keys/k1/revoke {"reason":"idle"}`, `POST /v1/keys/k3/revoke {"reason":"idle"}`}
	if diff := cmp.Diff(want, s.lines); diff != "" || got.out != `{"revoked":2}`+"\n" {
		t.Errorf("%+v, asked (-want +got):\n%s", got, diff)
	}
}

// 401 and 403 are denials, and so is one denied request among several.
func TestDeniedCodes(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{401: exitDenied, 403: exitDenied, 404: exitFailed, 409: exitFailed, 422: exitFailed, 429: exitFailed, 500: exitFailed} {
		s := stub(t, status, `{"code":"the_code","title":"T"}`)
		if got := command("", withToken, "--server", s.URL, "key", "show", "k"); got.code != want || !strings.Contains(got.err, "the_code") || strings.Contains(got.err, "hunter2") {
			t.Errorf("%d: %+v, want %d", status, got, want)
		}
	}
	s := stub(t, 200, `{"decisions":[{"granted":true},{"granted":false,"reason":"key_revoked"}]}`)
	if got := command("{}\n{}\n", withToken, "--server", s.URL, "key", "verify-batch"); got.code != exitDenied || !strings.Contains(got.out, "key_revoked") {
		t.Errorf("batch: %+v", got)
	}
	for _, text := range []string{"", "hunter2", `{"headers":{},"hunter2":1}`} {
		if got := command(text, withToken, "--server", s.URL, "key", "verify-batch"); got.code != exitUsage || strings.Contains(got.err, "hunter2") {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// Where a command goes, and what it shows there. No other server sees a profile's token.
func TestWhereCommandsGo(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	s := stub(t, http.StatusOK, `{}`)
	must := func(want int, in string, environ []string, args ...string) result {
		t.Helper()
		got := command(in, environ, args...)
		if got.code != want || strings.Contains(got.err+got.out, "hunter2") {
			t.Fatalf("%v: %+v, want %d", args, got, want)
		}
		return got
	}
	must(exitDone, "", nil, "profile", "list")
	must(exitDone, "gh_hunter2\n", nil, "profile", "set", "prod", "--server", s.URL, "--token-stdin")
	must(exitDone, "", nil, "profile", "set", "bare", "--server", s.URL)
	path := filepath.Join(home, "gatehouse", "profiles.toml")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("profiles: %v, %v", info, err)
	}
	other := []string{"GATEHOUSE_TOKEN=other"}
	nowhere := filepath.Join(home, "none")
	for _, row := range []struct {
		environ []string
		args    string
		code    int
	}{
		{nil, "--profile prod", exitDone},
		{other, "--profile prod", exitDone},
		{withToken, "--profile bare", exitDone},
		{[]string{"GATEHOUSE_PROFILE=prod"}, "", exitDone},
		{append([]string{"GATEHOUSE_SERVER=" + s.URL}, withToken...), "", exitDone},
		{append([]string{"GATEHOUSE_SERVER=http://127.0.0.1:1"}, withToken...), "--server " + s.URL, exitDone},
		{[]string{"GATEHOUSE_PROFILE=none"}, "--profile prod", exitDone},
		{nil, "--profile bare", exitUsage},
		{nil, "--profile none", exitUsage},
		{nil, "--server " + s.URL, exitUsage},
		{withToken, "--server " + s.URL + " --tenant acme", exitUsage},
		{withToken, "--server " + s.URL + " --profile prod", exitUsage},
		{withToken, "--server http://keys.example.com", exitUsage},
		{[]string{"GATEHOUSE_SERVER=" + s.URL, "GATEHOUSE_PROFILE=prod"}, "", exitUsage},
		{[]string{"GATEHOUSE_PROFILE=prod"}, "--data " + nowhere, exitFailed},
	} {
		s.lines = nil
		must(row.code, "", row.environ, append(strings.Fields(row.args), "self")...)
		if (len(s.lines) == 1) != (row.code == exitDone) {
			t.Errorf("%v %s: asked %v", row.environ, row.args, s.lines)
		}
	}
	must(exitFailed, "", nil, "self") // no profile is in use
	if got := must(exitDone, "", nil, "profile", "use", "prod"); !strings.HasPrefix(got.err, "Every command goes to "+s.URL+" from now on, also beside a server on this machine. ") || got.out != "" {
		t.Errorf("use: %+v", got)
	}
	must(exitDone, "", nil, "self")
	if got := must(exitDone, "", nil, "profile", "list", "--format", "json"); !strings.Contains(got.out, `"name":"prod","server":"`+s.URL+`","token":true,"used":true`) {
		t.Errorf("listed %s", got.out)
	}
	for _, args := range [][]string{
		{"profile", "set", "Prod", "--server", s.URL}, {"profile", "set", "x"}, {"profile", "set", "x", "--server", "http://keys.example.com"}, {"profile", "use", "none"}, {"profile", "remove", "none"},
	} {
		must(exitUsage, "", nil, args...)
	}
	must(exitUsage, "hunter2\"\n", nil, "profile", "set", "x", "--server", s.URL, "--token-stdin")
	must(exitDone, "", nil, "profile", "remove", "prod")
	must(exitFailed, "", nil, "self")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := must(exitFailed, "", nil, "self", "--profile", "bare"); !strings.Contains(got.err, "others may read it") {
		t.Errorf("a file that others can read: %+v", got)
	}
	if err := os.WriteFile(path, []byte("token = \"hunter2\"\n[profiles.x]\nserver = hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	must(exitFailed, "", nil, "self", "--profile", "x")
}
