// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

const (
	headerRequestID  = "X-Request-Id"
	statusClientGone = 499 // of the log only
)

// exchange is one request and its answer. It is the http.ResponseWriter of both.
type exchange struct {
	http.ResponseWriter
	control *http.ResponseController
	request *http.Request // as it came
	path    string        // of the target as the client sent it
	query   string        // what follows the path: empty, or from the question mark on
	id      string
	began   time.Time
	stall   time.Duration

	verdict *gate.Verdict // nil: not handed on
	to      *url.URL
	own     []string    // fields that are the gate's to set
	said    http.Header // fields of the answer that the gate and the proxy have set; nil: not handed on
	trailer http.Header // of the request as it is handed on

	status      int // zero: none yet
	bytes       int64
	key, scheme string
	denial      string
	failure     error
	upload      atomic.Int32 // how far the client's body has come
	whole       bool         // the answer was not cut
}

// How far a client's body has come.
const (
	uploadEnded int32 = iota // or there is none
	uploadOpen
	uploadBroken
)

// broken reports whether the client's body cannot come to its end. While it is open, it is
// by reading it that the server sees a client go.
func (x *exchange) broken() bool {
	state := x.upload.Load()
	return state == uploadBroken || state == uploadOpen && x.request.Context().Err() != nil
}

// leavesBody reports whether bytes of the request's body may come after its answer, which the
// server would take for the next request: it has not come to its end, or it has a coding,
// which net/http overlooks in HTTP/1.0 (RFC 9112 section 6.1).
func (x *exchange) leavesBody() bool {
	return x.request.ProtoMajor == 1 && (x.request.ProtoMinor == 0 || x.upload.Load() != uploadEnded)
}

type exchangeKey struct{}

// exchangeOf is the exchange of a request that New's handler serves.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

func begin(w http.ResponseWriter, r *http.Request, stall time.Duration) *exchange {
	x := &exchange{ResponseWriter: w, control: http.NewResponseController(w), request: r, id: rand.Text(), began: time.Now(), stall: stall}
	x.path, x.query = split(r)
	w.Header().Set(headerRequestID, x.id)
	x.armWrite() // else the deadline is that of the connection's last answer
	return x
}

// split parts the raw target into path and query. Of the absolute form (RFC 9112 section
// 3.2.2) it takes what the origin form has.
func split(r *http.Request) (path, query string) {
	path = r.RequestURI
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	scheme, rest, absolute := strings.Cut(path, "://")
	if !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return path, query
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:], query
	}
	return "/", query
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) WriteHeader(status int) {
	x.armWrite()
	if status < 200 {
		notOfService(x.Header())
		x.Header().Set(headerRequestID, x.id)
	}
	if x.status == 0 && status >= 200 {
		if x.status = status; x.leavesBody() {
			x.Header().Set("Connection", "close")
		}
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	x.armWrite()
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// FlushError is for http.ResponseController.
func (x *exchange) FlushError() error {
	x.armWrite()
	return x.control.Flush()
}

// Hijack is for http.ResponseController: the protocol was switched.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.status = http.StatusSwitchingProtocols
	return x.control.Hijack()
}

// armWrite gives the client time to take what is written next. In HTTP/2 a deadline would
// also end an answer that is silent: the listener's WriteTimeout bounds those.
func (x *exchange) armWrite() {
	if x.request.ProtoMajor == 1 {
		_ = x.control.SetWriteDeadline(time.Now().Add(x.stall)) // not supported: the listener's counts
	}
}

// judged keeps for the log who asks.
func (x *exchange) judged(d *gatehouse.Decision) {
	if d != nil && d.Key != nil {
		x.key, x.scheme = d.Key.ID, d.Scheme
	}
}

// refuse answers a request by the proxy's own word.
func (x *exchange) refuse(d *gate.Denial) {
	x.Header().Set("Cache-Control", "no-store")
	if d.RetryAfter > 0 {
		x.Header().Set("Retry-After", strconv.FormatInt(gate.RoundUp(d.RetryAfter, time.Second), 10))
	}
	Denials(x, x.request, d)
}

// Denials is [gate.Problems] for the gate of a proxy, by gate.Options.Denials: with it the
// log of the proxy has the codes of denials, and the keys where they are known. Elsewhere it
// is the same as gate.Problems.
func Denials(w http.ResponseWriter, r *http.Request, d *gate.Denial) {
	if x, ok := w.(*exchange); ok {
		x.denial = d.Code
		x.judged(d.Decision)
	}
	gate.Problems(w, r, d)
}

// log writes the line of the request. It has no query and no field: credentials may stand
// there.
func (x *exchange) log(log *slog.Logger) {
	level, status := slog.LevelInfo, x.status
	if x.failure != nil {
		level = slog.LevelWarn
	}
	if status == 0 && x.request.Context().Err() != nil {
		status = statusClientGone
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("method", x.request.Method), slog.String("path", x.path), slog.Int("status", status),
		slog.Int64("bytes", x.bytes), slog.Duration("took", time.Since(x.began)))
	for _, a := range []slog.Attr{slog.String("key", x.key), slog.String("scheme", x.scheme), slog.String("denial", x.denial)} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if x.failure != nil {
		// A quote holds what the service sent.
		text, _, _ := strings.Cut(x.failure.Error(), `"`)
		attrs = append(attrs, slog.String("error", text))
	}
	if !x.whole {
		attrs = append(attrs, slog.Bool("cut", true))
	}
	log.LogAttrs(context.WithoutCancel(x.request.Context()), level, "request", append(attrs, slog.String("request_id", x.id))...)
}
