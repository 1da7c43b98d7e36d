// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	maxFileSize = 1 << 20 // bytes; far above any honest keyring
	tempName    = ".keyring-*"
)

// LoadKeyring reads a keyring and the files that it refers to. A symbolic link is
// followed; what it leads to must be a regular file that belongs to the effective user of
// the process and that neither group nor others may touch. Anything else, and any line
// that is not understood, is refused with an error of one line that names the file and
// what to do and holds nothing of the file's content. fs.ErrNotExist when there is no
// such file.
//
// A process that meets a key that it does not hold, a KEK or a pepper, reads the file again,
// once a second at most: the keyring of another node may have been copied over it. It takes
// a file that holds all that it holds, and nothing of any other.
func LoadKeyring(path string) (*Keyring, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	list, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	for i := range list {
		if err := list[i].load(); err != nil {
			return nil, fmt.Errorf("keyring %s: key %q, at %s: %w", path, list[i].id, list[i].source, err)
		}
	}
	k := keyringOf(list)
	k.ring.path = path
	return k, nil
}

// readPrivate reads a file that nobody else may touch. Its errors do not name the path.
func readPrivate(path string) ([]byte, error) {
	// Without O_NONBLOCK a named pipe would hang the start instead of being refused.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	// The open file is asked, not the path, which may lead elsewhere by now.
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.New("the system does not say whose file it is")
	}
	if err := refuseFile(info.Mode(), int(stat.Uid), os.Geteuid()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(text) > maxFileSize {
		return nil, errors.New("larger than 1 MiB")
	}
	return text, nil
}

// cause drops the path of an error about a file.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
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
	// Linking, unlike renaming, never replaces a file.
	if err := writeFile(path, newKeys(time.Now()).text(), os.Link); err != nil {
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

// writeFile writes a file of mode 0600 in the folder of path, syncs it, gives it its name
// with place, and syncs the folder. With an error, place may have been called or not.
func writeFile(path string, text []byte, place func(from, to string) error) error {
	// Opened first, so that after place only the sync can fail.
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	f, err := os.CreateTemp(d.Name(), tempName) // 0600, O_EXCL
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
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return d.Sync() // or a power cut may take the name away
}

// replaceFile replaces the text of a file. Where that fails the file is put back, also
// when it has the new text already and only the sync failed: what a power cut leaves then
// is the one or the other, and nothing has been made with the new one.
func replaceFile(path string, old, fresh []byte, place func(from, to string) error) error {
	if err := writeFile(path, fresh, place); err != nil {
		return errors.Join(err, putBack(path, old))
	}
	return nil
}

// putBack gives a file the text that it had, if it has another.
func putBack(path string, text []byte) error {
	if now, err := readPrivate(path); err == nil && bytes.Equal(now, text) {
		return nil
	}
	if err := writeFile(path, text, os.Rename); err != nil {
		return fmt.Errorf("put back: %w", err)
	}
	return nil
}

// change replaces the file by what edit makes of the keys, calls record, and then
// replaces the keys in memory. So what is made with a new key comes after the key is on
// disk. Where record fails the file is put back, and record is called once more, to say
// that the change failed. A file that somebody else has changed is not overwritten:
// [RefusedError].
func (k *Keyring) change(edit func(keys) (keys, error), record func(gatehouse.Outcome) error) error {
	if k.ring == nil || k.ring.path == "" {
		return fmt.Errorf("%w: it is in no file", ErrKeyring)
	}
	k.ring.turn.Lock()
	defer k.ring.turn.Unlock()
	before := k.keys()
	after, err := edit(slices.Clone(before))
	if err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(k.ring.path)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	onDisk, err := readPrivate(path)
	if err != nil {
		return fmt.Errorf("keyring %s: %w", path, err)
	}
	if list, err := parseKeys(onDisk); err != nil || !bytes.Equal(list.text(), before.text()) {
		return refused("its file was changed by other hands since it was read; start the server again with the file that is right")
	}
	// What a crash left of an earlier change holds keys, perhaps retired ones.
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), tempName))
	for _, name := range left {
		_ = os.Remove(name)
	}
	if err := replaceFile(path, onDisk, after.text(), os.Rename); err != nil {
		return fmt.Errorf("keyring %s: %w", path, err)
	}
	if err := record(gatehouse.OutcomeSucceeded); err != nil {
		if back := putBack(path, onDisk); back != nil {
			return errors.Join(err, fmt.Errorf("keyring %s: %w", path, back))
		}
		_ = record(gatehouse.OutcomeFailed) // the first one may be in the log, and only its answer lost
		return err
	}
	k.ring.current.Store(&after)
	return nil
}

// followEvery is how often at most a file is read again.
const followEvery = time.Second

// follow takes the file as it is now, where that has more than what was read and lacks
// nothing of it.
func (k *Keyring) follow() {
	if k.ring == nil || k.ring.path == "" || !k.ring.turn.TryLock() { // nobody waits for a change of it
		return
	}
	defer k.ring.turn.Unlock()
	now := time.Now()
	if now.Sub(k.ring.followed).Abs() < followEvery {
		return
	}
	k.ring.followed = now
	fresh, err := LoadKeyring(k.ring.path)
	if err != nil {
		return // the key stays missing, and whoever needs it says so
	}
	after := fresh.keys()
	for _, held := range k.keys() {
		e := after.byID(held.kind, held.id)
		if e == nil || e.algorithm != held.algorithm || !bytes.Equal(e.key, held.key) || held.key == nil && e.source != held.source {
			return
		}
	}
	k.ring.current.Store(&after)
}
