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
	"sync"
	"testing"
)

// Binary builds ./cmd/gatehouse once for all tests of the process and returns the path of the program.
// It looks for races if the tests do.
func Binary(tb testing.TB) string {
	tb.Helper()
	needMain(tb, "Binary")
	path, err := sharedBinary()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return path
}

var sharedBinary = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := scratchDir("binary", nil)
	if err != nil {
		return "", err
	}
	leftovers.push(func() { _ = os.RemoveAll(dir) })
	return build(root, dir)
})

// build compiles cmd/gatehouse of the module in the folder root into the folder dir.
func build(root, dir string) (string, error) {
	if err := readFolders(root); err != nil {
		return "", fmt.Errorf("build gatehouse: %w", err)
	}
	path := filepath.Join(dir, "gatehouse")
	cmd := exec.Command("go", "build", raceFlag, "-buildvcs=false", "-o", path, "./cmd/gatehouse")
	cmd.Dir = root
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
