// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
)

var (
	bin        = binary.LittleEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// digest stands for a (key, nonce) pair.
type digest [2]uint64

// digestOf returns the first half of SHA-256(secret, length of key, key, nonce).
func digestOf(secret *[16]byte, key, nonce string) digest {
	var buf [256]byte // keeps pairs of a usual length off the heap
	b := append(buf[:0], secret[:]...)
	b = bin.AppendUint64(b, uint64(len(key)))
	b = append(b, key...)
	b = append(b, nonce...)
	sum := sha256.Sum256(b)
	return digest{bin.Uint64(sum[:8]), bin.Uint64(sum[8:16])}
}

// recordSize is the size of a record; the package comment has its layout.
const recordSize = 40

// record is one claimed pair: recordSize bytes of a journal.
type record []byte

func (r record) digest() digest { return digest{bin.Uint64(r), bin.Uint64(r[8:])} }
func (r record) signed() int64  { return int64(bin.Uint64(r[16:])) }
func (r record) until() int64   { return int64(bin.Uint64(r[24:])) }

// write fills the record for the generation with sequence number seq.
func (r record) write(d digest, signed, until int64, seq uint32) {
	bin.PutUint64(r, d[0])
	bin.PutUint64(r[8:], d[1])
	bin.PutUint64(r[16:], uint64(signed))
	bin.PutUint64(r[24:], uint64(until))
	bin.PutUint32(r[32:], seq)
	bin.PutUint32(r[36:], crc32.Checksum(r[:36], castagnoli))
}

// intact reports whether the record was written whole for the generation with sequence
// number seq.
func (r record) intact(seq uint32) bool {
	return bin.Uint32(r[32:]) == seq && bin.Uint32(r[36:]) == crc32.Checksum(r[:36], castagnoli)
}
