// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"strings"
	"testing"
	"time"
)

func TestRelative(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for passed, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", -59 * time.Second: "just now",
		time.Minute: "1 minute ago", 119 * time.Second: "1 minute ago", 2 * time.Minute: "2 minutes ago", -90 * time.Minute: "in 1 hour",
		time.Hour - 1: "59 minutes ago", 23*time.Hour + 59*time.Minute: "23 hours ago", day: "1 day ago", 60*day - 1: "59 days ago",
		-60 * day: "in 2 months", 729 * day: "24 months ago", 730 * day: "2 years ago",
	} {
		if got := relative(passed); got != want {
			t.Errorf("%v: %q, want %q", passed, got, want)
		}
	}
}

func TestTimeTags(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	const element = `datetime="2026-01-02T02:04:05Z" title="2026-01-02 02:04:05 UTC">`
	if got, want := string(timeTag(&at)), "<time "+element+"2026-01-02 02:04</time>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(agoTag(at)); !strings.HasPrefix(got, "<time data-relative "+element) {
		t.Errorf("got %s", got)
	}
	for _, none := range []any{nil, time.Time{}, (*time.Time)(nil), &time.Time{}} {
		if got := timeTag(none) + agoTag(none); got != never+never {
			t.Errorf("%v: %s", none, got)
		}
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1550: "1.6 kB", 99_949: "99.9 kB", 99_950: "100 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		-2_000_000: "-2.0 MB", 1 << 62: "4.6 EB",
	} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	t.Parallel()
	got := []string{plural(0, "key"), plural(int64(1), "key"), plural(2, "key"), plural(1, "entry", "entries"), plural(uint8(3), "entry", "entries")}
	if want := "0 keys, 1 key, 2 keys, 1 entry, 3 entries"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/keys": `aria-current="page"`, "/keys/new": `aria-current="true"`, "/keysmith": "", "/": ""} {
		if got := string(current(path, "/keys")); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Millisecond: "1 second", time.Minute: "60 seconds", 121 * time.Second: "3 minutes", 2 * time.Hour: "120 minutes", 2*time.Hour + 1: "3 hours", 24 * time.Hour: "24 hours",
	} {
		if got := waiting(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
