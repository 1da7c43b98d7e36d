// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

// The layout of a journal; the package comment describes it. Header and blocks are whole
// pages also where a page has 64 KiB.
const (
	headerSize   = 64 << 10
	blockRecords = 4096 // of each generation
	blockSize    = 2 * blockRecords * recordSize

	magic  = "gatehouse replay"
	format = 1

	headerSum  = 28  // where the header's check word is
	headerEnd  = 120 // what it covers
	bootIDSize = 36
)

// journal is where records live: a file mapped into memory, or plain memory.
type journal struct {
	file   *os.File // nil: plain memory
	lock   *os.File // nil: plain memory
	head   []byte   // headerSize bytes
	blocks [][]byte // blockSize bytes each
	header header   // what head holds, but for the counts
}

// header is the part of a journal's header that a check word covers.
type header struct {
	seq       [2]uint32 // of the generation in each half; zero: never used
	inode     uint64
	floor     int64
	forgotten int64
	secret    [16]byte
	boot      string // empty: unknown
}

// openJournal opens or makes the journal in dir and takes its lock. doubt is empty when
// everything that was ever claimed is in it or below its floor and its forgotten mark;
// else it says in words why that may not be so. fresh says that nothing was ever claimed;
// traces of an older journal say more. The error wraps ErrInUse when the journal is open
// already.
func openJournal(dir string, fresh bool) (j *journal, doubt string, err error) {
	lockPath := filepath.Join(dir, "replay.lock")
	_, err = os.Lstat(lockPath)
	first := errors.Is(err, os.ErrNotExist)
	j = &journal{}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	if j.lock, err = os.OpenFile(lockPath, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return j, "", err
	}
	if err = lockFile(j.lock); err != nil {
		return j, "", err
	}
	path := filepath.Join(dir, "replay.journal")
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return j, "", err
	}
	info, err := j.file.Stat()
	if err != nil {
		return j, "", err
	}
	now := header{inode: inode(info), boot: bootID()}
	was, ok, err := j.readHeader(info.Size())
	switch {
	case err != nil:
		return j, "", err
	case info.Size() == 0 && first && fresh:
	case info.Size() == 0:
		doubt = "there is no journal"
	case !ok:
		doubt = "the journal is damaged"
	case was.boot == "" || was.boot != now.boot:
		doubt = "the machine was started since"
	case was.inode != now.inode:
		doubt = "the journal is a copy"
	}
	return j, doubt, j.mapAll(was, ok, now)
}

// readHeader reads the header of the file. ok is false where there is none that is whole.
func (j *journal) readHeader(size int64) (h header, ok bool, err error) {
	if size < headerSize {
		return header{}, false, nil
	}
	buf := make([]byte, headerEnd)
	if _, err := j.file.ReadAt(buf, 0); err != nil {
		return header{}, false, err
	}
	h, ok = decodeHeader(buf)
	return h, ok, nil
}

// mapAll maps the file and puts today's boot id and inode into the header that was there,
// or, where there was none, begins the file anew.
func (j *journal) mapAll(was header, ok bool, now header) error {
	if !ok {
		// Nothing of the file can be told without its secret. What is cut off
		// reads as zeros when it comes back.
		if err := j.file.Truncate(0); err != nil {
			return err
		}
		if _, err := j.file.WriteAt(make([]byte, headerSize), 0); err != nil {
			return err
		}
		was = newHeader()
	}
	var err error
	if j.head, err = mapFile(j.file, 0, headerSize); err != nil {
		return err
	}
	was.boot, was.inode = now.boot, now.inode
	j.header = was
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	for range (info.Size() - headerSize) / blockSize {
		if err := j.mapBlock(); err != nil {
			return err
		}
	}
	return nil
}

// memoryJournal returns a journal in plain memory.
func memoryJournal() *journal {
	return &journal{head: make([]byte, headerSize), header: newHeader()}
}

func newHeader() header {
	h := header{seq: [2]uint32{1, 0}, floor: never, forgotten: never}
	_, _ = rand.Read(h.secret[:]) // crypto/rand.Read never fails
	return h
}

