// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// limitFlags are the limits of a key, an account or a tenant.
type limitFlags struct {
	Limit []string `sep:"none" help:"A rate limit, NAME=COUNT/PERIOD, such as calls=100/1m: so many requests in so long; with +BURST, such as calls=100/1m+20, so many at once. May be repeated." placeholder:"TEXT"`
	Quota []string `sep:"none" help:"A quota, NAME=COUNT/SPAN, such as plan=1000/day: so many requests by the calendar (UTC), each hour, day, week or month. May be repeated." placeholder:"TEXT"`
}

// limits reads the flags; nil: there is none.
func (f *limitFlags) limits() ([]api.Limit, error) {
	var out []api.Limit
	for _, text := range f.Limit {
		l, ok := parseLimit(text)
		if !ok {
			return nil, usageError{errors.New("--limit is not of the form NAME=COUNT/PERIOD or NAME=COUNT/PERIOD+BURST, such as calls=100/1m+20")}
		}
		out = append(out, l)
	}
	for _, text := range f.Quota {
		l, ok := parseQuota(text)
		if !ok {
			return nil, usageError{errors.New("--quota is not of the form NAME=COUNT/hour, day, week or month, such as plan=1000/day")}
		}
		out = append(out, l)
	}
	return out, nil
}

// parseLimit reads NAME=COUNT/PERIOD or NAME=COUNT/PERIOD+BURST.
func parseLimit(text string) (api.Limit, bool) {
	l, rest, ok := parseCount(text)
	period, burst, bursts := strings.Cut(rest, "+")
	d, isSpan := parseSpan(period)
	if l.Period = d.Milliseconds(); !ok || !isSpan || d%time.Millisecond != 0 {
		return api.Limit{}, false
	}
	if bursts {
		if l.Burst, ok = number(burst); !ok {
			return api.Limit{}, false
		}
	}
	return l, true
}

// parseQuota reads NAME=COUNT/SPAN.
func parseQuota(text string) (api.Limit, bool) {
	l, rest, ok := parseCount(text)
	if refill, known := gatehouse.ParseRefill(rest); !ok || !known || refill == gatehouse.RefillNone {
		return api.Limit{}, false
	}
	l.Refill = rest
	return l, true
}

// parseCount reads NAME=COUNT/ and returns what follows.
func parseCount(text string) (l api.Limit, rest string, ok bool) {
	name, value, _ := strings.Cut(text, "=")
	count, rest, _ := strings.Cut(value, "/")
	l.Name = name
	l.Count, ok = number(count)
	return l, rest, ok && name != ""
}

// number reads a count of at least 1.
func number(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil && n > 0
}

// limitText is a limit as parseLimit or parseQuota reads it.
func limitText(l *api.Limit) string {
	text := l.Name + "=" + strconv.FormatInt(l.Count, 10) + "/"
	if l.Refill != "" {
		return text + l.Refill
	}
	if text += spanText(time.Duration(l.Period) * time.Millisecond); l.Burst != 0 {
		text += "+" + strconv.FormatInt(l.Burst, 10)
	}
	return text
}

// limitsText lists limits.
func limitsText(limits []api.Limit) string {
	var texts []string
	for i := range limits {
		texts = append(texts, limitText(&limits[i]))
	}
	return strings.Join(texts, " ")
}

// parseMeta reads pairs NAME=VALUE; nil: there is none.
func parseMeta(pairs []string) (map[string]string, error) {
	var out map[string]string
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := out[name]; !ok || name == "" || twice {
			return nil, usageError{errors.New("--meta is not of the form NAME=VALUE, or a name is there twice")}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value
	}
	return out, nil
}

// changed says what an update asks of a bound: nil, nothing; else its new value, which is
// empty where the bound is in clear.
func changed[T any](values []T, clear []string, name string) *[]T {
	switch {
	case slices.Contains(clear, name):
		return &[]T{}
	case values != nil:
		return &values
	}
	return nil
}
