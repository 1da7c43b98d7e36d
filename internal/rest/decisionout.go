// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse/api"
)

// appendDecision appends a decision as encoding/json writes it without escapes for HTML. It
// writes members in the order of their fields; those that may be absent through functions
// named may.
func appendDecision(b []byte, d *api.Decision) []byte {
	b = append(b, `{"granted":`...)
	b = strconv.AppendBool(b, d.Granted)
	b = mayText(b, `,"reason":`, d.Reason)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(d.Status), 10)
	b = mayText(b, `,"scheme":`, d.Scheme)
	b = mayTruth(b, `,"signed":`, d.Signed)
	if d.Key != nil {
		b = appendKey(append(b, `,"key":`...), d.Key)
	}
	b = mayText(b, `,"body":`, d.Body)
	b = mayText(b, `,"content_digest":`, d.Digest)
	b = mayNumber(b, `,"retry_after_ms":`, d.RetryAfter)
	if d.Principal != nil {
		b = appendPrincipal(append(b, `,"principal":`...), d.Principal)
	}
	if d.Limit != nil {
		b = appendLimitState(append(b, `,"limit":`...), d.Limit)
	}
	b = mayTime(b, `,"deprecated":`, d.Deprecated)
	b = mayTime(b, `,"sunset":`, d.Sunset)
	if d.Problem != nil {
		b = appendProblem(append(b, `,"problem":`...), d.Problem)
	}
	return append(b, '}')
}

func appendKey(b []byte, k *api.Key) []byte {
	b = appendText(append(b, `{"kid":`...), k.ID)
	b = appendText(append(b, `,"tenant":`...), k.Tenant)
	b = appendText(append(b, `,"owner":`...), k.Owner)
	b = mayText(b, `,"name":`, k.Name)
	b = mayText(b, `,"prefix":`, k.Prefix)
	b = appendTexts(append(b, `,"schemes":`...), k.Schemes)
	b = appendTexts(append(b, `,"scopes":`...), k.Scopes)
	b = appendText(append(b, `,"state":`...), k.State)
	b = mayText(b, `,"state_text":`, k.StateText)
	b = appendText(append(b, `,"replay":`...), k.Replay)
	b = mayTime(b, `,"created":`, &k.Created)
	b = mayTime(b, `,"updated":`, &k.Updated)
	b = mayTime(b, `,"not_before":`, k.NotBefore)
	b = mayTime(b, `,"expires":`, k.Expires)
	b = mayTime(b, `,"last_used":`, k.LastUsed)
	b = mayNumber(b, `,"unused_s":`, k.Unused)
	b = mayTexts(b, `,"networks":`, k.Networks)
	b = mayTexts(b, `,"methods":`, k.Methods)
	b = mayTexts(b, `,"paths":`, k.Paths)
	b = mayTruth(b, `,"signed_only":`, k.Signed)
	b = mayLimits(b, `,"limits":`, k.Limits)
	b = mayPairs(b, `,"metadata":`, k.Metadata)
	b = mayTime(b, `,"rotating_until":`, k.Rotating)
	b = append(b, `,"version":`...)
	return append(strconv.AppendInt(b, k.Version, 10), '}')
}

func appendLimit(b []byte, l *api.Limit) []byte {
	b = appendText(append(b, `{"name":`...), l.Name)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, l.Count, 10)
	b = mayNumber(b, `,"period_ms":`, l.Period)
	b = mayNumber(b, `,"burst":`, l.Burst)
	b = mayText(b, `,"refill":`, l.Refill)
	return append(b, '}')
}

func appendPrincipal(b []byte, p *api.Principal) []byte {
	b = appendText(append(b, `{"uid":`...), p.UID)
	b = appendText(append(b, `,"kind":`...), p.Kind)
	b = appendText(append(b, `,"email":`...), p.Email)
	b = mayText(b, `,"username":`, p.Username)
	b = appendText(append(b, `,"role":`...), p.Role)
	b = append(b, `,"level":`...)
	b = strconv.AppendInt(b, int64(p.Level), 10)
	b = appendText(append(b, `,"state":`...), p.State)
	b = append(b, `,"otp":`...)
	return append(strconv.AppendBool(b, p.SecondFactor), '}')
}

func appendLimitState(b []byte, l *api.LimitState) []byte {
	b = appendText(append(b, `{"name":`...), l.Name)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, l.Count, 10)
	b = append(b, `,"remaining":`...)
	b = strconv.AppendInt(b, l.Remaining, 10)
	b = append(b, `,"reset_s":`...)
	b = strconv.AppendInt(b, l.Reset, 10)
	b = append(b, `,"period_s":`...)
	return append(strconv.AppendInt(b, l.Period, 10), '}')
}

func appendProblem(b []byte, p *api.Problem) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = appendText(append(b, `,"code":`...), p.Code)
	b = appendText(append(b, `,"title":`...), p.Title)
	b = mayText(b, `,"field":`, p.Field)
	b = mayText(b, `,"detail":`, p.Detail)
	b = mayText(b, `,"request_id":`, p.Ref)
	return append(b, '}')
}

func mayText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, name...), text)
}

func mayNumber(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

func mayTruth(b []byte, name string, is bool) []byte {
	if !is {
		return b
	}
	return append(append(b, name...), "true"...)
}

func mayTime(b []byte, name string, t *time.Time) []byte {
	if t == nil {
		return b
	}
	b = append(append(b, name...), '"')
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

func mayTexts(b []byte, name string, texts []string) []byte {
	if len(texts) == 0 {
		return b
	}
	return appendTexts(append(b, name...), texts)
}

func mayLimits(b []byte, name string, all []api.Limit) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(append(b, name...), '[')
	for i := range all {
		b = append(appendLimit(b, &all[i]), ',')
	}
	b[len(b)-1] = ']'
	return b
}

func mayPairs(b []byte, name string, all map[string]string) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(append(b, name...), '{')
	for _, k := range slices.Sorted(maps.Keys(all)) {
		b = append(appendText(b, k), ':')
		b = append(appendText(b, all[k]), ',')
	}
	b[len(b)-1] = '}'
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	switch {
	case texts == nil:
		return append(b, "null"...)
	case len(texts) == 0:
		return append(b, "[]"...)
	}
	b = append(b, '[')
	for _, text := range texts {
		b = append(appendText(b, text), ',')
	}
	b[len(b)-1] = ']'
	return b
}

// appendText appends a text in quotes. What has escapes, or is more than ASCII, is left to
// encoding/json.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			var quoted bytes.Buffer
			e := json.NewEncoder(&quoted)
			e.SetEscapeHTML(false)
			_ = e.Encode(text) // a text can be written, and so can a buffer
			return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})...)
		}
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}
