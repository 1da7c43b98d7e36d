// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
)

const (
	adminEmail    = "admin@example.com"
	adminPassword = "Ozymandias-8472-kings"
)

// words hands on what is written to it.
type words chan string

func (w words) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

// run runs the server; stop ends it and returns what Run returned.
func run(t *testing.T, c config.Config) (greeting string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(words, 1), make(chan error, 1)
	go func() { done <- Run(ctx, c, "v9", out, io.Discard) }()
	t.Cleanup(cancel)
	select {
	case greeting = <-out:
	case err := <-done:
		t.Fatalf("the server did not start: %v", err)
	}
	return greeting, func() error {
		cancel()
		return <-done
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	c := settings(t, nil)
	greeting, stop := run(t, c)
	parts := regexp.MustCompile(`^Gatehouse v9 listens on (http://127\.0\.0\.1:\d+)
Metrics and health on (http://127\.0\.0\.1:\d+)
Mail is not sent: it goes to files in \S+/outbox, where its links can be read\. To have it sent set smtp\.address

Make the first administrator, once, in a browser:
  (http://\S+/setup\?token=([0-9a-f]+))
or with curl:
  curl (http://\S+/setup) -d token=([0-9a-f]+) -d email=admin@example\.com --data-urlencode password='CHOOSE-one-4-yourself'

$`).FindStringSubmatch(greeting)
	if parts == nil || parts[5] != parts[1]+"/setup" || parts[4] != parts[6] || !strings.HasPrefix(parts[3], parts[1]+"/") {
		t.Fatalf("greeting:\n%s", greeting)
	}
	for _, url := range []string{parts[3], parts[1] + "/.well-known/jwks.json", parts[2] + "/readyz", parts[2] + "/metrics"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d", url, resp.StatusCode)
		}
	}
	resp, err := http.PostForm(parts[5], map[string][]string{"token": {parts[4]}, "email": {adminEmail}, "password": {adminPassword}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	socket := filepath.Join(c.Data, api.SocketName)
	if a, err := client.Socket(socket).Account(t.Context(), adminEmail); resp.StatusCode != 201 || err != nil || a.Role != "superadmin" {
		t.Errorf("%d; over the socket: %+v, %v", resp.StatusCode, a, err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}

	c.PublicURL, c.OpsListen, c.SMTP.Address = "https://keys.example.com/", "", "127.0.0.1:25"
	greeting, stop = run(t, c)
	if greeting != "Gatehouse v9 listens on https://keys.example.com\n" {
		t.Errorf("second greeting:\n%s", greeting)
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestFirstAdmin(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(adminPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]map[string]string{
		"password":      {"admin.email": adminEmail, "admin.password": adminPassword},
		"password file": {"admin.email": adminEmail, "admin.password_file": file},
	} {
		c := settings(t, more)
		greeting, stop := run(t, c)
		if !strings.HasSuffix(greeting, "\nThe first administrator is "+adminEmail+"\n") || strings.Contains(greeting, adminPassword) {
			t.Errorf("%s: greeting:\n%s", name, greeting)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		p := wire(t, c)
		o, err := p.directory.SignIn(t.Context(), gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: p.tenant}, account.SignInRequest{Email: adminEmail, Password: gatehouse.NewSecret(adminPassword)})
		if err != nil || o.Account.Role != "superadmin" {
			t.Errorf("%s: sign-in as %q: %v", name, o.Account.Role, err)
		}
		// There is an account: the configuration's is not made any more.
		other := c
		other.AdminEmail = "other@example.com"
		if made, err := p.firstAdmin(t.Context(), &other); made != "" || err != nil {
			t.Errorf("%s: made %q, %v", name, made, err)
		}
	}
}

// Where the configuration's administrator cannot be made, nothing listens: a server
// with neither an administrator nor a link would be of no use.
func TestFirstAdminRefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, more := range map[string]map[string]string{
		"neither admin.password nor admin.password_file holds": {"admin.email": adminEmail},
		"holds a password":             {"admin.email": adminEmail, "admin.password_file": empty},
		"admin.password_file: open":    {"admin.email": adminEmail, "admin.password_file": empty + "x"},
		"does not satisfy the policy":  {"admin.email": adminEmail, "admin.password": "marker"},
		"make first administrator: em": {"admin.email": "marker", "admin.password": adminPassword},
	} {
		c := settings(t, more)
		var out, errs strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a server that starts all the same must end
		err := Run(ctx, c, "v9", &out, &errs)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marker") {
			t.Errorf("error %v, want %q", err, want)
		}
		if out.Len() != 0 || strings.Contains(errs.String(), "marker") {
			t.Errorf("said %q, logged %q", out.String(), errs.String())
		}
		if _, err := os.Lstat(filepath.Join(c.Data, api.SocketName)); err == nil {
			t.Error("it listened")
		}
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for _, key := range []string{"listen", "ops_listen"} {
		c := settings(t, map[string]string{key: ln.Addr().String()})
		if err := Run(t.Context(), c, "v9", io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "listen on "+ln.Addr().String()) {
			t.Errorf("%s: %v", key, err)
		}
		// What was opened is given back: the directory is free again.
		wire(t, c)
	}
}
