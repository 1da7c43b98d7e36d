// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Announce sets the fields of an answer that tell a client what the decision says of its
// limits and of the end of its secret, as far as there is something to tell:
//
//   - RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), for the
//     tightest limit: what is left, the seconds until it is full again; what it admits in
//     how many seconds.
//   - Deprecation (RFC 9745): since when the secret that was used has a successor.
//   - Sunset (RFC 8594): when the secret stops, or the key expires.
func Announce(h http.Header, d *gatehouse.Decision) {
	if l := &d.Limit; l.Name != "" {
		name := `"` + l.Name + `"`
		h.Set("RateLimit-Policy", name+";q="+strconv.FormatInt(l.Count, 10)+";w="+seconds(l.Period))
		h.Set("RateLimit", name+";r="+strconv.FormatInt(l.Remaining, 10)+";t="+seconds(l.Reset))
	}
	if !d.Deprecated.IsZero() {
		h.Set("Deprecation", "@"+strconv.FormatInt(d.Deprecated.Unix(), 10))
	}
	if !d.Sunset.IsZero() {
		h.Set("Sunset", d.Sunset.UTC().Format(http.TimeFormat))
	}
}

// Seconds rounds up, as Retry-After is written: who waits for less than was said is refused
// again.
func Seconds(d time.Duration) string { return seconds(d) }

func seconds(d time.Duration) string { return strconv.FormatInt(RoundUp(d, time.Second), 10) }

// RoundUp is how many units d is, a part of one counted as a whole.
func RoundUp(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
