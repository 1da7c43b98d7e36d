// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

func TestParseLimits(t *testing.T) {
	t.Parallel()
	f := limitFlags{
		Limit: []string{"calls=100/1m+20", "a=1/1ms", "b=9223372036854775807/36500d"}, Quota: []string{"plan=1000/day", "x=1/month"},
	}
	got, err := f.limits()
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Limit{
		{Name: "calls", Count: 100, Period: 60000, Burst: 20}, {Name: "a", Count: 1, Period: 1}, {Name: "b", Count: 1<<63 - 1, Period: 36500 * 86400000},
		{Name: "plan", Count: 1000, Refill: "day"}, {Name: "x", Count: 1, Refill: "month"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	for _, text := range []string{
		"", "calls", "calls=", "calls=100", "calls=100/", "=100/1m", "calls=0/1m", "calls=-1/1m", "calls=1.5/1m", "calls=100/m", "calls=100/0s", "calls=100/1us",
		"calls=100/1m+", "calls=100/1m+0", "calls=100/1m+1+1", "calls=9223372036854775808/1m", "calls=100/day", "calls=1e3/1m", "calls=100/-1m",
	} {
		if got, err := (&limitFlags{Limit: []string{text}}).limits(); !isUsage(err) || got != nil {
			t.Errorf("--limit %q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "plan=1000/", "plan=1000", "plan=1000/year", "plan=1000/Day", "plan=0/day", "=1/day", "plan=1000/1d", "plan=1000/day+5"} {
		if got, err := (&limitFlags{Quota: []string{text}}).limits(); !isUsage(err) || got != nil {
			t.Errorf("--quota %q: %v, %v", text, got, err)
		}
	}
}

// What is read is printed so that it reads the same.
func FuzzLimit(f *testing.F) {
	for _, text := range []string{"calls=100/1m+20", "a=1/1ms", "plan=1000/day", "=1/", "b=1/36500d+1", "c=1/2w"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, parse := range map[string]func(string) (api.Limit, bool){"limit": parseLimit, "quota": parseQuota} {
			l, ok := parse(text)
			if !ok {
				continue
			}
			if again, ok := parse(limitText(&l)); !ok || again != l || l.Count < 1 || l.Name == "" || (l.Period < 1) == (l.Refill == "") {
				t.Errorf("%s %q reads as %+v, printed %q, which reads as %+v", name, text, l, limitText(&l), again)
			}
		}
	})
}

func TestParseMeta(t *testing.T) {
	t.Parallel()
	got, err := parseMeta([]string{"plan=gold", "note=a=b, c", "empty="})
	if diff := cmp.Diff(map[string]string{"plan": "gold", "note": "a=b, c", "empty": ""}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, pairs := range [][]string{{"plan"}, {"=gold"}, {"a=1", "a=2"}} {
		if got, err := parseMeta(pairs); !isUsage(err) || got != nil {
			t.Errorf("%q: %v, %v", pairs, got, err)
		}
	}
}

func TestParseGrace(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]int64{"0": 0, "24h": 86400, "30d": 2592000, "8w": 4838400, "2026-01-31T13:00:00Z": 3600, "1500ms": 1} {
		if got, err := parseGrace(text, now); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1h", "0s", "999ms", "2026-01-31T12:00:00Z", "2025-01-31T12:00:00Z", "never"} {
		if got, err := parseGrace(text, now); !isUsage(err) || !strings.Contains(err.Error(), "--grace") {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
