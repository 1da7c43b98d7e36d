// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"math"
	"net/netip"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// newKey is a new key as the ground takes it. *gatehouse.InvalidError.
func newKey(in *api.NewKey, principal string) (n gatehouse.NewKey, err error) {
	n = gatehouse.NewKey{
		Principal: principal, Name: in.Name, Prefix: in.Prefix, Schemes: in.Schemes, Methods: in.Methods, Paths: in.Paths, Signed: in.Signed,
		Metadata: in.Metadata, PublicKey: in.PublicKey,
	}
	if n.NotBefore, err = timeIn("not_before", in.NotBefore); err != nil {
		return n, err
	}
	if n.Expires, err = timeIn("expires", in.Expires); err != nil {
		return n, err
	}
	if n.Scopes, err = gatehouse.ParseScopes(in.Scopes); err != nil {
		return n, err
	}
	if n.Replay, err = parseReplay(in.Replay); err != nil {
		return n, err
	}
	if n.Unused, err = seconds("unused_s", in.Unused); err != nil {
		return n, err
	}
	if n.Networks, err = networksIn(in.Networks); err != nil {
		return n, err
	}
	n.Limits, err = limitsIn(in.Limits)
	return n, err
}

// patchOf is a change of a key as the ground takes it. *gatehouse.InvalidError.
func patchOf(in *api.PatchKey) (p gatehouse.Patch, err error) {
	p = gatehouse.Patch{Name: in.Name, Schemes: in.Schemes, Methods: in.Methods, Paths: in.Paths, Signed: in.Signed}
	if in.Metadata != nil {
		p.Metadata = new(gatehouse.Metadata(*in.Metadata))
	}
	for _, part := range []error{
		convert(&p.Scopes, in.Scopes, gatehouse.ParseScopes),
		convert(&p.Networks, in.Networks, networksIn),
		convert(&p.Limits, in.Limits, limitsIn),
		convert(&p.Replay, in.Replay, parseReplay),
		convert(&p.Unused, in.Unused, func(n int64) (time.Duration, error) { return seconds("unused_s", n) }),
		convert(&p.NotBefore, in.NotBefore, func(text string) (time.Time, error) { return boundIn("not_before", text) }),
		convert(&p.Expires, in.Expires, func(text string) (time.Time, error) { return boundIn("expires", text) }),
	} {
		if part != nil {
			return p, part
		}
	}
	return p, nil
}

// convert reads what is given; nil stays nil.
func convert[From, To any](to **To, from *From, read func(From) (To, error)) error {
	if from == nil {
		return nil
	}
	v, err := read(*from)
	*to = &v
	return err
}

// boundIn reads a time that a bound ends at, or "never".
func boundIn(field, text string) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || none(t) {
		return time.Time{}, &gatehouse.InvalidError{Field: field, Problem: `is neither a time as of RFC 3339 nor "never"`}
	}
	return t, nil
}

// none reports whether a time would read as none where it is kept: the first microsecond of
// the year 1, which other systems write for "never set".
func none(t time.Time) bool { return time.UnixMicro(t.UnixMicro()).IsZero() }

// timeIn reads a time that may be absent.
func timeIn(field string, t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if none(*t) {
		return time.Time{}, &gatehouse.InvalidError{Field: field, Problem: "is the year 1: leave it out for none"}
	}
	return *t, nil
}

// seconds reads a duration from a field.
func seconds(field string, n int64) (time.Duration, error) {
	const most = math.MaxInt64 / int64(time.Second)
	if n < 0 || n > most {
		return 0, &gatehouse.InvalidError{Field: field, Problem: "is no number of seconds"}
	}
	return time.Duration(n) * time.Second, nil
}

func parseReplay(text string) (gatehouse.ReplayMode, error) {
	switch text {
	case "", "strict":
		return gatehouse.ReplayStrict, nil
	case "window":
		return gatehouse.ReplayWindow, nil
	}
	return 0, &gatehouse.InvalidError{Field: "replay", Problem: "is neither strict nor window"}
}

// networksIn reads networks; an address alone is the network of it alone.
func networksIn(in []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range in {
		p, err := netip.ParsePrefix(text)
		if a, bare := netip.ParseAddr(text); err != nil && bare == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return nil, &gatehouse.InvalidError{Field: "networks", Problem: "one is neither a network, such as 10.0.0.0/8, nor an address"}
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func networksOut(in []netip.Prefix) []string {
	var out []string
	for _, p := range in {
		out = append(out, p.String())
	}
	return out
}

// limitsIn reads limits and quotas of a key, an account or a tenant.
func limitsIn(in []api.Limit) ([]gatehouse.Limit, error) {
	var out []gatehouse.Limit
	for _, l := range in {
		refill, ok := gatehouse.ParseRefill(l.Refill)
		if !ok {
			return nil, &gatehouse.InvalidError{Field: "limits", Problem: "a quota refills by the hour, day, week or month"}
		}
		if l.Period < 0 || l.Period > math.MaxInt64/int64(time.Millisecond) {
			return nil, &gatehouse.InvalidError{Field: "limits", Problem: "a period is no number of milliseconds"}
		}
		out = append(out, gatehouse.Limit{Name: l.Name, Count: l.Count, Period: time.Duration(l.Period) * time.Millisecond, Burst: l.Burst, Refill: refill})
	}
	return out, nil
}

func limitsOut(in []gatehouse.Limit) []api.Limit {
	var out []api.Limit
	for _, l := range in {
		out = append(out, api.Limit{Name: l.Name, Count: l.Count, Period: l.Period.Milliseconds(), Burst: l.Burst, Refill: l.Refill.String()})
	}
	return out
}
