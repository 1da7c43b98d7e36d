// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxTries  = 4
	firstWait = 100 * time.Millisecond
	maxWait   = 30 * time.Second // what asks for more is not waited for
)

// read asks for a record or a list.
func (c *Client) read(ctx context.Context, path string, out any) error {
	return c.do(ctx, &request{method: http.MethodGet, path: path, again: true}, out)
}

// ask sends in for what is the same however often it is sent.
func (c *Client) ask(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, &request{method: http.MethodPost, path: path, again: true}, in, out)
}

// post sends in for a change that happens once, however often it has to be sent.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, &request{
		method: http.MethodPost, path: path, header: http.Header{"Idempotency-Key": {rand.Text()}}, again: true,
	}, in, out)
}

// once sends in for what would happen each time it is sent.
func (c *Client) once(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, &request{method: http.MethodPost, path: path}, in, out)
}

// replace sends in for a change of a record with this version; zero: whichever it has. It
// is sent once: after a lost answer the record has another version.
func (c *Client) replace(ctx context.Context, method, path string, version int64, in, out any) error {
	q := &request{method: method, path: path, header: http.Header{}}
	if version != 0 {
		q.header.Set("If-Match", etag(version))
	}
	return c.write(ctx, q, in, out)
}

// etag is a version as an entity tag (RFC 9110 section 8.8.3).
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func (c *Client) write(ctx context.Context, q *request, in, out any) (err error) {
	if q.body, err = json.Marshal(in); err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	return c.do(ctx, q, out)
}

// do sends a request until it is answered, as often as is safe and makes sense.
func (c *Client) do(ctx context.Context, q *request, out any) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := c.send(ctx, q, out)
		after, again := passing(err)
		if !q.again || !again || try == maxTries || ctx.Err() != nil {
			return err
		}
		pause := max(after, wait/2+mathrand.N(wait/2))
		if !sleep(ctx, pause) {
			return err
		}
		wait *= 2
	}
}

// passing reports whether what went wrong may be over soon, and how long the server wants
// to be left alone.
func passing(err error) (after time.Duration, again bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return e.after, e.after <= maxWait
		}
		return 0, e.Code == "in_progress" // what was asked before, and is not done yet
	}
	_, again = errors.AsType[connectionError](err)
	return 0, again
}

// sleep reports whether it slept so long. It does not begin what the context would end.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the header field (RFC 9110 section 10.2.3); zero: it is absent, in the
// past or neither seconds nor a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}
