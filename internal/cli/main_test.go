// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/server"
)

const password = "Ozymandias-8472-kings"

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

func command(stdin string, environ []string, args ...string) result {
	var out, errs strings.Builder
	code := Main(args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs}, environ, "v9")
	return result{code, out.String(), errs.String()}
}

// words hands on what is written to it.
type words chan string

func (w words) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

// serve runs a server and returns its data directory.
func serve(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	c, err := config.Load("", nil, map[string]string{"data": dir, "listen": "127.0.0.1:0", "ops_listen": ""})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(words, 1), make(chan error, 1)
	go func() { done <- server.Run(ctx, c, "v9", out, io.Discard) }()
	select {
	case <-out:
	case err := <-done:
		t.Fatalf("the server did not start: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return dir
}

func TestExitCodesWithoutAServer(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "absent")
	unread := file(t, 0o600, "[gate]\nlisten = \"127.0.0.1:0\"\ntoken_file = '"+nowhere+"'\n")
	for _, row := range []struct {
		args string
		code int
		out  string // in the output
		err  string // in the error output
	}{
		{"version", exitDone, "gatehouse v9 (go", ""},
		{"--help", exitDone, "A self-hosted API-key authority.", ""},
		{"key --help", exitDone, "revoke", ""},
		{"config example", exitDone, "nonce_window", ""},
		{"config check", exitDone, "The configuration is sound.", ""},
		{"config check --config " + unread, exitFailed, "", "gate.token_file: stat"},
		{"config check " + nowhere, exitFailed, "", "read configuration"},
		{"version --format json", exitDone, `{"version":"v9","go":"go`, ""},
		{"version --format yaml", exitDone, "version: v9\n", ""},
		{"--help", exitDone, "Exit codes: 0 done, 1 failed, 2 wrong use, 3 denied", ""},
		{"serve --help", exitDone, "(default\n                            127.0.0.1:8081); empty: none", ""},
		{"proxy --help", exitDone, "(default 127.0.0.1:8080)", ""},
		{"", exitUsage, "", "Run \"gatehouse <command> --help\""},
		{"key", exitUsage, "", "Usage: gatehouse key <command>"},
		{"proxy", exitUsage, "", "--upstream URL is missing"},
		{"proxy --config " + nowhere, exitFailed, "", "read configuration"},
		{"usage --grain week", exitUsage, "", `must be one of "minute","hour","day" but got "week"`},
		{"nonsense", exitUsage, "", "gatehouse: unknown command \"nonsense\" (see gatehouse --help)\n"},
		{"key foo", exitUsage, "", "gatehouse: unknown command \"foo\" (see gatehouse key --help)\n"},
		{"key lst", exitUsage, "", "unknown command \"lst\": did you mean \"list\"? (see gatehouse key --help)\n"},
		{"self hunter2", exitUsage, "", "gatehouse: unknown command (see gatehouse self --help)\n"},
		{"gh_hunter2_hunter2", exitUsage, "", "gatehouse: unknown command (see gatehouse --help)\n"},
		{"init " + strings.Repeat("a", 21), exitUsage, "", "gatehouse: unknown command \"init\" (see gatehouse --help)\n"},
		{strings.Repeat("a", 21), exitUsage, "", "gatehouse: unknown command (see gatehouse --help)\n"},
		{"account set-password x wachtwoord --password-stdin", exitUsage, "", "unexpected argument (see gatehouse account set-password --help; a password is read from standard input)\n"},
		{"account list hunter2", exitUsage, "", "gatehouse: unexpected argument (see gatehouse account list --help)\n"},
		{"key verify gh_hunter2_hunter2", exitUsage, "", "a credential is read from standard input"},
		{"kee list", exitUsage, "", `unknown command "kee": did you mean "key"?`},
		{"version --nonsense", exitUsage, "", "unknown flag --nonsense"},
		{"key show", exitUsage, "", "expected \"<kid>\""},
		{"key create --owner x", exitUsage, "", "missing flags: --scheme"},
		{"key create --owner x --scheme bearer --count 0", exitUsage, "", "--count is at least 1"},
		{"key create --owner x --scheme bearer --expires soon", exitUsage, "", "--expires is neither"},
		{"key create --owner x --scheme bearer --unused soon", exitUsage, "", "--unused is no duration"},
		{"key create --owner x --scheme bearer --unused 999ms", exitUsage, "", "--unused is no duration"},
		{"key attempts a b", exitUsage, "", `unexpected argument "b" (see gatehouse key attempts --help)`},
		{"key create --owner x --scheme bearer --replay often", exitUsage, "", "--replay must be one of"},
		{"key create --owner x --scheme httpsig --public-key " + nowhere, exitFailed, "", "read public key"},
		{"key revoke", exitUsage, "", "either a key id is expected, or --all with --owner or another filter"},
		{"key revoke x --all --owner y", exitUsage, "", "either a key id"},
		{"key revoke --all", exitUsage, "", "either a key id"},
		{"key revoke --owner y", exitUsage, "", "either a key id"},
		{"key revoke x --scheme bearer", exitUsage, "", "either a key id"},
		{"key revoke --all --principal y", exitUsage, "", "--yes is needed"},
		{"key revoke --all --principal y --yes", exitFailed, "", "no server answers"},
		{"account state x gone", exitUsage, "", "must be one of"},
		{"account create a@b.c --password-stdin", exitUsage, "", "the password is expected on standard input"},
		{"key verify", exitUsage, "", "a credential is expected on standard input"},
		{"key show x --format xml", exitUsage, "", "--format must be one of"},
		{"key show x", exitFailed, "", "no server answers; is gatehouse serve running with this --data?"},
		{"account list", exitFailed, "", "no server answers"},
	} {
		got := command("", nil, append([]string{"--data", nowhere}, strings.Fields(row.args)...)...)
		if got.code != row.code || !strings.Contains(got.out, row.out) || !strings.Contains(got.err, row.err) {
			t.Errorf("%s: %+v, want %d with %q and %q", row.args, got, row.code, row.out, row.err)
		}
		if strings.Contains(got.err, "hunter2") {
			t.Errorf("%s: what may be a credential is repeated: %s", row.args, got.err)
		}
		if (got.err == "") != (row.code == exitDone) {
			t.Errorf("%s: exit code %d and error output %q", row.args, got.code, got.err)
		}
	}
}

func TestExitCodesWithAServer(t *testing.T) {
	t.Parallel()
	dir := serve(t)
	do := func(want int, stdin string, args ...string) result {
		t.Helper()
		got := command(stdin, nil, append([]string{"--data", dir}, args...)...)
		if got.code != want {
			t.Fatalf("%v: %+v, want %d", args, got, want)
		}
		return got
	}
	if r := do(exitDone, password+"\n", "account", "create", "a@example.com", "--password-stdin"); r.err != "" {
		t.Errorf("error output %q", r.err)
	}
	if r := do(exitFailed, "weak\n", "account", "create", "b@example.com", "--password-stdin"); !strings.Contains(r.err, "password") || strings.Contains(r.err, "weak") {
		t.Errorf("error output %q", r.err)
	}
	do(exitFailed, "", "account", "create", "a@example.com")
	var k api.CreatedKey
	made := do(exitDone, "", "key", "create", "--owner", "a@example.com", "--scheme", "bearer", "--format", "json")
	if err := json.Unmarshal([]byte(made.out), &k); err != nil || k.Token == "" {
		t.Fatalf("made %s: %v", made.out, err)
	}
	if r := do(exitDone, k.Token, "key", "verify", "--format", "json"); !strings.Contains(r.out, `"granted":true`) {
		t.Errorf("verified %s", r.out)
	}
	if r := do(exitDenied, k.Token, "key", "verify", "--scope", "read"); !strings.Contains(r.out, "insufficient_scope") || r.err != "" {
		t.Errorf("denied %+v", r)
	}
	do(exitUsage, "", "key", "revoke", k.ID)
	do(exitDone, "", "key", "revoke", k.ID, "--yes")
	if r := do(exitDenied, "Authorization: Bearer "+k.Token+"\n", "key", "verify"); !strings.Contains(r.out, "key_revoked") {
		t.Errorf("denied %+v", r)
	}
	if r := do(exitFailed, "", "key", "enable", k.ID); !strings.Contains(r.err, "the key is revoked, for good") {
		t.Errorf("error output %q", r.err)
	}
	for _, args := range []string{"key list --owner", "account list --owner", "key revoke -y --all --owner", "key revoke -y --all --text t --owner"} {
		if r := do(exitFailed, "", append(strings.Fields(args), "nobody@example.com")...); !strings.HasPrefix(r.err, "gatehouse: owner: ") {
			t.Errorf("%s: error output %q", args, r.err)
		}
	}
	if r := do(exitDone, "", "account", "create", "c@example.com"); !strings.HasSuffix(r.err, "is set by: gatehouse account set-password c@example.com --password-stdin\n") {
		t.Errorf("error output %q", r.err)
	}
	do(exitFailed, "", "key", "show", "no-such-key")
	do(exitFailed, k.Token, "key", "verify", "--peer", "nowhere")
	for _, args := range [][]string{{"key", "list"}, {"key", "show", k.ID}, {"key", "list", "--owner", "a@example.com", "--format", "json"}} {
		if r := do(exitDone, "", args...); !strings.Contains(r.out, k.ID) || strings.Contains(r.out, k.Secret) {
			t.Errorf("%v: %s", args, r.out)
		}
	}
	if r := do(exitDone, "", "key", "create", "--owner", "a@example.com", "--scheme", "bearer", "--count", "3", "--format", "json"); strings.Count(r.out, "\n") != 3 {
		t.Errorf("made %s", r.out)
	}
	do(exitDone, "", "key", "create", "--owner", "a@example.com", "--scheme", "barong")
	if r := do(exitDone, "", "key", "revoke", "--yes", "--all", "--owner", "a@example.com", "--scheme", "barong"); !strings.HasSuffix(r.out, "\n1\n") {
		t.Errorf("revoked %s", r.out)
	}
	if r := do(exitDone, "", "key", "revoke", "-y", "--all", "--owner", "a@example.com", "--format", "json"); r.out != `{"revoked":3}`+"\n" {
		t.Errorf("revoked %s", r.out)
	}
	do(exitFailed, "", "key", "revoke", "-y", "--all", "--owner", "nobody@example.com")
	if r := do(exitDone, "", "account", "list"); !strings.Contains(r.out, "a@example.com") {
		t.Errorf("listed %s", r.out)
	}
	if r := do(exitDone, "", "account", "state", "a@example.com", "banned"); !strings.Contains(r.out, "banned") {
		t.Errorf("state %s", r.out)
	}
	if r := do(exitFailed, "", "key", "create", "--owner", "a@example.com", "--scheme", "bearer"); r.out != "" {
		t.Errorf("nothing was made, and %q printed", r.out)
	}
	do(exitFailed, "", "account", "reset-otp", "a@example.com")
	if r := do(exitDone, "", "account", "show", "a@example.com"); !strings.Contains(r.out, "banned") {
		t.Errorf("shown %s", r.out)
	}
}

// serve takes the data directory from its flag, else from the environment, else from the
// file, else it is ./gatehouse-data. Each is a file here, so that serve names it and ends.
func TestDataPrecedence(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"of-flag", "of-environment", "of-file", "gatehouse-data"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("gatehouse.toml", []byte("data = \"of-file\"\nlisten = \"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flag, file := []string{"--data", "of-flag"}, []string{"--config", "gatehouse.toml"}
	for _, row := range []struct {
		want      string
		flag, env bool
		file      bool
	}{
		{"of-flag", true, true, true}, {"of-flag", true, false, true}, {"of-environment", false, true, true}, {"of-environment", false, true, false},
		{"of-file", false, false, true}, {"gatehouse-data", false, false, false},
	} {
		args := []string{"serve"}
		if row.flag {
			args = append(args, flag...)
		}
		if row.file {
			args = append(args, file...)
		}
		var environ []string
		if row.env {
			environ = []string{"GATEHOUSE_DATA=of-environment"}
			t.Setenv("GATEHOUSE_DATA", "of-environment")
		} else if err := os.Unsetenv("GATEHOUSE_DATA"); err != nil {
			t.Fatal(err)
		}
		if got := command("", environ, args...); got.code != exitFailed || !strings.Contains(got.err, row.want+":") {
			t.Errorf("%+v: %+v", row, got)
		}
	}
}
