// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// Every command of the README runs, in order, as it stands there. Two differ: the
// server listens on a free port, and "make test" is what runs this test.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 150 {
		t.Errorf("the README has %d lines: the limit is 150", lines)
	}
	var blocks []string
	for _, m := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) < 3 || blocks[0] != "go run ./cmd/gatehouse serve\n" || blocks[1] != "make test\n" {
		t.Fatal("the README does not begin with its two commands")
	}
	dir := mirror(t)
	base := serveIn(t, dir)
	script := strings.Join(blocks[2:], "\n")
	if !strings.Contains(script, "http://127.0.0.1:8080\n") {
		t.Fatal("the README does not name the server's address")
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080\n", base+"\n")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	// What is built here is built as testenv.Binary is: the compiler then has it already, whatever the folder.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"HTTP/1.1 200 OK", "Authorization: Bearer ey", "true     -       200     bearer", "revoked", `"keys":[`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}

// mirror makes a directory that holds the checkout by links, so that what the commands
// make does not land in it.
func mirror(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, e := range entries {
		if name := e.Name(); name != "bin" && name != "gatehouse-data" && !strings.HasPrefix(name, ".") {
			if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// serveIn starts the server in a directory and returns its address. It ends with the
// test.
func serveIn(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	cmd := exec.Command(program(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, flags...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, base, ok := strings.Cut(lines.Text(), " listens on "); ok {
			go func() {
				for lines.Scan() { // the pipe must not fill up
				}
			}()
			return base
		}
	}
	t.Fatal("the server did not say where it listens")
	return ""
}
