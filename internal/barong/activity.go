// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// activities translates the verbs of the audit log that Barong shows an account's
// holder. Changes of keys are none of them, nor the refused step-ups before them.
var activities = map[string]struct{ topic, action string }{
	account.VerbSessionCreate:   {"session", "login"}, // "login::2fa" where a second factor was asked for
	account.VerbSessionDelete:   {"session", "logout"},
	account.VerbOTPBegin:        {"otp", "request QR code for 2FA"},
	account.VerbOTPEnable:       {"otp", "enable 2FA"},
	account.VerbOTPDisable:      {"otp", "disable 2FA"},
	account.VerbOTPReset:        {"otp", "disable 2FA"},
	account.VerbOTPVerify:       {"otp", "verify 2FA code"},
	account.VerbPasswordChange:  {"password", "password change"},
	account.VerbPasswordRequest: {"password", "request password reset"},
	account.VerbPasswordReset:   {"password", "password reset"},
	account.VerbAccountCreate:   {"account", "signup"},
}

// results translates outcomes, by index.
var results = [...]string{
	gatehouse.OutcomeInvalid: "", gatehouse.OutcomeSucceeded: "succeed", gatehouse.OutcomeFailed: "failed", gatehouse.OutcomeDenied: "denied",
}

// activityRow is an activity on the wire.
type activityRow struct {
	ID        int64   `json:"id"`
	Address   *string `json:"user_ip"`
	Country   *string `json:"user_ip_country"` // always null: there is no database of places
	UserAgent string  `json:"user_agent"`
	Topic     string  `json:"topic"`
	Action    string  `json:"action"`
	Result    string  `json:"result"`
	Data      *string `json:"data"` // always null: no parameters are kept
	Created   string  `json:"created_at"`
}

// activity answers GET users/activity/:topic, newest first. An account without any is
// an error, as in Barong.
func (d *Door) activity(ctx context.Context, c *call) (answer, error) {
	q, p, err := d.activityQuery(c)
	if err != nil {
		return answer{}, err
	}
	none := refuse(http.StatusUnprocessableEntity, kindHolder+".no_activity")
	if len(q.Verbs) == 0 {
		return answer{}, none
	}
	events, total, err := d.c.Audit.ListEvents(ctx, q)
	switch {
	case err != nil:
		return answer{}, err
	case total == 0:
		return answer{}, none
	}
	rows := make([]activityRow, len(events))
	for i := range events {
		rows[i] = activityJSON(&events[i])
	}
	return answer{status: http.StatusOK, body: rows, header: p.headers(c.r, d.c.Proxies, total)}, nil
}

// activityQuery reads what is asked for. No verbs means that nothing can match.
func (d *Door) activityQuery(c *call) (gatehouse.EventQuery, page, error) {
	q := gatehouse.EventQuery{Tenant: c.account.Tenant, Subject: c.account.ID}
	var codes []string
	for name, at := range map[string]*time.Time{"time_from": &q.From, "time_to": &q.To} {
		if !c.params.has(name) {
			continue
		}
		seconds, err := strconv.ParseInt(c.params[name], 10, 40)
		if err != nil {
			codes = append(codes, "invalid")
			continue
		}
		*at = time.Unix(seconds, 0).UTC()
	}
	p, wrong := readPage(c.params)
	if codes = append(codes, wrong...); len(codes) > 0 {
		return q, p, refuse(http.StatusUnprocessableEntity, codes...)
	}
	if !slices.Contains([]string{"all", "session", "otp", "password", "account"}, c.params["topic"]) {
		return q, p, refuse(http.StatusUnprocessableEntity, kindHolder+".wrong_topic")
	}
	q.Offset, q.Limit = p.offset(), p.limit
	if c.params.has("result") {
		i := slices.Index(results[1:], c.params["result"])
		if i < 0 {
			return q, p, nil
		}
		q.Outcome = gatehouse.Outcome(i + 1)
	}
	for verb, a := range activities {
		if c.params["topic"] == "all" || c.params["topic"] == a.topic {
			q.Verbs = append(q.Verbs, verb)
		}
	}
	slices.Sort(q.Verbs)
	return q, p, nil
}

func activityJSON(e *gatehouse.Event) activityRow {
	a := activities[e.Verb]
	asked := slices.ContainsFunc(e.Changes, func(c gatehouse.Change) bool { return c.Field == "factor" })
	if e.Verb == account.VerbSessionCreate && asked {
		a.action = "login::2fa"
	}
	row := activityRow{ID: e.Seq, UserAgent: e.Actor.UserAgent, Topic: a.topic, Action: a.action, Created: stamp(e.Time)}
	if e.Actor.Address.IsValid() {
		row.Address = orNull(e.Actor.Address.String())
	}
	if int(e.Outcome) < len(results) {
		row.Result = results[e.Outcome]
	}
	return row
}
