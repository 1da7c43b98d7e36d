// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// Errors of [Open], compared with errors.Is.
var (
	// ErrVersion: the server is older than Redis 7 and Valkey 7.2.
	ErrVersion = errors.New("the server is too old")
	// ErrUnsafe: the server may evict what must be remembered: it has a maxmemory, and its
	// maxmemory-policy is not noeviction.
	ErrUnsafe = errors.New("the server may evict data (maxmemory-policy)")
)

// check checks every server the client knows and can reach, of which there must be one.
func (c *Client) check(ctx context.Context, unsafe bool) error {
	var silent error
	checked := 0
	for addr, node := range c.r.Nodes() {
		text, err := c.do(ctx, func(ctx context.Context) rueidis.RedisResult {
			return node.Do(ctx, node.B().Info().Section("server", "memory").Build())
		}).ToString()
		if err != nil {
			silent = fmt.Errorf("check %s: %w", addr, err)
			continue
		}
		checked++
		info := fields(text)
		if !recent(info) {
			return fmt.Errorf("check %s: %w: %s", addr, ErrVersion, info["redis_version"])
		}
		if !unsafe && info["maxmemory"] != "0" && info["maxmemory_policy"] != "noeviction" {
			return fmt.Errorf("check %s: %w: %s", addr, ErrUnsafe, info["maxmemory_policy"])
		}
	}
	if checked == 0 {
		return silent
	}
	return nil
}

// fields reads the answer of INFO.
func fields(info string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// recent reports whether the server is Redis 7, Valkey 7.2 or newer. Valkey calls itself
// Redis 7.2 beside its own version.
func recent(info map[string]string) bool {
	if own, ok := info["valkey_version"]; ok {
		major, minor := version(own)
		return major > 7 || major == 7 && minor >= 2
	}
	major, _ := version(info["redis_version"])
	return major >= 7
}

func version(text string) (major, minor int) {
	first, rest, _ := strings.Cut(text, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, _ = strconv.Atoi(first) // what is no number is an old version
	minor, _ = strconv.Atoi(second)
	return major, minor
}
