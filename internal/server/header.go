// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse/gate/proxy"
)

// roomForHeaders is how many bytes the headers of a face have in memory together, besides the
// first easy bytes of each: until the answer, as the body of a stranger may be awaited that long.
const (
	roomForHeaders = 64 << 20
	easy           = 4 << 10
)

// atATime is how much of a connection net/http's buffer gets at a time. What comes in one piece
// with the request before is in the buffer before it is known to be a header: its fields are
// not counted, but there are no more of them than fit.
const (
	atATime = 1 << 10
	buffer  = 4 << 10 // of net/http; who reads into more reads a body
)

// What a header is refused with, in the words of net/http.
const (
	tooManyFields = "431 Request Header Fields Too Large"
	twoLengths    = "400 Bad Request: Content-Length and Transfer-Encoding"
	noRoom        = "503 Service Unavailable"
)

var errHeader = errors.New("header refused")

// header follows the header of a request, as it comes, before net/http makes fields of it.
type header struct {
	room *atomic.Int64 // bytes that the headers of the face have of it

	mu     sync.Mutex // a handler takes the request while net/http looks whether its client is gone
	bytes  int64      // that have come
	heavy  int64      // of them, those that are charged to room
	lines  int        // that have ended; the first is no field
	begin  [len("transfer-encoding:")]byte
	began  int  // bytes of begin: how the line that comes begins
	length bool // Content-Length was there
	coded  bool // Transfer-Encoding was there
	ended  bool // what comes now is no header
}

// take is told what came, in pieces of any size. It returns what the header is refused with;
// empty: it may go on.
func (h *header) take(p []byte) (refusal string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 && !h.ended && refusal == "" {
		part, rest, whole := bytes.Cut(p, []byte{'\n'})
		h.bytes += int64(len(p) - len(rest))
		h.began += copy(h.begin[h.began:], part)
		if p = rest; whole {
			refusal = h.line()
		}
	}
	if more := h.bytes - easy - h.heavy; more > 0 && refusal == "" {
		h.heavy += more
		if h.room.Add(more) > roomForHeaders {
			refusal = noRoom
		}
	}
	return refusal
}

// line is called when a line has ended.
func (h *header) line() (refusal string) {
	begin := h.begin[:h.began]
	if h.began = 0; len(bytes.TrimSuffix(begin, []byte{'\r'})) == 0 {
		h.ended = h.lines > 0 // net/http passes empty lines over that follow a POST
		return ""
	}
	name, _, _ := bytes.Cut(begin, []byte{':'}) // with a space before the colon net/http refuses it
	h.lines++
	h.length = h.length || bytes.EqualFold(name, []byte("content-length"))
	h.coded = h.coded || bytes.EqualFold(name, []byte("transfer-encoding"))
	switch {
	case h.lines > 1+proxy.MaxFields:
		return tooManyFields
	case h.length && h.coded:
		// Who reads the one and who reads the other would part the connection in two ways
		// (RFC 9112 section 6.1). net/http reads the second and does not tell of the first.
		return twoLengths
	}
	return ""
}

// forget is called when the connection waits for another header, or is closed. Of a connection
// without HTTP there is nothing to forget.
func (h *header) forget() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room.Add(-h.heavy)
	h.bytes, h.heavy, h.lines, h.began, h.length, h.coded, h.ended = 0, 0, 0, 0, false, false, false
}

// over is called when a request has come. It reports whether a Transfer-Encoding was seen.
func (h *header) over() (coded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	return h.coded
}

// refuse answers a header that is not read to its end. What still comes is read for a moment:
// to close at once would reset the connection, and take the answer from the client.
func (c *counted) refuse(status string) error {
	const linger = 500 * time.Millisecond
	_ = c.SetDeadline(time.Now().Add(linger))
	_, err := io.WriteString(c.TCPConn, "HTTP/1.1 "+status+"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+status)
	if err == nil && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c.TCPConn)
	}
	return &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: errHeader} // net/http says nothing more
}
