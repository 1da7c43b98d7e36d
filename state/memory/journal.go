// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"crypto/rand"
	"errors"
	"hash/crc32"
	"os"
	"strings"
)

// The layout of a journal; the package comment describes it.
const (
	blockRecords = 4096 // of each generation
	blockSize    = 2 * blockRecords * recordSize

	magic  = "gatehouse replay"
	format = 1

	headerSum  = 28  // where the header's check word is
	headerEnd  = 120 // what it covers
	bootIDSize = 36
)

// journal is where records live.
type journal struct {
	mapped
	header header // what head holds, but for the counts
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
	j = memoryJournal()
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	info, first, err := j.open(dir, "replay.journal", "replay.lock")
	if err != nil {
		return j, "", err
	}
	now := header{inode: inode(info), boot: bootID()}
	head, err := j.readHead(info.Size(), headerEnd)
	if err != nil {
		return j, "", err
	}
	was, ok := decodeHeader(head)
	switch {
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

// mapAll maps the file and puts today's boot id and inode into the header that was there,
// or, where there was none, begins the file anew: nothing of it can be told without its
// secret.
func (j *journal) mapAll(was header, ok bool, now header) error {
	if ok {
		j.header = was
	}
	j.header.boot, j.header.inode = now.boot, now.inode
	return j.mapFile(ok)
}

// memoryJournal returns a journal in plain memory.
func memoryJournal() *journal {
	return &journal{
		mapped: mapped{name: "replay journal", size: blockSize, head: make([]byte, headerSize)},
		header: newHeader(),
	}
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

// count returns how many records a half is known to have.
func (j *journal) count(half int) uint64 { return bin.Uint64(j.head[headerEnd+8*half:]) }

func (j *journal) setCount(half, n int) { bin.PutUint64(j.head[headerEnd+8*half:], uint64(n)) }

// save writes the header. A process that dies meanwhile leaves a damaged one: that costs
// the floor, and nothing worse.
func (j *journal) save() { j.header.encode(j.head) }

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
// they are one; nil is none.
func decodeHeader(b []byte) (h header, ok bool) {
	if b == nil {
		return header{}, false
	}
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
