// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
)

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func value(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var v string
	if err := db.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	one, two := open(t, Postgres(t)), open(t, Postgres(t))
	if got := value(t, one, "select 1"); got != "1" {
		t.Errorf("select 1 = %s", got)
	}
	for _, db := range []*sql.DB{one, two} {
		// The second database does not see the table of the first.
		if _, err := db.ExecContext(t.Context(), "create table t (a text)"); err != nil {
			t.Error(err)
		}
	}
	for query, want := range map[string]string{
		"show fsync":              "on",
		"show full_page_writes":   "on",
		"show synchronous_commit": "on",
		"show listen_addresses":   "127.0.0.1",
		"show server_encoding":    "UTF8",
		"select 'a' < 'B'":        "true", // a language, not bytes
		"select rolsuper from pg_roles where rolname = current_user": "false",
	} {
		if got := value(t, one, query); got != want {
			t.Errorf("%s = %s, want %s", query, got, want)
		}
	}
}

func TestPostgresWantsThePassword(t *testing.T) {
	t.Parallel()
	url := Postgres(t)
	_, rest, _ := strings.Cut(url, "@")
	if err := open(t, "postgres://"+ownerRole+":wrong@"+rest).PingContext(t.Context()); err == nil {
		t.Error("a wrong password connects")
	}
}

func TestPostgresDropsTheDatabase(t *testing.T) {
	t.Parallel()
	var db *sql.DB
	t.Run("inner", func(inner *testing.T) {
		db = open(t, Postgres(inner)) // the open connection must not keep the database alive
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("the database outlives its test")
	}
}

// orphanEnv makes the test binary start a server and wait to be killed.
const orphanEnv = "TESTENV_ORPHAN"

func orphan() {
	c, err := startCluster()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(c.dir)
	select {}
}

func TestPostgresDiesWithTheTests(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), orphanEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	killed := child.Process.Kill()
	_ = child.Wait()
	dir := strings.TrimSpace(line)
	if err != nil || killed != nil || !filepath.IsAbs(dir) {
		t.Fatalf("the child said %q: %v, %v", line, err, killed)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	// The server takes its lock file away when it ends.
	if err := await(nil, func(context.Context) error {
		_, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid"))
		switch {
		case err == nil:
			return errors.New("the server still runs")
		case errors.Is(err, fs.ErrNotExist):
			return nil
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
