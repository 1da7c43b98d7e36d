// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day

	maxSpan = 36500 * day
)

// parseSpan reads a duration that may also count days or weeks.
func parseSpan(text string) (time.Duration, bool) {
	for suffix, unit := range map[string]time.Duration{"d": day, "w": week} {
		if count, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseUint(count, 10, 16)
			span := time.Duration(n) * unit
			return span, err == nil && n > 0 && span <= maxSpan
		}
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

// parseTime reads a time, or a duration from now: on in the direction of 1, back in that
// of -1.
func parseTime(flag, text string, now time.Time, direction time.Duration) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if d, ok := parseSpan(text); ok {
		return now.Add(direction * d).UTC(), nil
	}
	return time.Time{}, usageError{fmt.Errorf("--%s is neither a duration such as 90d or 12h nor a time such as 2027-01-31T00:00:00Z", flag)}
}

// past reads a time that lies back, or no time where the text is empty.
func past(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return parseTime(flag, text, time.Now(), -1)
}

// future reads a time to come, or nil where the text is empty.
func future(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := parseTime(flag, text, time.Now(), 1)
	return &t, err
}

// parseGrace reads how long an old secret works on, in seconds: a duration, or a time when
// it ends; 0 is no time at all.
func parseGrace(text string, now time.Time) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	end, err := parseTime("grace", text, now, 1)
	if err != nil {
		return 0, err
	}
	left := end.Sub(now)
	if left < time.Second {
		return 0, usageError{fmt.Errorf("--grace is less than a second, or ends in the past; 0 ends the old secret at once")}
	}
	return int64(left / time.Second), nil
}

// parseUnused reads how long a key may lie unused, in seconds.
func parseUnused(text string) (int64, error) {
	d, ok := parseSpan(text)
	if !ok || d < time.Second {
		return 0, usageError{fmt.Errorf("--unused is no duration such as 365d or 8760h")}
	}
	return int64(d / time.Second), nil
}

// spanText is a duration as parseSpan reads it, in days where it is whole ones, and else
// without the units at its end of which there are none.
func spanText(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if minutes, ok := strings.CutSuffix(text, "m0s"); ok {
		text = minutes + "m"
	}
	if hours, ok := strings.CutSuffix(text, "h0m"); ok {
		text = hours + "h"
	}
	return text
}

// unusedText is how long a key may lie unused, in seconds; empty: for ever.
func unusedText(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return spanText(time.Duration(seconds) * time.Second)
}
