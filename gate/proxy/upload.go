// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// upload is a client's body on its way. It gives the client time for each part, and after the
// end it hands on the trailers.
type upload struct {
	io.ReadCloser
	x       *exchange
	trailer http.Header
	reading sync.Mutex
	over    atomic.Bool // the answer is complete: nobody reads any more
}

// linger is how long a client may go on sending after an answer that came before the end of
// its body. To close at once would reset the connection, and take the answer from it.
const linger = 500 * time.Millisecond

var errOver = errors.New("the answer is complete")

// settle takes the body from whoever still reads it, once the answer is complete: the rest of
// it must not be read as a request. The answer has said that the connection ends.
func (u *upload) settle() {
	x := u.x
	if x.request.ProtoMajor != 1 || x.upload.Load() != uploadOpen {
		return
	}
	_ = x.control.Flush()
	u.over.Store(true)
	_ = x.control.SetReadDeadline(time.Now().Add(linger)) // ends a read that runs
	u.reading.Lock()
	defer u.reading.Unlock()
	_ = x.control.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, u.ReadCloser)
}

func (u *upload) Read(p []byte) (int, error) {
	x := u.x
	u.reading.Lock()
	defer u.reading.Unlock()
	if u.over.Load() {
		return 0, errOver
	}
	if x.upload.Load() == uploadOpen {
		// After the body the server reads on, to see whether the client is gone, for as long as
		// the service takes.
		_ = x.control.SetReadDeadline(time.Now().Add(x.stall)) // not supported: the listener's counts
		if u.over.Load() {
			_ = x.control.SetReadDeadline(time.Now().Add(linger)) // settle's may have come before
		}
	}
	n, err := u.ReadCloser.Read(p)
	if err == io.EOF {
		x.upload.Store(uploadEnded)
		x.passTrailer(u.trailer)
	} else if err != nil {
		x.upload.Store(uploadBroken)
	}
	return n, err
}

// Fields that no trailer may be: a receiver that merges trailers into the header would frame,
// route, authenticate or read the request in another way (RFC 9110 section 6.5.1). net/http
// refuses Content-Length, Transfer-Encoding and Trailer.
var noTrailers = map[string]bool{
	"Host": true, "Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Upgrade": true,
	"Expect": true, "Max-Forwards": true, "Range": true, "Cache-Control": true, "Pragma": true, "Cookie": true, "Origin": true,
	"Content-Encoding": true, "Content-Type": true, "Content-Range": true,
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true, "If-Range": true,
}

// passTrailer copies the trailers that a service may see.
func (x *exchange) passTrailer(from http.Header) {
	for name, values := range from {
		if !foreign(name) && !noTrailers[name] && !slices.Contains(x.own, name) {
			x.trailer[name] = values
		}
	}
}
