// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// MariaDB starts a MariaDB server of its own for the test and returns the URL of an empty database,
// mysql://user:password@host:port/name. It ends with the test.
//
// It listens on 127.0.0.1 and on a socket in its folder. Text is UTF-8 and compared without regard to case
// and trailing spaces, as on most servers in the field. The account in the URL owns the database and
// nothing else.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	install, err := program("mariadb-install-db", "mariadb-server")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	server, err := program("mariadbd", "mariadb-server", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	as, err := unprivileged("mysql", "nobody")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	dir, err := scratchDir("mariadb", as) // and not tb.TempDir, which lies in a folder that only root may enter
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })

	m := &mariadb{dir: dir, password: rand.Text()}
	if err := m.init(install, as); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	p, err := m.serve(server, as)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { p.stop(syscall.SIGKILL) }) // nobody needs the data any more
	u := url.URL{Scheme: "mysql", User: url.UserPassword(ownerRole, m.password), Host: m.addr, Path: "/test"}
	return u.String()
}

// mariadb is a MariaDB server of one test.
type mariadb struct {
	dir      string // holds the data folder and the log
	addr     string
	password string // of the owner; the administrator cannot sign in at all
}

// init makes the data folder, and the statements that the server begins with.
func (m *mariadb) init(install string, as *account) error {
	begin := fmt.Sprintf("CREATE DATABASE test;\nCREATE USER '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[2]s';\n"+
		"GRANT ALL ON test.* TO '%[1]s'@'127.0.0.1';\n", ownerRole, m.password)
	if err := os.WriteFile(m.begin(), []byte(begin), 0o600); err != nil {
		return fmt.Errorf("make MariaDB data folder: %w", err)
	}
	if as != nil {
		if err := os.Chown(m.begin(), as.uid, as.gid); err != nil {
			return fmt.Errorf("make MariaDB data folder: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+m.data(), "--skip-test-db", "--auth-root-authentication-method=socket")
	cmd.Dir, cmd.Env = m.dir, m.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.credential()}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make MariaDB data folder: %w\n%s", err, out)
	}
	return nil
}

// serve starts the server on a free port and returns once it greets.
func (m *mariadb) serve(server string, as *account) (*process, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		m.addr = addr
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("start MariaDB: %w", err)
		}
		cmd := exec.Command(server, "--no-defaults", "--datadir="+m.data(), "--bind-address="+host, "--port="+port,
			"--socket="+filepath.Join(m.dir, "socket"), "--pid-file="+filepath.Join(m.dir, "pid"), "--init-file="+m.begin(),
			"--skip-name-resolve", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci")
		cmd.Dir, cmd.Env = m.dir, m.env()
		p, err := start(cmd, filepath.Join(m.dir, "log"), as, syscall.SIGKILL)
		if err != nil {
			return nil, err
		}
		if err = await(p.Done, func(ctx context.Context) error { return greeting(ctx, addr) }); err == nil {
			return p, nil
		}
		p.stop(syscall.SIGKILL)
		if attempt == attempts || !p.lostPort() {
			return nil, fmt.Errorf("start MariaDB: %w\n%s", err, p.output())
		}
	}
}

func (m *mariadb) data() string  { return filepath.Join(m.dir, "data") }
func (m *mariadb) begin() string { return filepath.Join(m.dir, "begin.sql") }

// env keeps the settings of the caller away from the server.
func (m *mariadb) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "LC_ALL=C", "TZ=UTC"}
}

// greeting reports whether the server at addr speaks: it does so first, once its opening statements have run.
func greeting(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
