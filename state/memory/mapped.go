// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// headerSize is the size of a header. Headers and blocks are whole pages also where a page
// has 64 KiB.
const headerSize = 64 << 10

// mapped is a header and blocks of one size in a file that is mapped into memory, or in
// plain memory. A store into a shared mapping outlives the process without a system call.
type mapped struct {
	name   string   // what it is, for errors
	size   int      // of a block
	file   *os.File // nil: plain memory
	lock   *os.File // nil: plain memory
	head   []byte   // headerSize bytes; of a file nil until it is mapped
	blocks [][]byte
}

// open takes the lock in dir and opens or makes the file beside it. first says that there
// was no lock file: nobody had it open before. What was opened is closed with close, also
// after an error, which wraps ErrInUse when somebody else has the lock.
func (m *mapped) open(dir, file, lock string) (info os.FileInfo, first bool, err error) {
	m.head = nil
	path := filepath.Join(dir, lock)
	_, err = os.Lstat(path)
	first = errors.Is(err, os.ErrNotExist)
	if m.lock, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, first, err
	}
	if err = lockFile(m.lock); err != nil {
		return nil, first, err
	}
	if m.file, err = os.OpenFile(filepath.Join(dir, file), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, first, err
	}
	info, err = m.file.Stat()
	return info, first, err
}

// readHead reads the first n bytes of the file, which has the given size. It returns nil
// where that is no whole header.
func (m *mapped) readHead(size int64, n int) ([]byte, error) {
	if size < headerSize {
		return nil, nil
	}
	b := make([]byte, n)
	_, err := m.file.ReadAt(b, 0)
	return b, err
}

// mapFile maps the file, all of it, or, where it is not to be kept, an empty one.
func (m *mapped) mapFile(keep bool) error {
	if !keep {
		// What is cut off reads as zeros when it comes back.
		if err := m.file.Truncate(0); err != nil {
			return err
		}
		if _, err := m.file.WriteAt(make([]byte, headerSize), 0); err != nil {
			return err
		}
	}
	var err error
	if m.head, err = mapFile(m.file, 0, headerSize); err != nil {
		return err
	}
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	for range (info.Size() - headerSize) / int64(m.size) {
		if err := m.mapBlock(); err != nil {
			return err
		}
	}
	return nil
}

// grow adds a block of zeros. They are written, so that the disk says that it is full here
// and not in a fault that would end the process.
func (m *mapped) grow() error {
	zeros := make([]byte, m.size)
	if m.file == nil {
		m.blocks = append(m.blocks, zeros)
		return nil
	}
	if _, err := m.file.WriteAt(zeros, m.end()); err != nil {
		return fmt.Errorf("grow %s: %w", m.name, err)
	}
	return m.mapBlock()
}

// mapBlock maps the file's next block, which is there.
func (m *mapped) mapBlock() error {
	b, err := mapFile(m.file, m.end(), m.size)
	if err != nil {
		return fmt.Errorf("map %s: %w", m.name, err)
	}
	m.blocks = append(m.blocks, b)
	return nil
}

// end is where the next block begins in the file.
func (m *mapped) end() int64 { return headerSize + int64(len(m.blocks))*int64(m.size) }

// close unmaps the file, writes it to the disk and gives up the lock.
func (m *mapped) close() error {
	if m.lock == nil {
		return nil
	}
	var errs []error
	for _, b := range append(m.blocks, m.head) {
		if b != nil {
			errs = append(errs, unmap(b))
		}
	}
	if m.file != nil {
		errs = append(errs, m.file.Sync(), m.file.Close())
	}
	return errors.Join(append(errs, unlockFile(m.lock), m.lock.Close())...)
}
