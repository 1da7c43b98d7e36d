// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package memory keeps the short-lived state of a single node: the nonces that were used
// ([Replay]) and the counters of rate limits ([Limiter]).
//
// # Replay: what must hold
//
// A nonce succeeds at most once, also across kill -9 and a restart inside its window, and a
// plain restart refuses no honest request. No claim waits for the disk. Memory is bounded.
//
// # Replay: how
//
// A claimed pair is a record of 40 bytes: a digest of (key, nonce), the signed time, the
// end, and a check word. Records are appended to one of two generations. When all of the
// older generation has expired, it is dropped as a whole and the younger takes its place.
// So nothing is ever deleted one by one, and what a burst took is free two windows later.
// An index of four bytes a slot finds a record by its digest; it holds no pointers, so the
// collector has no work with it.
//
// The records are a file in the data directory, mapped shared. A store into the mapping is
// in the kernel's page cache when it retires, and the page cache outlives the process: so a
// record that is written before Claim answers survives kill -9 without a system call. It
// does not survive the machine, nor need it: fsync for every request would cost a thousand
// times the claim.
//
// What the file cannot tell is not granted. The floor is an instant; a nonce whose signed time
// is not after it is not claimed. Until the clock has passed the floor that is an error, which
// says when: nothing fresher can be signed yet. Then it is a refusal. The floor is raised
//
//   - at the start, to now + MaxAhead, the latest time any earlier claim can have been signed
//     for, when the file is missing or damaged, when the machine was started since (the boot
//     id in the header differs) or when the file is a copy (its inode number differs; this
//     finds most copies, not all);
//   - when a generation is full before the older one has expired: then the older one is
//     dropped early, and the floor is the latest signed time in it. A flood costs slow
//     requests, never a replay.
//
// A second mark, forgotten, is the latest end among the pairs dropped in time. A claim that
// ends no later is refused. While the process runs that says no more than the clock, which
// never goes back here; it matters after a restart with the clock set back. Unlike a stored
// clock it is not poisoned when the clock was wrong, far ahead, for a moment.
//
// One mutex guards it all: it is held for about 100 ns a claim, against 13 µs of processor
// time that the HTTP request costs. The digest, SHA-256 keyed with a random secret from the
// header, is computed outside it. Keyed, because a client chooses its nonces: it cannot aim
// at one chain of the index. Stable, because the file must be readable after a restart.
//
// # The file
//
// replay.journal, little-endian. A header of 64 KiB, of which little is used; then blocks
// of 320 KiB, each with 4,096 records of generation 0 and as many of generation 1. Blocks
// are added when a generation needs them, filled with zeros: the disk says that it is full
// in a write, not in a fault that would end the process. Truncating the file while the
// process runs is such a fault. Deleting it while the process is down is safe: it costs the
// floor.
//
//	header    0 "gatehouse replay"   16 format, u32   20 sequence numbers of the generations, 2 × u32
//	         28 CRC-32C of the header's first 120 bytes with this field zero
//	         32 inode, u64   40 floor, i64   48 forgotten, i64   56 secret, 16 bytes
//	         72 boot id, 36 bytes   120 records in the generations, 2 × u64
//	record    0 digest, 16 bytes   16 signed, i64   24 until, i64
//	         32 sequence number of its generation, u32   36 CRC-32C of the 36 bytes before
//
// Times are nanoseconds since 1970. A record counts when its check word and its sequence
// number fit; a crash in the middle of a write leaves one that does not, which nobody was
// told of. The counts are written after the records they count: a bad record below its
// generation's count is damage. The intact ones are read all the same.
//
// replay.lock is locked (flock) by the process that has the journal open. It stays when the
// process ends and tells later ones that there has been a journal.
//
// # Limiter
//
// A request is charged to several limits of several subjects: all of them or none. Package
// gcra decides; a counter is an instant and a count, under a hash of subject, name and
// refill. One mutex guards all counters, as it does in a Replay; it is held for about 50 ns a
// limit.
//
// Counters of keys must survive kill -9, or whoever can make the process die has a quota
// anew. So they are in a mapped file too. A counter stays in its place as long as it says
// anything, and a new one takes the place of an idle one: nothing is moved, so a process that
// dies leaves nothing half moved. Each new counter looks at a few old ones in turn, which
// keeps the file at about the counters in use, without a pause to sweep. A counter is written
// in stores of eight bytes in an order in which every state in between is good: the one
// before, the one after, or an idle one. A check word tells damage from that: it is zero
// while a counter is being written.
//
// limits.counters, little-endian, is a header of 64 KiB and blocks of 64 KiB, each with 2,048
// counters:
//
//	header    0 "gatehouse limits"   16 format, u32   20 CRC-32C of the 40 bytes but for this field
//	         24 secret of the hash, 16 bytes   40 number of blocks, u64
//	counter   0 id, u64; zero: never used   8 TAT of a rate limit, or end of a quota's span, i64
//	         16 used in the span, i64; zero of a rate limit
//	         24 CRC-32C of the 24 bytes before, plus 1 << 32; zero: being written
//
// limits.lock is to it what replay.lock is to the journal.
package memory
