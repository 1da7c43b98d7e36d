// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestCreateKeyring(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keyring")
	made, err := CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	loaded, err := LoadKeyring(path)
	if err != nil || string(loaded.keys().text()) != string(made.keys().text()) {
		t.Errorf("what was made is not what is loaded: %v", err)
	}
	before, _ := os.ReadFile(path)
	if k, err := CreateKeyring(path); !errors.Is(err, fs.ErrExist) || k != nil {
		t.Errorf("second CreateKeyring: %v, want fs.ErrExist", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the second CreateKeyring changed the file")
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%d files, want 1: %v", len(names), names)
	}
	if _, err := CreateKeyring(filepath.Join(dir, "none", "keyring")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v, want fs.ErrNotExist", err)
	}
}

func TestLoadKeyringRefusesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, mode fs.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	linkTo := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := write("open", 0o644, vectorKeyring)
	for _, row := range []struct{ path, want string }{
		{open, "chmod 600"},
		{write("group", 0o640, vectorKeyring), "chmod 600"},
		{write("writable", 0o602, vectorKeyring), "chmod 600"},
		{linkTo("link-to-open", open), "chmod 600"},
		{dir, "not a regular file"},
		{pipe, "not a regular file"},
		{"/dev/null", "not a regular file"},
		{write("broken", 0o600, vectorKeyring+"kek x\n"), "line 7: not six words"},
		{write("large", 0o600, vectorKeyring+strings.Repeat("#\n", maxFileSize/2)), "larger than"},
		{filepath.Join(dir, "none"), "no such file"},
	} {
		k, err := LoadKeyring(row.path)
		if err == nil || k != nil {
			t.Errorf("%s: accepted", row.path)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, row.want) || !strings.Contains(text, row.path) || strings.Contains(text, "\n") {
			t.Errorf("%s: %q, want one line with %q and the path", row.path, text, row.want)
		}
		noKeyIn(t, err, []byte(vectorKeyring))
	}
	for _, path := range []string{
		write("good", 0o600, vectorKeyring),
		write("read-only", 0o400, vectorKeyring),
		linkTo("link-to-good", filepath.Join(dir, "good")),
	} {
		if _, err := LoadKeyring(path); err != nil {
			t.Error(err)
		}
	}
}

// A change that cannot be finished leaves the file as it was, also where it has its name
// already, as when the folder cannot be synced.
func TestReplaceFilePutsBack(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	for name, row := range map[string]struct {
		place func(from, to string) error
		want  error
	}{
		"before":  {func(string, string) error { return fault }, fault},
		"after":   {func(from, to string) error { return errors.Join(os.Rename(from, to), fault) }, fault},
		"neither": {os.Rename, nil},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "keyring")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "old"
		if row.want == nil {
			want = "fresh"
		}
		if err := replaceFile(path, []byte("old"), []byte("fresh"), row.place); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s: the file holds %q, %v; want %q", name, text, err, want)
		}
		if names, _ := os.ReadDir(dir); len(names) != 1 {
			t.Errorf("%s: %d files, want 1", name, len(names))
		}
	}
}

func TestRefuseFile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		mode        fs.FileMode
		owner, self int
		ok          bool
	}{
		{0o600, 7, 7, true},
		{0o400, 7, 7, true},
		{0o600, 0, 0, true},
		{0o600, 7, 8, false},
		{0o600, 7, 0, false},
		{0o600, 0, 7, false},
		{0o610, 7, 7, false},
		{0o601, 7, 7, false},
		{0o644, 7, 7, false},
		{fs.ModeDir | 0o600, 7, 7, false},
		{fs.ModeSymlink | 0o600, 7, 7, false},
		{fs.ModeNamedPipe | 0o600, 7, 7, false},
		{fs.ModeDevice | fs.ModeCharDevice | 0o600, 7, 7, false},
	} {
		if err := refuseFile(row.mode, row.owner, row.self); (err == nil) != row.ok {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

// The owner that is checked is that of the file.
func TestLoadKeyringOfAnotherUser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring")
	if _, err := CreateKeyring(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, os.Geteuid()+1, -1); errors.Is(err, fs.ErrPermission) {
		t.Skip("only root can give a file away")
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path); err == nil || !strings.Contains(err.Error(), "chown") {
		t.Errorf("%v, want a refusal that says chown", err)
	}
}

func TestLoadOrCreateKeyring(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "keyring")
		texts := make([]string, 8)
		var wg sync.WaitGroup
		for i := range texts {
			wg.Go(func() {
				k, err := LoadOrCreateKeyring(path)
				if err != nil {
					t.Error(err)
					return
				}
				texts[i] = string(k.keys().text())
			})
		}
		wg.Wait()
		for _, text := range texts {
			if text != texts[0] {
				t.Fatal("two keyrings came out of one start")
			}
		}
	}
	broken := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKeyring(broken); err == nil {
		t.Error("an empty file was taken for no file")
	}
}
