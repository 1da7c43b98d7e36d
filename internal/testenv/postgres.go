// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a new, empty database. All tests of a process share one PostgreSQL server
// (version 15 or newer), which the first call starts; the database is dropped at the end of the test.
//
// The server keeps its safe settings: fsync, full_page_writes and synchronous_commit are on. It listens
// on 127.0.0.1 only and asks for a password. Text sorts by the rules of a language (ICU, en-US) and not
// by bytes, as on most servers in the field. The role in the URL owns the database and nothing else.
func Postgres(tb testing.TB) string {
	tb.Helper()
	needMain(tb, "Postgres")
	c, err := sharedCluster()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	if err := c.exec("CREATE DATABASE " + name + " OWNER " + ownerRole); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return c.url(ownerRole, name)
}

const (
	adminRole = "postgres"
	ownerRole = "gatehouse"
)

var sharedCluster = sync.OnceValues(startCluster)

// cluster is a running PostgreSQL server.
type cluster struct {
	dir       string   // holds the data folder and the log
	program   string   // postgres
	as        *account // that it runs as
	settings  []string // name=value
	addr      string
	password  string // of both roles
	databases atomic.Int64
}

// startCluster starts a server and hands its end to leftovers.
func startCluster() (*cluster, error) {
	c, err := newCluster()
	if err != nil {
		return nil, err
	}
	leftovers.push(func() { _ = os.RemoveAll(c.dir) })
	p, err := c.serve()
	if err != nil {
		return nil, err
	}
	// The immediate shutdown: nobody needs the data any more.
	leftovers.push(func() { p.stop(syscall.SIGQUIT) })
	if err := c.exec("CREATE ROLE " + ownerRole + " LOGIN PASSWORD '" + c.password + "'"); err != nil {
		return nil, err
	}
	return c, nil
}

// newCluster makes the data of a server in a folder of its own. The caller removes it.
func newCluster(settings ...string) (*cluster, error) {
	initdb, err := program("initdb", "postgresql", postgresFolders()...)
	if err != nil {
		return nil, err
	}
	// The server of the same version lies beside initdb; PATH often holds a link.
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return nil, fmt.Errorf("find postgres: %w", err)
	}
	as, err := unprivileged("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	dir, err := scratchDir("postgres", as)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, program: filepath.Join(filepath.Dir(initdb), "postgres"), as: as, settings: settings, password: rand.Text()}
	if err := c.init(initdb); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// init makes the data folder.
func (c *cluster) init(initdb string) error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("make database cluster: %w", err)
	}
	if c.as != nil {
		if err := os.Chown(secret, c.as.uid, c.as.gid); err != nil {
			return fmt.Errorf("make database cluster: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, initdb, "--pgdata="+c.data(), "--username="+adminRole, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US",
		"--no-sync") // of what initdb writes; the server syncs its own
	cmd.Dir, cmd.Env = c.dir, c.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as.credential()}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make database cluster (PostgreSQL 15 or newer): %w\n%s", err, out)
	}
	return nil
}

// serve starts the server on a free port and returns once it answers queries.
func (c *cluster) serve() (*process, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		c.addr = addr
		p, err := c.launch()
		if err == nil {
			return p, nil
		}
		if attempt == attempts || p == nil || !p.lostPort() {
			return nil, err
		}
	}
}

// launch starts the server at c.addr and returns once it answers queries. With an error comes the process that
// has ended, if it could be started at all.
func (c *cluster) launch() (*process, error) {
	host, port, err := net.SplitHostPort(c.addr)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	cmd := exec.Command(c.program, "-D", c.data(), "-h", host, "-p", port,
		"-c", "unix_socket_directories=", "-c", "max_connections=300")
	for _, setting := range c.settings {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Dir, cmd.Env = c.dir, c.env()
	p, err := start(cmd, filepath.Join(c.dir, "log"), c.as, syscall.SIGQUIT)
	if err != nil {
		return nil, err
	}
	if err := await(p.Done, func(ctx context.Context) error { return c.execContext(ctx, "SELECT 1") }); err != nil {
		p.stop(syscall.SIGQUIT)
		return p, fmt.Errorf("start postgres: %w\n%s", err, p.output())
	}
	return p, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// env keeps the PG variables of the caller away from the server.
func (c *cluster) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C", "TZ=UTC"}
}

func (c *cluster) url(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, c.password), Host: c.addr, Path: "/" + database}
	u.RawQuery = "sslmode=disable"
	return u.String()
}

// exec runs one statement as the administrator.
func (c *cluster) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.execContext(ctx, sql)
}

func (c *cluster) execContext(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.url(adminRole, "postgres"))
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// postgresFolders lists where Debian keeps the server's programs, the newest version alone: two versions
// must not be mixed.
func postgresFolders() []string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return nil // only a malformed pattern fails
	}
	newest, folder := -1, []string(nil)
	for _, dir := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && version > newest {
			newest, folder = version, []string{dir}
		}
	}
	return folder
}
