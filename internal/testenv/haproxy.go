// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// HAProxy starts HAProxy with the configuration and returns the address that it listens on. It ends with the
// test; if the test fails, what HAProxy printed is part of the test's output.
//
// The configuration is the whole text of a haproxy.cfg and a template of package text/template: {{.Listen}}
// is the address to listen on and {{.Dir}} a folder. files are what stands in that folder beside it, as for
// filter spoe: a name, a text that is a template as well, the next name and so on.
//
// The configuration sets neither daemon nor pidfile nor user, group or chroot.
func HAProxy(tb testing.TB, conf string, files ...string) (addr string) {
	tb.Helper()
	bin, err := program("haproxy", "haproxy", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	as, err := unprivileged("haproxy", "nobody")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	dir, err := scratchDir("haproxy", as)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })

	p, addr, err := serveHAProxy(bin, dir, as, append([]string{"haproxy.cfg", conf}, files...))
	if err != nil {
		tb.Fatalf("testenv: start haproxy: %v", err)
	}
	tb.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if tb.Failed() {
			tb.Logf("haproxy at %s:\n%s", addr, p.output())
		}
	})
	return addr
}

// serveHAProxy starts HAProxy on a free port and returns once it serves. The first file is the
// configuration.
func serveHAProxy(bin, dir string, as *account, files []string) (*process, string, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		// A configuration of our own beside the test's, for a socket by which it is known which HAProxy answers.
		socket := filepath.Join(dir, "testenv.sock")
		files := append(files[:len(files):len(files)], "testenv.cfg", "global\n\tstats socket "+socket+"\n")
		if err := writeTexts(dir, textNames{Listen: addr, Dir: dir}, files); err != nil {
			return nil, "", err
		}
		// -dR: no other process may have the port as well.
		cmd := exec.Command(bin, "-db", "-dR", "-f", filepath.Join(dir, files[0]), "-f", filepath.Join(dir, "testenv.cfg"))
		cmd.Dir = dir
		p, err := start(cmd, filepath.Join(dir, "output.log"), as, syscall.SIGTERM)
		if err != nil {
			return nil, "", err
		}
		err = await(p.Done, func(ctx context.Context) error { return haproxyServes(ctx, socket, p.Cmd.Process.Pid) })
		if err == nil {
			return p, addr, nil
		}
		p.stop(syscall.SIGTERM)
		if attempt == attempts || !p.lostPort() {
			return nil, "", fmt.Errorf("%w\n%s", err, p.output())
		}
	}
}

// haproxyServes asks a HAProxy for its process id, which it answers once it has its ports.
func haproxyServes(ctx context.Context, socket string, pid int) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline) // the read says what is wrong
	}
	if _, err := io.WriteString(c, "show info\n"); err != nil {
		return err
	}
	info, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if !strings.Contains(string(info), fmt.Sprintf("\nPid: %d\n", pid)) {
		return errors.New("another HAProxy answers")
	}
	return nil
}