// records returns how many records each half has room for now.
func (j *journal) records() int { return len(j.blocks) * blockRecords }

// record returns the record at position i of a half.
func (j *journal) record(half, i int) record {
	at := (half*blockRecords + i%blockRecords) * recordSize
	return j.blocks[i/blockRecords][at : at+recordSize : at+recordSize]
}

// grow adds a block.
func (j *journal) grow() error {
	zeros := make([]byte, blockSize)
	if j.file == nil {
		j.blocks = append(j.blocks, zeros)
		return nil
	}
	if _, err := j.file.WriteAt(zeros, headerSize+int64(len(j.blocks))*blockSize); err != nil {
		return fmt.Errorf("grow replay journal: %w", err)
	}
	return j.mapBlock()
}

// mapBlock maps the file's next block, which is there.
func (j *journal) mapBlock() error {
	b, err := mapFile(j.file, headerSize+int64(len(j.blocks))*blockSize, blockSize)
	if err != nil {
		return fmt.Errorf("map replay journal: %w", err)
	}
	j.blocks = append(j.blocks, b)
	return nil
}

// count returns how many records a half is known to have.
func (j *journal) count(half int) uint64 { return bin.Uint64(j.head[headerEnd+8*half:]) }

func (j *journal) setCount(half, n int) { bin.PutUint64(j.head[headerEnd+8*half:], uint64(n)) }

// save writes the header. A process that dies meanwhile leaves a damaged one: that costs
// the floor, and nothing worse.
func (j *journal) save() { j.header.encode(j.head) }

// close unmaps the journal, writes it to the disk and gives up the lock.
func (j *journal) close() error {
	if j.lock == nil {
		return nil
	}
	var errs []error
	for _, b := range append(j.blocks, j.head) {
		if b != nil {
			errs = append(errs, unmap(b))
		}
	}
	if j.file != nil {
		errs = append(errs, j.file.Sync(), j.file.Close())
	}
	return errors.Join(append(errs, unlockFile(j.lock), j.lock.Close())...)
}

// encode writes the header into b.
func (h *header) encode(b []byte) {
	b = b[:headerEnd]
	copy(b, magic)
	bin.PutUint32(b[16:], format)
	bin.PutUint32(b[20:], h.seq[0])
	bin.PutUint32(b[24:], h.seq[1])
	bin.PutUint64(b[32:], h.inode)
	bin.PutUint64(b[40:], uint64(h.floor))
	bin.PutUint64(b[48:], uint64(h.forgotten))
	copy(b[56:72], h.secret[:])
	clear(b[72 : 72+bootIDSize])
	copy(b[72:72+bootIDSize], h.boot)
	bin.PutUint32(b[headerSum:], 0)
	bin.PutUint32(b[headerSum:], crc32.Checksum(b, castagnoli))
}

// decodeHeader reads a header from headerEnd bytes, which it changes. ok is false unless
// they are one.
func decodeHeader(b []byte) (h header, ok bool) {
	sum := bin.Uint32(b[headerSum:])
	bin.PutUint32(b[headerSum:], 0)
	if string(b[:16]) != magic || bin.Uint32(b[16:]) != format || sum != crc32.Checksum(b, castagnoli) {
		return header{}, false
	}
	h = header{
		seq:       [2]uint32{bin.Uint32(b[20:]), bin.Uint32(b[24:])},
		inode:     bin.Uint64(b[32:]),
		floor:     int64(bin.Uint64(b[40:])),
		forgotten: int64(bin.Uint64(b[48:])),
		boot:      strings.TrimRight(string(b[72:72+bootIDSize]), "\x00"),
	}
	copy(h.secret[:], b[56:72])
	return h, true
}

// bootID returns what the kernel calls the time since the machine was started, or nothing
// where it has no name for it; then no journal is trusted.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.TrimSpace(string(b))
	if err != nil || len(id) > bootIDSize {
		return ""
	}
	return id
}
