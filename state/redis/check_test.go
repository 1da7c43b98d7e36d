// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import "testing"

func TestRecent(t *testing.T) {
	t.Parallel()
	for info, want := range map[string]bool{
		"redis_version:6.2.19\r\n": false,
		"redis_version:7.0.0\r\n":  true,
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.11\r\n": true,
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.1.0\r\n":  false,
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n":  true,
		"redis_version:10.0.0\r\n": true,
		"redis_version:new\r\n":    false,
		"":                         false,
	} {
		if got := recent(fields(info)); got != want {
			t.Errorf("%q: %v", info, got)
		}
	}
}
