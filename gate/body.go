// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"sync"

	"github.com/seed14544106/gatehouse"
)

// budget bounds the bytes that all requests hold in memory together. A body is charged
// as it arrives: who only announces one takes nothing from others. One client has a
// quarter of it, and the last eighth is for small bodies, but a body of the limit always
// finds room where there is no other.
type budget struct {
	mu       sync.Mutex
	left     int64
	share    int64 // of one client
	reserved int64 // for small bodies
	taken    map[netip.Prefix]int64
}

const small = 64 << 10

func newBudget(all, maxBody int64) *budget {
	return &budget{left: all, share: max(all/4, maxBody), reserved: min(all/8, all-maxBody), taken: map[netip.Prefix]int64{}}
}

// take charges a client for n bytes more of a body of size. To give back is to take less
// than nothing.
func (b *budget) take(client netip.Prefix, n, size int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	least := b.reserved
	if size <= small {
		least = 0
	}
	if n > 0 && (b.left-n < least || b.taken[client]+n > b.share) {
		return false
	}
	b.left -= n
	if b.taken[client] += n; b.taken[client] == 0 {
		delete(b.taken, client)
	}
	return true
}

// clientOf is the network that one client has to itself: an address of IPv4, 64 bits of
// IPv6. Unknown addresses are one client.
func clientOf(peer netip.Addr) netip.Prefix {
	client, _ := peer.Prefix(min(peer.BitLen(), 64))
	return client
}

// held is a body in memory. Nil: the body was not read.
type held struct {
	bytes  []byte // its capacity is charged
	from   *budget
	client netip.Prefix
}

var (
	errTooLarge = errors.New("body too large")
	errNoRoom   = errors.New("no room for bodies")
	errShort    = errors.New("body ends early")
	errParsed   = errors.New("body was read as a form")
)

// supply states what is known of the request's body, and reads it where the proof covers
// it. A body that nobody wants is not touched.
func (g *Gate) supply(r *http.Request, q *gatehouse.Request) (*held, *Denial) {
	parsed := len(r.PostForm) > 0 || r.MultipartForm != nil || r.PostForm != nil && r.ContentLength != 0
	if !parsed && (r.Body == nil || r.Body == http.NoBody) {
		q.Body.State = gatehouse.BodyPresent
		return nil, nil
	}
	// HTTP/2 says by the length alone that there is none. Where it stands in a field the
	// stream may still be open, and reading would wait for a stranger.
	if !g.verifier.WantsBody(q) && (parsed || r.ContentLength != 0 || r.Header["Content-Length"] != nil) {
		return nil, nil
	}
	h := &held{from: g.buffers, client: clientOf(q.Peer)}
	done := false
	defer func() {
		if !done { // a body of somebody's own panicked
			h.release()
		}
	}()
	err := errParsed // what is left to read would count as an empty body
	if !parsed {
		err = h.read(r, g.maxBody)
	}
	done = true
	switch {
	case err == nil:
		q.Body = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: h.bytes}
		return h, nil
	case errors.Is(err, errTooLarge):
		return h, &Denial{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Title: "The body is too large to be checked", hangUp: true}
	case errors.Is(err, errNoRoom):
		d := unavailable("Too much to do; try again")
		d.hangUp = true
		return h, d
	default:
		return h, &Denial{Status: http.StatusBadRequest, Code: "bad_body", Title: "The body ended early, was read before, or cannot be read", hangUp: true}
	}
}

// read reads the whole body of at most limit bytes. One that is declared to be longer is
// not begun, so that its sender is not told to continue.
func (h *held) read(r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return errTooLarge
	}
	if r.ContentLength > 0 {
		limit = r.ContentLength
	}
	const first = 4 << 10
	var probe [1]byte
	for {
		room := h.bytes[len(h.bytes):cap(h.bytes)]
		full := len(room) == 0
		if full {
			room = probe[:] // to see the end, or to know that there is more
		}
		n, err := r.Body.Read(room)
		if full && n > 0 {
			size := int64(cap(h.bytes))
			if err := h.grow(min(size+max(size/4, first), limit)); err != nil {
				return err
			}
			h.bytes = append(h.bytes, probe[0])
		} else {
			h.bytes = h.bytes[:len(h.bytes)+n]
		}
		switch tooLarge := (*http.MaxBytesError)(nil); {
		case err == nil:
		case !errors.Is(err, io.EOF) && errors.As(err, &tooLarge):
			return errTooLarge
		case !errors.Is(err, io.EOF):
			return err
		case r.ContentLength > 0 && int64(len(h.bytes)) != r.ContentLength:
			return errShort
		default:
			return nil
		}
	}
}

// grow makes room for size bytes in all.
func (h *held) grow(size int64) error {
	more := size - int64(cap(h.bytes))
	switch {
	case more <= 0:
		return errTooLarge
	case !h.from.take(h.client, more, size):
		return errNoRoom
	}
	grown := make([]byte, len(h.bytes), size)
	copy(grown, h.bytes)
	h.bytes = grown
	return nil
}

// release ends the charge, when the handler is done with the body.
func (h *held) release() {
	if h != nil {
		h.from.take(h.client, -int64(cap(h.bytes)), 0)
	}
}

// giveBack makes the bytes that were read the body of r, a request of our own.
func (h *held) giveBack(r *http.Request) *http.Request {
	if h == nil {
		return r
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(h.bytes)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength, r.TransferEncoding = int64(len(h.bytes)), nil
	return r
}
