// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
)

// Caddy starts Caddy with the configuration and returns the address that it listens on. It ends with the
// test; if the test fails, what Caddy printed is part of the test's output.
//
// The configuration is the whole text of a Caddyfile and a template of package text/template:
// {{.Listen}} is the address to listen on, {{.Port}} its port, and {{.Dir}} an empty folder. It sets
// "admin off". The program is the one in the folder that the environment names as GATEWAYS, or else
// the system's.
func Caddy(tb testing.TB, conf string) (addr string) {
	tb.Helper()
	bin := built("caddy")
	own := bin != ""
	if !own {
		var err error
		if bin, err = program("caddy", "caddy", "/usr/sbin", "/usr/local/sbin"); err != nil {
			tb.Fatalf("testenv: %v", err)
		}
	}
	return serveText(tb, textServer{
		name: "caddy", own: own, files: []string{"Caddyfile", conf}, ready: "serving initial configuration",
		command: func(dir string) *exec.Cmd {
			cmd := exec.Command(bin, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
			cmd.Env = []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir}
			return cmd
		},
	})
}

// Traefik is [Caddy] for the program that scripts/gateways builds: with a static configuration, and a
// dynamic one, to which the static refers as {{.Dir}}/dynamic.yaml. It serves when host has a route.
// Without the program the test is skipped.
func Traefik(tb testing.TB, static, dynamic, host string) (addr string) {
	tb.Helper()
	bin := built("traefik")
	if bin == "" {
		tb.Skip("Traefik is not built here, so that its configuration is not tried; run: make test-gateways-full")
	}
	return serveText(tb, textServer{
		name: "traefik", own: true, files: []string{"traefik.yaml", static, "dynamic.yaml", dynamic}, host: host,
		command: func(dir string) *exec.Cmd {
			return exec.Command(bin, "--configFile="+filepath.Join(dir, "traefik.yaml"))
		},
	})
}

// built is the path of a program in the folder that the environment names as GATEWAYS, which
// scripts/gateways prints; empty: it is not there.
func built(name string) string {
	dir := os.Getenv("GATEWAYS")
	if dir == "" {
		return ""
	}
	path, err := exec.LookPath(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return path
}

// textServer is a server that says by a word in its log that it serves.
type textServer struct {
	name    string
	own     bool     // the program lies where another account may not reach it
	files   []string // names and templates in turn
	ready   string   // in its log, when it serves
	host    string   // that has a route, when it serves; empty: ready says so
	command func(dir string) *exec.Cmd
}

// textNames is what a configuration may refer to.
type textNames struct {
	Listen, Port string // 127.0.0.1:port, and the port
	Dir          string // an empty folder of this server
}

// serveText starts a server on a free port and returns the address once it serves.
func serveText(tb testing.TB, s textServer) (addr string) {
	tb.Helper()
	var as *account
	if !s.own {
		var err error
		if as, err = unprivileged("nobody"); err != nil {
			tb.Fatalf("testenv: %v", err)
		}
	}
	dir, err := scratchDir(s.name, as)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	p, addr, err := s.serve(dir, as)
	if err != nil {
		tb.Fatalf("testenv: start %s: %v", s.name, err)
	}
	tb.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if tb.Failed() {
			tb.Logf("%s at %s:\n%s", s.name, addr, p.output())
		}
	})
	return addr
}

func (s *textServer) serve(dir string, as *account) (*process, string, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		_, port, _ := strings.Cut(addr, ":")
		if err := writeTexts(dir, textNames{Listen: addr, Port: port, Dir: dir}, s.files); err != nil {
			return nil, "", err
		}
		cmd := s.command(dir)
		cmd.Dir = dir
		log := filepath.Join(dir, "output.log")
		p, err := start(cmd, log, as, syscall.SIGTERM)
		if err != nil {
			return nil, "", err
		}
		err = await(p.Done, func(ctx context.Context) error {
			if s.host != "" {
				return routes(ctx, addr, s.host)
			}
			if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), s.ready) {
				return errors.Join(err, errors.New("it does not say that it serves"))
			}
			return dial(ctx, addr)
		})
		if err == nil {
			return p, addr, nil
		}
		p.stop(syscall.SIGTERM)
		if attempt == attempts || !p.lostPort() {
			return nil, "", fmt.Errorf("%w\n%s", err, p.output())
		}
	}
}

// routes reports whether a server has a route for a host.
func routes(ctx context.Context, addr, host string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	r.Host = host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return errors.New("it has no route for " + host)
	}
	return nil
}

// writeTexts writes files, which are names and templates in turn. They are readable for the server's
// account; the folder keeps others out.
func writeTexts(dir string, names textNames, files []string) error {
	for i := 0; i+1 < len(files); i += 2 {
		text, err := template.New(files[i]).Parse(files[i+1])
		if err != nil {
			return fmt.Errorf("read %s: %w", files[i], err)
		}
		var b strings.Builder
		if err := text.Execute(&b, names); err != nil {
			return fmt.Errorf("write %s: %w", files[i], err)
		}
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(b.String()), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", files[i], err)
		}
	}
	return nil
}
