// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const maxFileSize = 1 << 20 // bytes; far above any honest keyring

// LoadKeyring reads a keyring. A symbolic link is followed; what it leads to must be a
// regular file that belongs to the effective user of the process and that neither group
// nor others may touch. Anything else, and any line that is not understood, is refused
// with an error of one line that names the file and what to do and holds nothing of the
// file's content. fs.ErrNotExist when there is no such file.
func LoadKeyring(path string) (*Keyring, error) {
	// Without O_NONBLOCK a named pipe would hang the start instead of being refused.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer f.Close()
	// The open file is asked, not the path, which may lead elsewhere by now.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("keyring %s: the system does not say whose file it is", path)
	}
	if err := refuseFile(info.Mode(), int(stat.Uid), os.Geteuid()); err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("keyring %s: larger than 1 MiB", path)
	}
	k, err := parseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	return k, nil
}

// refuseFile says why a file with this mode and owner may not hold a keyring.
func refuseFile(mode fs.FileMode, owner, self int) error {
	switch {
	case !mode.IsRegular():
		return errors.New("not a regular file")
	case owner != self:
		return fmt.Errorf("belongs to user %d, and this process runs as user %d: chown it", owner, self)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("group or others may access it (mode %04o): chmod 600", mode.Perm())
	}
	return nil
}

// CreateKeyring makes a file of mode 0600 with one fresh key of each kind and reads it
// back. When it returns, file and directory entry are on disk. The file appears under
// its name complete or not at all. fs.ErrExist when the name is taken; what has it is
// left alone.
func CreateKeyring(path string) (*Keyring, error) {
	if err := writeNew(path, newKeyring(time.Now()).text()); err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	return LoadKeyring(path)
}

// LoadOrCreateKeyring loads a keyring, or creates it where there is none. Of several
// processes that start at once, one creates and all return the same keyring.
func LoadOrCreateKeyring(path string) (*Keyring, error) {
	k, err := LoadKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k, err = CreateKeyring(path)
	if errors.Is(err, fs.ErrExist) {
		return LoadKeyring(path)
	}
	return k, err
}

// writeNew writes a file of mode 0600 that must not exist yet. The text is written and
// synced under another name first; linking it, unlike renaming, never replaces a file.
func writeNew(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".keyring-*") // 0600, O_EXCL
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync() // or a power cut may take the name away
}
