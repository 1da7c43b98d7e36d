// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// The same binary on PostgreSQL: a key made by one process verifies in the next, and a
// process with another keyring does not start on the same database.
func TestPostgres(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "gatehouse-data", api.SocketName)
	var token string
	t.Run("make a key", func(t *testing.T) {
		serveIn(t, dir, "--database-url", url)
		c := client.Socket(socket)
		if _, err := c.CreateAccount(t.Context(), api.NewAccount{Email: "pg@example.com"}); err != nil {
			t.Fatal(err)
		}
		k, err := c.CreateKey(t.Context(), api.NewKey{Owner: "pg@example.com", Schemes: []string{"bearer"}})
		if err != nil {
			t.Fatal(err)
		}
		token = k.Token
	})
	t.Run("another process", func(t *testing.T) {
		serveIn(t, dir, "--database-url", url)
		d, err := client.Socket(socket).Verify(t.Context(), api.Check{Headers: map[string][]string{"X-Api-Key": {token}}})
		if err != nil || !d.Granted {
			t.Errorf("granted %v, %s, %v", d.Granted, d.Reason, err)
		}
	})
	t.Run("another keyring", func(t *testing.T) {
		cmd := exec.Command(program(t), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "other"), "--database-url", url)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = io.Discard, &errs
		if err := cmd.Run(); err == nil {
			t.Error("it started")
		}
		if text := errs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "keyring") {
			t.Errorf("it does not say why in one line:\n%s", text)
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "gatehouse-data", "gatehouse.db")); err == nil {
		t.Error("an SQLite database was made beside PostgreSQL")
	}
}
