// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

// EventQuery selects events of the audit log. Zero fields do not select.
type EventQuery struct {
	Subject string   // id of the record an event is about; of an account its e-mail address or uid, too
	Verbs   []string // any of these, such as "key.create"
	Outcome string   // "succeeded", "failed" or "denied"
	Actor   string   // id of the key or account that acted; of an account its e-mail address or uid, too
	From    time.Time
	To      time.Time // exclusive
	Oldest  bool      // the oldest first; else the newest
}

func (f *EventQuery) values() url.Values {
	q := url.Values{}
	add(q, "subject", f.Subject)
	if len(f.Verbs) > 0 {
		q["verb"] = f.Verbs
	}
	if f.Oldest {
		q.Set("order", "asc")
	}
	add(q, "outcome", f.Outcome)
	add(q, "actor", f.Actor)
	addTime(q, "from", f.From)
	addTime(q, "to", f.To)
	return q
}

// Events yields the events that a query selects, page by page. An error is the last.
func (c *Client) Events(ctx context.Context, f EventQuery) iter.Seq2[api.Event, error] {
	return each(func(p Page) ([]api.Event, string, error) {
		out, err := c.EventPage(ctx, f, p)
		return out.Events, out.Next, err
	})
}

// EventPage reads one page of the events that a query selects.
func (c *Client) EventPage(ctx context.Context, f EventQuery, p Page) (out api.Events, err error) {
	err = c.read(ctx, path("/v1/audit", p.add(f.values())), &out)
	return out, err
}

// VerifyChain lets the server check its chain of events, which takes up to ten minutes.
// Faults are an answer, not an error.
func (c *Client) VerifyChain(ctx context.Context, in api.VerifyChain) (out api.Chain, err error) {
	err = c.write(ctx, &request{method: http.MethodPost, path: "/v1/audit/verify", again: true, time: longTime}, in, &out)
	return out, err
}

// Attempts lists the newest attempts, of one key or of all (empty), limit at most (1 to
// 1,000).
func (c *Client) Attempts(ctx context.Context, kid string, limit int) (out api.Attempts, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	add(q, "key", kid)
	err = c.read(ctx, path("/v1/attempts", q), &out)
	return out, err
}

// UsageQuery says which part of a series is wanted. Zero fields take the server's default.
type UsageQuery struct {
	Grain    string // "minute", "hour" or "day"
	From, To time.Time
}

// Usage reads how often a key was verified over time; of the whole tenant for an empty
// kid.
func (c *Client) Usage(ctx context.Context, kid string, u UsageQuery) (out api.Usage, err error) {
	q := url.Values{}
	add(q, "grain", u.Grain)
	addTime(q, "from", u.From)
	addTime(q, "to", u.To)
	at := "/v1/usage"
	if kid != "" {
		at = keyPath(kid, "/usage")
	}
	err = c.read(ctx, path(at, q), &out)
	return out, err
}

// Hygiene lists keys that want looking after, limit at most; days is what counts as unused.
// Zero takes the server's default.
func (c *Client) Hygiene(ctx context.Context, days, limit int) (out api.Hygiene, err error) {
	q := url.Values{}
	if days != 0 {
		q.Set("days", strconv.Itoa(days))
	}
	err = c.read(ctx, path("/v1/hygiene", Page{Limit: limit}.add(q)), &out)
	return out, err
}

// OpenAPI reads the description of the API, an OpenAPI 3.1 document in JSON.
func (c *Client) OpenAPI(ctx context.Context) (out json.RawMessage, err error) {
	err = c.read(ctx, "/v1/openapi.json", &out)
	return out, err
}
