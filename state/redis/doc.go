// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package redis keeps the short-lived state of several nodes in Redis or Valkey: the nonces
// that were used ([Replay]) and the counters of limits ([Limiter]). A server alone, a cluster
// and a primary that Sentinels watch over will do.
//
// The account in the URL may run EVAL, EVALSHA, INFO, MGET, SET, TIME and PING on keys that begin
// with {gh:, and in a cluster CLUSTER; to connect also HELLO, AUTH and SELECT.
//
// # What must hold
//
// A nonce succeeds at most once over all nodes, also when the server lost its memory. A
// limit holds over all nodes together. No call waits longer than a bounded time, and a
// failed server is an error, never an answer.
//
// # Outcomes that nobody knows
//
// A command that timed out may have run. It is never sent again: a second SET NX would report
// its own first try as a replay. The caller hears [gatehouse.ErrUnavailable]; the nonce may be
// used up, the limit charged, to the caller's loss and nobody's gain. Commands are not tied to
// the context of the caller either: who hangs up does not break a connection others share. Only
// what the server did not run is sent anew: a redirection of a cluster, a script it did not know.
//
// # Replay: the fence at the birth of a memory
//
// Redis forgets: it is restarted empty or with a file that lacks the last second, it is
// flushed, a replica is promoted that had not heard of everything. It answers as if nothing
// had happened. So a memory has a birth record: who the server was when it was written, and a
// floor. A nonce whose signed time is not after the floor is not claimed: an error that says
// when the clock will have passed the floor, and a refusal from then on. Where the record is
// missing, or names another server than the one the script runs on, something may be lost: the
// script writes a new birth, whose floor is the latest signed time that any earlier claim can
// have had, now + MaxAhead + Skew. Requests signed after that are accepted again.
//
// A server is told by two random ids, both from INFO. run_id is new with every process. So a
// restart is seen, and the promotion of a replica. master_replid is new with every promotion
// and every start as a primary: it tells of a server that was primary, then replica, then
// primary again, and missed what happened in between. Neither alone is enough: a replica that
// is restarted has its primary's replication id until it is promoted. A primary without
// replicas changes its replication id when its backlog expires, an hour after the last one
// left; that costs a floor without need.
//
// There are 256 buckets, each with a birth of its own, {gh:00} to {gh:ff}: a script touches
// one slot of a cluster, and needs no other round trip to find the birth. When one bucket is
// born all others are looked at, so that they do not refuse one after the other for days.
// [Replay.Tend] looks at eight each second, so that a loss is seen without a claim: the floor
// counts from the loss on, not from the first request after it. Every 32nd bucket is one of
// them: of three primaries that share the slots evenly each is seen in every second, of ten in
// four seconds.
//
//	{gh:7f}birth    run_id, 40 hex; master_replid, 40 hex; floor, µs since 1970
//	{gh:7f}DIGEST   end of a pair, µs since 1970; expires Skew after it, and Skew more
//
// DIGEST is 128 bits of SHA-256 over key and nonce, the bucket another eight. INFO and the
// comparison take about 5 µs of the server for a claim.
//
// The fence cannot help where two servers believe to be primary at the same time for longer
// than MaxAhead + Skew. Give primaries min-replicas-to-write 1 where they have replicas.
// Lifetimes are measured by the server's clock: a step forward by more than Skew frees pairs
// early. Let it be slewed.
//
// # Limiter
//
// Package gcra decides. The script reads the time of the server (TIME), so nodes whose clocks
// differ count alike, does the same arithmetic on whole nanoseconds and returns what the
// counters were and when; the node repeats the decision with package gcra for the answer, and
// an answer that does not agree with the script is an error. Lua has doubles: every number of
// 64 bits is held as two, billions and the rest (seconds and nanoseconds), so nothing is rounded.
//
//	{gh:SUBJECT}LIMIT   of a rate limit: TAT, ns since 1970
//	                    of a quota: end of its span, s since 1970, and the count used
//
// SUBJECT is 128 bits of SHA-256, LIMIT 96 over name and refill. A counter expires ten seconds
// after it has nothing to say. The ten seconds are for a server's clock that is set back.
//
// On a server alone all charges of a request are one script: all or none. In a cluster each
// subject is another slot. They are charged one after the other, in the order given; when one
// refuses or fails, those before it get back what they were charged, and those after it are
// asked but not charged. Meanwhile another request may be refused that would have been admitted;
// none is admitted that should have been refused.
//
// What Redis loses begins full. Slack, what may be admitted beyond a limit, is so once what was
// counted since the server's data was last safe (a restart without persistence, a flush, a
// promotion), and while Redis is away what LimiterOptions.Local admits.
package redis
