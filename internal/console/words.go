// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/gate"
)

// What templates say of instants, numbers and places.

// instant is t, which is a time or a pointer to one, in UTC. The zero time stands for none.
func instant(t any) time.Time {
	switch t := t.(type) {
	case time.Time:
		return t.UTC()
	case *time.Time:
		if t != nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

const never = `<span class="faint nil">never</span>`

// timeTag is an instant: in UTC as text, for the reader's zone to take its place. Zero: never.
func timeTag(t any) template.HTML {
	at := instant(t)
	if at.IsZero() {
		return never
	}
	return timeElement("", at, at.Format("2006-01-02 15:04"))
}

// agoTag is how long ago an instant was, or when it will be. The script keeps it true while
// the page is open. Zero: never.
func agoTag(t any) template.HTML {
	at := instant(t)
	if at.IsZero() {
		return never
	}
	return timeElement(" data-relative", at, relative(time.Since(at)))
}

// timeElement is a time element. The texts are made of digits and of words of this file.
func timeElement(attribute string, at time.Time, text string) template.HTML {
	return template.HTML(`<time` + attribute + ` datetime="` + at.Format(time.RFC3339) + `" title="` + at.Format("2006-01-02 15:04:05 UTC") + `">` + text + `</time>`) //nolint:gosec // see above
}

// relative is a time that has passed, in words, and one to come if it is negative. The script
// says the same of the same: text that changes when a page has loaded is hard to read.
func relative(passed time.Duration) string {
	const day = 24 * time.Hour
	d := passed.Abs()
	number, unit := int64(0), ""
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		number, unit = int64(d/time.Minute), "minute"
	case d < day:
		number, unit = int64(d/time.Hour), "hour"
	case d < 60*day:
		number, unit = int64(d/day), "day"
	case d < 730*day:
		number, unit = int64(d/(30*day)), "month"
	default:
		number, unit = int64(d/(365*day)), "year"
	}
	if passed < 0 {
		return "in " + plural(number, unit)
	}
	return plural(number, unit) + " ago"
}

// plural is a number of things: "1 key", "2 keys". Another plural than with an s is told.
func plural(n any, one string, many ...string) string {
	number := fmt.Sprint(n)
	switch {
	case number == "1":
		return "1 " + one
	case len(many) > 0:
		return number + " " + many[0]
	}
	return number + " " + one + "s"
}

// waiting is a time to wait, in words. A part of a unit counts as a whole: who comes back too
// early waits again.
func waiting(d time.Duration) string {
	switch {
	case d <= 2*time.Minute:
		return plural(gate.RoundUp(d, time.Second), "second")
	case d <= 2*time.Hour:
		return plural(gate.RoundUp(d, time.Minute), "minute")
	}
	return plural(gate.RoundUp(d, time.Hour), "hour")
}

// byteSize is a size in bytes, for people: "17 B", "1.5 MB". Units are powers of 1000.
func byteSize(n int64) string {
	const units = "kMGTPE"
	size, unit := float64(n), -1
	for math.Abs(size) >= 999.5 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if unit < 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	format := "%.1f"
	if math.Abs(size) >= 99.95 {
		format = "%.0f"
	}
	return fmt.Sprintf(format, size) + " " + units[unit:unit+1] + "B"
}

// current is the attribute of a link to target on the page at path: whether it leads to this
// page, or to what this page is a part of.
func current(path, target string) template.HTMLAttr {
	switch {
	case path == target:
		return `aria-current="page"`
	case strings.HasPrefix(path, target+"/"):
		return `aria-current="true"`
	}
	return ""
}
