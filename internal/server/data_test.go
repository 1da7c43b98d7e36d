// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/seal"
)

// settings are a configuration on a data directory of its own and free ports.
func settings(t *testing.T, more map[string]string) config.Config {
	t.Helper()
	set := map[string]string{"data": filepath.Join(t.TempDir(), "data"), "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0"}
	for key, value := range more {
		set[key] = value
	}
	c, err := config.Load("", nil, set)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tryParts wires the house on c's data directory.
func tryParts(c config.Config) (*process, error) {
	return assemble(context.Background(), &c, "test", slog.New(slog.DiscardHandler))
}

// wire is tryParts where nothing is in the way.
func wire(t *testing.T, c config.Config) *process {
	t.Helper()
	p, err := tryParts(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// refuses checks that the house does not open on c, and says why.
func refuses(t *testing.T, c config.Config, want string) {
	t.Helper()
	p, err := tryParts(c)
	if err == nil {
		p.close()
		t.Fatalf("opened; want %q", want)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q, want one line with %q", err, want)
	}
}

func TestDataDirectoryOfOthers(t *testing.T) {
	t.Parallel()
	c := settings(t, nil)
	if err := os.Mkdir(c.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o750, 0o710, 0o705, 0o701, 0o702, 0o755, 0o777} {
		if err := os.Chmod(c.Data, mode); err != nil {
			t.Fatal(err)
		}
		refuses(t, c, "others may read it; run: chmod 700 "+c.Data)
	}
	if entries, err := os.ReadDir(c.Data); err != nil || len(entries) != 0 {
		t.Errorf("a refused directory was written to: %v, %v", entries, err)
	}
	if err := os.Chmod(c.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	wire(t, c)
	if err := os.WriteFile(filepath.Join(c.Data, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Data = filepath.Join(c.Data, "file")
	refuses(t, c, "data directory")
}

func TestOneProcessForADirectory(t *testing.T) {
	t.Parallel()
	c := settings(t, nil)
	p, err := tryParts(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, c, "another process uses it")
	p.close()
	wire(t, c)
}

func TestKeyringOfTheStore(t *testing.T) {
	t.Parallel()
	c := settings(t, nil)
	path := filepath.Join(c.Data, "keyring")
	p, err := tryParts(c)
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(path, path+".old"))
	refuses(t, c, "is missing, and the store holds secrets sealed under it")
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a keyring was made beside sealed data: %v", err)
	}
	if _, err := seal.CreateKeyring(path); err != nil {
		t.Fatal(err)
	}
	if p, err := tryParts(c); !errors.Is(err, seal.ErrKeyring) {
		t.Errorf("opened with another KEK: %v, %v", p != nil, err)
	}
	must(os.Rename(path+".old", path))
	must(os.Chmod(path, 0o644))
	refuses(t, c, "keyring")
	must(os.Chmod(path, 0o600))
	wire(t, c)
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for text, want := range map[string]string{"a b": "a b", "a\n": "a", "a\r\n": "a", " a \n\n": " a ", "": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readSecretFile("key", path); err != nil || got.Reveal() != want {
			t.Errorf("%q reads as %q, %v", text, got.Reveal(), err)
		}
	}
	if _, err := readSecretFile("the.key", path+"x"); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "the.key: ") {
		t.Errorf("absent: %v", err)
	}
}
