// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Errors of [Revocations.Check], compared with errors.Is.
var (
	// ErrRevoked: what the JWT says held when it was made, and holds no longer; or the JWT is
	// older than what the list of revocations reaches back to.
	ErrRevoked = errors.New("the JWT was revoked")
	// ErrStale: the list of revocations was not heard of for too long. It wraps
	// [gatehouse.ErrUnavailable]: nothing is known of the JWT.
	ErrStale = fmt.Errorf("the list of revocations is out of date: %w", gatehouse.ErrUnavailable)
	// ErrOtherTenant: the JWT is of a tenant that the list says nothing of.
	ErrOtherTenant = errors.New("the JWT is of another tenant")
)

// RevocationsOptions are what [Client.FollowRevocations] is asked for. The zero value fits a
// server with its default settings.
type RevocationsOptions struct {
	// MaxStale is for how long the list counts after it was last heard of, and so how long a
	// JWT outlives its key at most where the server cannot be reached. Zero: 5 s. Less than
	// 2 s counts as 2 s.
	MaxStale time.Duration
	// Open lets JWTs pass while the list is out of date: they end by themselves.
	Open bool
	// Margin is for how long after an end a JWT may still have been made of what was before:
	// while it was committed, while another node answered under its lease, and as clocks
	// differ. A key that was narrowed, and not revoked, is refused for so long, and where a gate
	// hands a JWT out again, for up to 5 s more. Zero: 2 s. Negative: none.
	Margin time.Duration
	// Failed is told why the list could not be heard of, each time; nil: nobody is.
	Failed func(error)
}

const (
	maxStale   = 5 * time.Second
	leastStale = 2 * time.Second
	endMargin  = 2 * time.Second
	mostHold   = 25 // seconds that the server holds a question at most
	mostPause  = time.Second
)

// Revocations knows what a server has revoked, for a service that checks JWTs by itself. It
// follows the list of the tenant of its client's key in the background, and hears of an end
// as soon as the server does. What it keeps is bounded by the server: 10,000 ends.
// It is safe for concurrent use.
type Revocations struct {
	client *Client
	o      RevocationsOptions
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{} // closed when nothing runs any more
	first  chan struct{} // closed when the list was heard of

	mu     sync.RWMutex
	tenant string
	floor  time.Time
	ends   map[end]time.Time
	swept  int       // how many ends were left by the last sweep
	asked  time.Time // when the question was asked that was answered last
	cursor string
}

// end is what ended: of the kinds of the API, with its name.
type end struct{ kind, id string }

// Revocations reads who ended lately. To act on it, follow it: see FollowRevocations.
func (c *Client) Revocations(ctx context.Context) (out api.Revocations, err error) {
	err = c.read(ctx, "/v1/revocations", &out)
	return out, err
}

// FollowRevocations begins to follow the list of revocations, until
// [Revocations.Close]. The client's key needs the scope revocations:read and belongs to a
// service account, or to an account with the role admin or superadmin.
func (c *Client) FollowRevocations(o RevocationsOptions) *Revocations {
	if o.MaxStale == 0 {
		o.MaxStale = maxStale
	}
	if o.Margin == 0 {
		o.Margin = endMargin
	}
	o.MaxStale, o.Margin = max(o.MaxStale, leastStale), max(o.Margin, 0)
	r := &Revocations{client: c, o: o, done: make(chan struct{}), first: make(chan struct{}), ends: map[end]time.Time{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go r.follow()
	return r
}

// Close ends the following, and waits for it. The list is out of date soon afterwards.
func (r *Revocations) Close() {
	r.stop()
	<-r.done
}

// Ready waits until the list has been heard of for the first time, such as before a service
// takes requests. Its error is that of ctx, or context.Canceled after Close.
func (r *Revocations) Ready(ctx context.Context) error {
	select {
	case <-r.first:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.done:
		return context.Canceled
	}
}

// Issued is what a list of revocations needs to know of a JWT, whose signature and times the
// caller has checked.
type Issued struct {
	Tenant string    // claim tenant; empty: the profile has none, and only one tenant is served
	UID    string    // whom it is about: claim sub, in Barong's profile uid
	Key    string    // claim client_id; empty: it has none, as of a session and in Barong's profile
	Time   time.Time // claim iat, a whole second; zero: it is older than everything
}

// Check reports whether what a JWT says still holds, nil, without asking anybody. [ErrRevoked]
// for one that was issued in the second of an end of its key, principal or tenant, or before,
// or within the margin after it; [ErrStale], [ErrOtherTenant].
func (r *Revocations) Check(j Issued) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case time.Since(r.asked) > r.o.MaxStale && !r.o.Open:
		return ErrStale
	case r.tenant == "": // nothing was heard, and the list is open
		return nil
	case j.Tenant != "" && j.Tenant != r.tenant:
		return ErrOtherTenant
	case r.before(j.Time, r.floor):
		return ErrRevoked
	}
	for _, e := range []end{{"key", j.Key}, {"principal", j.UID}, {kind: "tenant"}, {kind: "all"}} {
		if at, ended := r.ends[e]; ended && r.before(j.Time, at) {
			return ErrRevoked
		}
	}
	return nil
}

