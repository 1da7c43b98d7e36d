// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Binary builds ./cmd/gatehouse once for all tests of the process, as make build does, and returns the path of
// the program. It does not look for races, which costs it several times the processor: [RaceBinary] does.
func Binary(tb testing.TB) string {
	tb.Helper()
	return binary(tb, "Binary", plainBinary)
}

// RaceBinary is [Binary] with a program that looks for races if the tests do. What it finds it prints to
// standard error, where [RaceFound] sees it: a program that is killed has no other way to tell.
func RaceBinary(tb testing.TB) string {
	tb.Helper()
	if !Race {
		return binary(tb, "RaceBinary", plainBinary)
	}
	return binary(tb, "RaceBinary", raceBinary)
}

// RaceFound reports whether a program has found a race, by what it has printed to standard error.
func RaceFound(printed string) bool { return strings.Contains(printed, "WARNING: DATA RACE") }

func binary(tb testing.TB, caller string, build func() (string, error)) string {
	tb.Helper()
	needMain(tb, caller)
	path, err := build()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return path
}

var (
	plainBinary = sync.OnceValues(func() (string, error) { return sharedBinary([]string{"CGO_ENABLED=0"}, "-trimpath") })
	raceBinary  = sync.OnceValues(func() (string, error) { return sharedBinary(nil, "-race", lookPastSQLite) })
)

// lookPastSQLite keeps the race detector out of SQLite itself, which is C written down as Go: to watch every access
// there costs more than all the rest. The driver is watched, and who uses it.
const lookPastSQLite = "-gcflags=modernc.org/sqlite/lib=-race=false"

// sharedBinary builds the program for as long as the tests run.
func sharedBinary(environ []string, flags ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := scratchDir("binary", nil)
	if err != nil {
		return "", err
	}
	leftovers.push(func() { _ = os.RemoveAll(dir) })
	return build(root, dir, environ, flags...)
}

// build compiles cmd/gatehouse of the module in the folder root into the folder dir.
func build(root, dir string, environ []string, flags ...string) (string, error) {
	if err := readFolders(root); err != nil {
		return "", fmt.Errorf("build gatehouse: %w", err)
	}
	path := filepath.Join(dir, "gatehouse")
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", path}, flags...), "./cmd/gatehouse")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build gatehouse: %w\n%s", err, out)
	}
	return path, nil
}

// readFolders reads every folder of the module, so that go test runs the test again after a source has
// changed: it cannot see which files the compiler reads for us.
func readFolders(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && d.Name()[0] == '.' {
			return fs.SkipDir
		}
		return nil
	})
}

// moduleRoot is the nearest folder with a go.mod, from the package under test upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("find the module: %w", err)
		}
		dir = parent
	}
}
