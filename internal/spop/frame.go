// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Type is what a frame is for (section 3.2.2).
type Type byte

// The types. HAProxy sends the first four, an agent the others.
const (
	Unset             Type = 0 // a later fragment
	HAProxyHello      Type = 1
	HAProxyDisconnect Type = 2
	Notify            Type = 3
	AgentHello        Type = 101
	AgentDisconnect   Type = 102
	Ack               Type = 103
)

// Flags of a frame.
const (
	Fin   uint32 = 1 << 0 // it ends its payload
	Abort uint32 = 1 << 1 // what it belongs to is given up
)

// Frame is one message on a connection.
type Frame struct {
	Type    Type
	Flags   uint32
	Stream  uint64 // of HAProxy's; zero in a hello and a disconnect
	ID      uint64 // in its stream; zero in a hello and a disconnect
	Payload []byte
}

// ReadFrame reads a frame of at most limit bytes; memory is taken once its length is known
// to be within. The errors are TooBig, Invalid, and those of r; io.EOF only before the
// first byte.
func ReadFrame(r io.Reader, limit int) (Frame, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if uint64(n) > uint64(limit) {
		return Frame{}, fmt.Errorf("read frame: %w", TooBig)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	return ParseFrame(b)
}

// ParseFrame reads a frame without its length. It keeps b. The error is Invalid.
func ParseFrame(b []byte) (Frame, error) {
	c := cut{rest: b}
	f := Frame{Type: Type(c.byte())}
	if flags := c.bytes(4); flags != nil {
		f.Flags = binary.BigEndian.Uint32(flags)
	}
	f.Stream, f.ID = c.varint(), c.varint()
	if c.bad {
		return Frame{}, fmt.Errorf("read frame: %w", Invalid)
	}
	f.Payload = c.rest
	return f, nil
}

// Append writes the frame, its length before it.
func (f Frame) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(f.Type))
	b = binary.BigEndian.AppendUint32(b, f.Flags)
	b = append(appendVarint(appendVarint(b, f.Stream), f.ID), f.Payload...)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}