// before reports whether what was issued may have been made of what was before an end.
func (r *Revocations) before(issued, end time.Time) bool {
	return !issued.Truncate(time.Second).After(end.Add(r.o.Margin))
}

// follow asks again and again.
func (r *Revocations) follow() {
	defer close(r.done)
	hold, pause := r.hold(), time.Duration(0)
	for wait := 0; r.ctx.Err() == nil; {
		asked := time.Now()
		list, err := r.ask(wait)
		switch {
		case err != nil:
			pause = min(max(2*pause, firstWait), mostPause)
			wait = 0 // a server on which too many wait answers who does not
			if r.o.Failed != nil && r.ctx.Err() == nil {
				r.o.Failed(err)
			}
		case len(list.Revocations) == 0 && wait > 0 && time.Since(asked) < time.Duration(wait)*time.Second/2:
			r.take(&list, asked)
			pause = firstWait // it drains
		case wait == 0 && r.cursor != "":
			r.take(&list, asked)
			wait, pause = hold, mostPause/2
		default:
			r.take(&list, asked)
			wait, pause = hold, 0
		}
		if pause > 0 && !sleep(r.ctx, pause/2+mathrand.N(pause/2)) {
			return
		}
	}
}

// hold is for how many seconds the server holds a question: the answer must come while the
// one before still counts.
func (r *Revocations) hold() int { return min(max(int(r.o.MaxStale/time.Second)/2, 1), mostHold) }

// ask asks for what came since the last answer.
func (r *Revocations) ask(wait int) (list api.Revocations, err error) {
	q := url.Values{}
	add(q, "since", r.cursor)
	if wait > 0 {
		q.Set("wait_s", strconv.Itoa(wait))
	}
	err = r.client.send(r.ctx, &request{method: http.MethodGet, path: path("/v1/revocations", q), time: r.o.MaxStale}, &list)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnprocessableEntity {
		r.cursor = "" // the server is another one, or an older one
	}
	if err == nil && (list.Tenant == "" || list.Cursor == "" || list.Floor.IsZero()) {
		err = errSense
	}
	return list, err
}

// take takes over an answer to a question that was asked at a time: what the server knew
// then it has told.
func (r *Revocations) take(list *api.Revocations, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tenant == "" {
		close(r.first)
	}
	r.tenant, r.asked, r.cursor = list.Tenant, asked, list.Cursor
	if list.Floor.After(r.floor) {
		r.floor = list.Floor
	}
	for _, e := range list.Revocations {
		name := end{e.Kind, e.ID}
		switch e.Kind {
		case "key", "principal", "tenant", "all":
		default: // a newer server's: it may be about anything
			name = end{kind: "all"}
		}
		if e.Time.After(r.ends[name]) {
			r.ends[name] = e.Time
		}
	}
	if len(r.ends) > 2*r.swept+pageLimit {
		maps.DeleteFunc(r.ends, func(_ end, at time.Time) bool { return !at.After(r.floor) })
		r.swept = len(r.ends)
	}
}
