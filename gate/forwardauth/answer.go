// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/gate"
)

// The fields in which an answer repeats its status and names its code, for gateways that
// lose either. On a request that passes the code is empty.
const (
	HeaderStatus = "X-Auth-Status"
	HeaderError  = "X-Auth-Error"
)

// answer is the answer to a check.
type answer struct {
	w       http.ResponseWriter
	r       *http.Request
	dialect *dialect
	strips  func(name string) bool // [gate.Gate.Strips]
}

// How long a check may take over a body: one that is the client's, and one that nobody
// reads. The server takes what is left of a body off the wire before it answers, and some
// gateways announce a body that they do not send.
const (
	wholeBody = 10 * time.Second
	lateBody  = 100 * time.Millisecond
)

// expect bounds how long the check's body may take from now on.
func (a *answer) expect(within time.Duration) {
	if a.r.ContentLength != 0 {
		_ = http.NewResponseController(a.w).SetReadDeadline(time.Now().Add(within)) // who cannot has no connection to wait on
	}
}

// identities is how many fields a verdict yields.
const identities = 8

// allow answers 200, as some gateways take no other for a yes, with each field that says who
// asks: where one is empty a gateway replaces the client's own with nothing.
func (a *answer) allow(v *gate.Verdict) {
	a.expect(lateBody)
	h := a.w.Header()
	values := make([]string, 0, identities) // one allocation for all
	v.Identity(func(name, value string) {
		values = append(values, value)
		n := len(values)
		h[name] = values[n-1 : n : n]
	})
	if a.dialect.remove {
		h.Set(envoyRemove, removals(v, a.r.Header, a.strips))
	}
	h["Cache-Control"], h[HeaderStatus], h[HeaderError] = noStore, statusOK, empty
	a.w.WriteHeader(http.StatusOK)
}

// Values that every answer shares.
var (
	noStore  = []string{"no-store"}
	statusOK = []string{"200"}
	empty    = []string{""}
)

// deny answers a request that does not pass.
func (a *answer) deny(d *gate.Denial) {
	a.expect(lateBody)
	h := a.w.Header()
	h["Cache-Control"] = noStore
	h.Set(HeaderStatus, strconv.Itoa(d.Status))
	h.Set(HeaderError, d.Code)
	if d.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(gate.RoundUp(d.RetryAfter, time.Second), 10))
	}
	if !a.dialect.coarse {
		gate.Problems(a.w, a.r, d)
		return
	}
	for name, values := range d.Challenge {
		h[name] = []string{strings.Join(values, ", ")} // of several lines nginx 1.22 hands on the first
	}
	status := http.StatusForbidden
	if d.Status == http.StatusUnauthorized {
		status = http.StatusUnauthorized
	}
	a.w.WriteHeader(status)
}
