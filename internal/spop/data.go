// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import (
	"fmt"
	"math"
	"net/netip"
)

// Kind is the type of a typed datum (section 3.1). The zero value is that of nothing.
type Kind byte

// The kinds.
const (
	KindNull   Kind = 0
	KindBool   Kind = 1
	KindInt32  Kind = 2
	KindUint32 Kind = 3
	KindInt64  Kind = 4
	KindUint64 Kind = 5
	KindIPv4   Kind = 6
	KindIPv6   Kind = 7
	KindString Kind = 8
	KindBinary Kind = 9
)

// isTrue is the flag of a boolean, in the upper four bits of the first byte.
const isTrue = 1 << 4

// Data is a typed datum. The zero value is the null of the protocol.
type Data struct {
	Kind  Kind
	Num   uint64 // of a number, a negative one in two's complement; of a boolean 0 or 1
	Bytes []byte // of a string, a binary and an address; else nil
}

// Bool makes a boolean.
func Bool(v bool) Data {
	if v {
		return Data{Kind: KindBool, Num: 1}
	}
	return Data{Kind: KindBool}
}

// Int32 makes a number.
func Int32(v int32) Data { return Data{Kind: KindInt32, Num: uint64(int64(v))} }

// Uint32 makes a number.
func Uint32(v uint32) Data { return Data{Kind: KindUint32, Num: uint64(v)} }

// Int64 makes a number.
func Int64(v int64) Data { return Data{Kind: KindInt64, Num: uint64(v)} }

// String makes a text.
func String(v string) Data { return Data{Kind: KindString, Bytes: []byte(v)} }

// Binary makes a binary of the bytes, which it keeps.
func Binary(v []byte) Data { return Data{Kind: KindBinary, Bytes: v} }

// Addr makes an address; an invalid one is null.
func Addr(a netip.Addr) Data {
	switch b := a.AsSlice(); len(b) {
	case 4:
		return Data{Kind: KindIPv4, Bytes: b}
	case 16:
		return Data{Kind: KindIPv6, Bytes: b}
	}
	return Data{}
}

// Addr is the address; invalid: it is none.
func (d Data) Addr() netip.Addr {
	if d.Kind != KindIPv4 && d.Kind != KindIPv6 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(d.Bytes)
	return a
}

// Text is the text. ok is false where it is none.
func (d Data) Text() (text string, ok bool) { return string(d.Bytes), d.Kind == KindString }

// Append writes the datum.
func (d Data) Append(b []byte) []byte {
	switch d.Kind {
	case KindBool:
		return append(b, byte(d.Kind)|byte(d.Num&1)*isTrue)
	case KindInt32, KindUint32, KindInt64, KindUint64:
		return appendVarint(append(b, byte(d.Kind)), d.Num)
	case KindIPv4, KindIPv6:
		return append(append(b, byte(d.Kind)), d.Bytes...)
	case KindString, KindBinary:
		return appendText(append(b, byte(d.Kind)), d.Bytes)
	default:
		return append(b, byte(KindNull))
	}
}

func (c *cut) data() Data {
	first := c.byte()
	d := Data{Kind: Kind(first)}
	switch {
	case d.Kind == KindNull:
	case first&^isTrue == byte(KindBool):
		d = Bool(first&isTrue != 0)
	case d.Kind <= KindUint64:
		if d.Num = c.varint(); !d.fits() {
			c.fail()
		}
	case d.Kind == KindIPv4:
		d.Bytes = c.bytes(4)
	case d.Kind == KindIPv6:
		d.Bytes = c.bytes(16)
	case d.Kind <= KindBinary:
		d.Bytes = c.text()
	default:
		c.fail()
	}
	return d
}

// fits reports whether a number is one of its kind.
func (d Data) fits() bool {
	switch d.Kind {
	case KindInt32:
		return int64(d.Num) >= math.MinInt32 && int64(d.Num) <= math.MaxInt32
	case KindUint32:
		return d.Num <= math.MaxUint32
	}
	return true
}

// Item is a datum with a name.
type Item struct {
	Name  string
	Value Data
}

func (c *cut) item() Item {
	name := string(c.text())
	return Item{Name: name, Value: c.data()}
}

// Append writes the item.
func (i Item) Append(b []byte) []byte { return i.Value.Append(appendText(b, i.Name)) }

// ParseItems reads a list that fills a payload, as a hello and a disconnect have it. The
// error is Invalid, also for more than 255.
func ParseItems(payload []byte) ([]Item, error) {
	c := cut{rest: payload}
	var out []Item
	for len(c.rest) > 0 && len(out) <= maxItems {
		out = append(out, c.item())
	}
	if c.bad || len(out) > maxItems {
		return nil, fmt.Errorf("read list: %w", Invalid)
	}
	return out, nil
}
