// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package spop is the wire of SPOP 2.0, the protocol in which HAProxy asks an agent about
// a stream: frames, their payloads, and the items of these. The source is section 3 of
// HAProxy's doc/SPOE.txt; section numbers here are of that text.
//
// What is read is bounded by the frame that it is in, and refers to the frame's bytes. A
// form that is not the one this package writes is refused, so that writing what was read
// gives the same bytes.
package spop

import "fmt"

// MinFrame is the size of a frame, in bytes without its length, that both sides must be
// able to take (section 3.2.1).
const MinFrame = 256

// maxItems bounds a list: that of an action or a message has its length in one byte.
const maxItems = 255

// Code is why a connection ends (section 3.5). As an error it says which side of the
// protocol was broken.
type Code uint32

// The codes that an agent has a use for.
const (
	Normal       Code = 0 // nothing is wrong
	Timeout      Code = 2
	TooBig       Code = 3 // a frame
	Invalid      Code = 4 // a frame
	NoVersion    Code = 5 // in a hello, as the two below
	NoFrameSize  Code = 6
	NoCapability Code = 7
	BadVersion   Code = 8
	BadFrameSize Code = 9
	Fragmented   Code = 10 // a payload
	Unknown      Code = 99
)

var reasons = map[Code]string{
	Normal:       "normal",
	Timeout:      "too slow",
	TooBig:       "a frame is too big",
	Invalid:      "a frame is not of the protocol",
	NoVersion:    "the hello names no version",
	NoFrameSize:  "the hello names no frame size",
	NoCapability: "the hello names no capabilities",
	BadVersion:   "no common version",
	BadFrameSize: "the frame size cannot be used",
	Fragmented:   "fragments are not taken",
}

// Error says what the code means.
func (c Code) Error() string {
	if text := reasons[c]; text != "" {
		return text
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// appendVarint writes an integer (section 3.1): below 240 one byte, else four bits and
// then seven in each byte, what is left less what the shorter forms can say. So every
// integer has one form.
func appendVarint(b []byte, v uint64) []byte {
	if v < 240 {
		return append(b, byte(v))
	}
	b = append(b, byte(v)|240)
	for v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7 {
		b = append(b, byte(v)|128)
	}
	return append(b, byte(v))
}

// cut takes items from the front of a payload. After the first that is not there, or is
// wrong, bad is true and everything is zero.
type cut struct {
	rest []byte
	bad  bool
}

func (c *cut) fail() { c.rest, c.bad = nil, true }

func (c *cut) bytes(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	out := c.rest[:n:n]
	c.rest = c.rest[n:]
	return out
}

func (c *cut) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cut) varint() uint64 {
	v := uint64(c.byte())
	if v < 240 {
		return v
	}
	for shift := uint(4); ; shift += 7 {
		b := uint64(c.byte())
		more := b << shift
		if more>>shift != b || v+more < v { // at the tenth byte the latest
			c.fail()
		}
		if c.bad {
			return 0
		}
		if v += more; b < 128 {
			return v
		}
	}
}

// text takes a length and as many bytes.
func (c *cut) text() []byte { return c.bytes(c.varint()) }

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(appendVarint(b, uint64(len(text))), text...)
}
