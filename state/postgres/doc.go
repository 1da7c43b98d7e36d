// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres keeps the short-lived state that many nodes share in a PostgreSQL
// database, version 15 or newer: the nonces that were used and the counters of rate
// limits. Nothing else is needed beside it.
//
// # The clock
//
// The server's clock decides, read in the statement that needs it. So nodes agree whose
// clocks differ. Options.Skew is how far a node's clock may be from the server's, and how
// far the clock of a server may be behind that of the one it takes over from. Where the
// server's clock is ahead of a node's, nonces end so much earlier.
//
// # Replay: what must hold
//
// A nonce succeeds at most once on all nodes, also across a crash of the server, the
// promotion of a replica and a restore from a backup, and no claim waits for the disk.
//
// # Replay: how
//
// A claimed pair is a row of nonces: a digest of (key, nonce) and the end. The table is
// UNLOGGED. A clean restart keeps it; a crash empties it, and a promoted replica has it
// empty. nonce_birth, which is UNLOGGED too, has one row, the birth of this memory:
//
//	floor      a nonce signed at or before it is not claimed
//	forgotten  the latest end among the pairs that were purged; a claim that ends no later
//	           is refused, so that a step back of the clock frees nothing
//	self       the oid of nonces when the row was written
//	system     the identifier of the database cluster then
//
// A claim is one statement. It inserts the pair only where there is a birth that belongs to
// this very table: without a row the memory was emptied, and another oid or cluster says
// that both tables are copies out of a dump. Then nothing is claimed, and a new birth is
// written: its floor is now + MaxAhead + 2 × Skew, later than any earlier claim can have
// been signed for. Until the clock has passed the floor a claim signed at or before it is an
// error, which says when; then it is refused. The oid is compared by every claim, the cluster
// by every new connection.
//
// Errors are never answers. A claim that the server aborted, of which it says so (SQLSTATE
// 40001, 40P01), is known not to have happened and runs again. Any other failure leaves open
// whether the nonce was claimed; it is reported as one and not tried again, since a second
// try could meet the first one's row.
//
// What the server keeps is bounded by what holders of keys can prove within MaxWindow, about
// 120 bytes a claim, if Purge is called. There is no other cap: counting rows would cost more
// than they do.
//
// What no database can tell: a replica promoted while the old primary still answers. Whoever
// promotes must end the old one first.
//
// # Limiter
//
// A counter is a row of limit_counters: an instant and a count, as package gcra has them,
// under a digest of subject, name and refill, and the outcome of the last charge, so that
// the statement that charges can return it. The arithmetic is that of gcra, in SQL. The clock
// is read after the row is locked: whoever comes later must not be earlier.
//
// One limit is one statement and one round trip. Several are one transaction, read committed,
// of two round trips: the rows in the order of their ids, so that charges never wait for each
// other in a circle, then COMMIT or, when one refuses, ROLLBACK.
//
// The table is logged, so counters survive everything that the database survives. But
// sessions have synchronous_commit off: a crash of the server forgets at most the charges of
// the last three wal_writer_delay, 0.6 s as it comes. The same goes for a failover, and for
// what the replica had not received. What a restore brings back is as it was then, and time
// has paid off.
//
// There are no triggers, sequences, advisory locks, SELECT FOR UPDATE or settings of a session
// but that one. Beyond plain SQL the package needs UNLOGGED tables, oids and the function
// pg_control_system, which everybody may call unless it was taken away.
package postgres
