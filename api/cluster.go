// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Cluster is how the process that answers stands among those that share its database.
type Cluster struct {
	Node    string `json:"node,omitempty" doc:"id of the process that answers; absent where it is alone"`
	Store   Part   `json:"store" doc:"what keeps the keys"`
	Feed    Part   `json:"feed" doc:"what tells of changes that other processes make"`
	FeedAge int64  `json:"feed_age_ms,omitempty" doc:"how long ago the feed was read last, in milliseconds; absent where it never was, or there is none"`
	Nonces  Part   `json:"nonces" doc:"what remembers the nonces of signed requests"`
	Limits  Part   `json:"limits" doc:"what counts under limits and quotas"`
	Keyring Part   `json:"keyring" doc:"what opens sealed secrets"`
	Rules   *Part  `json:"rules,omitempty" doc:"the file that route rules are read from; absent where there is none"`
	Nodes   []Node `json:"nodes" nullable:"false" doc:"all processes, the longest running first"`
}

// Part is something that decisions rest on.
type Part struct {
	Kind    string `json:"kind" doc:"such as 'sqlite', 'postgresql' or 'redis'"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty" doc:"what is wrong, and what that means"`
}

// Node is a process that shares the database.
type Node struct {
	ID      string    `json:"id" doc:"of one run of the process"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Lease   int64     `json:"lease_ms" doc:"how long it answers from what it has read, in milliseconds; 0: never"`
	Started time.Time `json:"started" doc:"by its own clock"`
	Seen    time.Time `json:"seen" doc:"when it last looked for changes, by its own clock"`
	Shares  string    `json:"shares" doc:"where it keeps nonces and limits: 'postgresql' or 'redis'"`
	Silent  int64     `json:"silent_ms,omitempty" doc:"for how long nothing was heard of it, in milliseconds, where that is longer than its lease: it is dead, paused or cut off"`
}
