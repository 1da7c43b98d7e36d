// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe

import (
	"context"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/spop"
)

// The variables, in HAProxy's transaction and under the prefix of its spoe-agent section.
const (
	varStatus    = "status" // a number, 200: the request passes
	varCode      = "code"
	varTitle     = "title"
	varRetry     = "retry_after"
	varChallenge = "www_authenticate"
	varAccept    = "accept_signature"
	varToken     = "token"
)

// identity are the variables of the fields that say who asks. The JWT is in token.
var identity = map[string]string{
	gate.HeaderKey: "key_id", gate.HeaderSubject: "subject", gate.HeaderRole: "role", gate.HeaderTenant: "tenant",
	gate.HeaderScopes: "scopes", gate.HeaderScheme: "scheme", gate.HeaderBody: "body",
}

// announced are the variables of what [gate.Announce] says.
var announced = [...][2]string{
	{"RateLimit", "ratelimit"}, {"RateLimit-Policy", "ratelimit_policy"}, {"Deprecation", "deprecation"}, {"Sunset", "sunset"},
}

// answer decides about a request. Every variable is set, most of them empty: what an
// earlier check of the same transaction said does not stay.
func (a *Agent) answer(ctx context.Context, messages []spop.Message, size, limit int) (actions []byte) {
	begin, code := time.Now(), codeUnavailable
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "request not decided", "panic", p, "stack", string(debug.Stack()))
			actions = nobody()
		}
		a.seen(code, time.Since(begin))
	}()
	q, wrong := a.read(messages, size, limit)
	var v gate.Verdict
	if wrong != "" {
		v.Denial = &gate.Denial{Status: http.StatusForbidden, Code: "adapter_headers", Title: "HAProxy does not describe the request as it should: " + wrong}
	} else {
		v = a.gate.Judge(ctx, &q.Request, gate.Rule{}, nil)
	}
	if d := v.Denial; d != nil && q.cut && d.Code == "body_unavailable" {
		v.Denial = &gate.Denial{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Title: "The body is too large to be checked", Decision: d.Decision}
	}
	if actions = a.actions(&q, &v); len(actions)+frameHead > limit {
		a.log.ErrorContext(ctx, "request not decided", "error", "the answer is larger than a frame of HAProxy's may be", "bytes", len(actions))
		return nobody()
	}
	code = ""
	if v.Denial != nil {
		code = v.Denial.Code
	}
	return actions
}

// frameHead is what a frame has at most before its payload.
const frameHead = 1 + 4 + 10 + 10

const codeUnavailable = "unavailable"

// nobody is the answer where nobody could decide.
func nobody() []byte {
	return set(number(nil, varStatus, http.StatusServiceUnavailable), varCode, codeUnavailable)
}

// actions writes the verdict.
func (a *Agent) actions(q *asked, v *gate.Verdict) []byte {
	d := gate.Denial{Status: http.StatusOK}
	var challenge map[string][]string
	if v.Denial != nil {
		d, challenge = *v.Denial, a.gate.Challenge(&q.Request, v.Denial)
	}
	retry := ""
	if d.RetryAfter > 0 {
		retry = strconv.FormatInt(gate.RoundUp(d.RetryAfter, time.Second), 10)
	}
	b := number(make([]byte, 0, 2<<10), varStatus, int32(d.Status))
	b = set(b, varCode, d.Code)
	b = set(b, varTitle, d.Title)
	b = set(b, varRetry, retry)
	b = set(b, varChallenge, strings.Join(challenge["Www-Authenticate"], ", "))
	b = set(b, varAccept, strings.Join(challenge["Accept-Signature"], ", "))
	if v.Denial != nil {
		b = set(b, varToken, "")
		for _, name := range identity {
			b = set(b, name, "")
		}
	} else {
		v.Identity(func(field, value string) {
			name, ok := identity[field]
			if !ok {
				name = varToken
			}
			b = set(b, name, value)
		})
	}
	said := http.Header{}
	if v.Decision != nil {
		gate.Announce(said, v.Decision)
	}
	for _, field := range announced {
		b = set(b, field[1], said.Get(field[0]))
	}
	return b
}

func set(b []byte, name, value string) []byte {
	return spop.Action{Op: spop.SetVar, Scope: spop.Transaction, Name: name, Value: spop.String(value)}.Append(b)
}

func number(b []byte, name string, value int32) []byte {
	return spop.Action{Op: spop.SetVar, Scope: spop.Transaction, Name: name, Value: spop.Int32(value)}.Append(b)
}
