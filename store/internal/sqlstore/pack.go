// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// A packed record is bytes of this process alone: their form outlives it nowhere. First comes
// when the key was last used, which changes in its place, then which fields there are, then
// the fields of [packing.record] that are not zero.
const (
	lastUseLen = 8 // microseconds, little-endian; 0: never
	fieldsLen  = 5 // a bit for each field, little-endian
	frontLen   = lastUseLen + fieldsLen
)

// packing writes a record into bytes, or reads it from them. One list of the fields is for
// both, so that they cannot drift apart: it says of each by a pointer where it is, through
// which only reading writes.
//
// What it appends to stands behind pointers: else the compiler takes what is read for what is
// appended to, and moves the caller's room for it to the heap.
type packing struct {
	packer *Packer
	reads  bool
	bad    bool             // what is read is no record
	in     []byte           // what is read
	at     int              // where; not a shorter slice, whose pointer the collector would be told of
	text   *strings.Builder // all texts that are read and not shared: one object on the heap
	out    *bytes.Buffer    // what is written
	length int              // of all texts that are written and not shared
	fields uint64           // by number, whether a field is there
	field  int              // the number of the next
	origin int64            // microseconds: times are packed as their distance from it
}

// Packer packs records, and keeps what they share. It is safe for concurrent use.
type Packer struct{ shared *table }

// NewPacker returns a packer that knows the usual texts.
func NewPacker() *Packer {
	t := &table{index: make(map[string]uint64, len(usual))}
	for _, s := range usual {
		t.share(s)
	}
	return &Packer{t}
}

// Pack returns a record as it is kept. The record is one that was looked up.
func (k *Packer) Pack(rec *gatehouse.Record) []byte {
	p := packing{packer: k, out: bytes.NewBuffer(make([]byte, 0, usualRow))}
	p.record(rec)
	out := make([]byte, frontLen, frontLen+binary.MaxVarintLen32+p.out.Len())
	usedAt(out, rec.Key.LastUsed)
	for i := range fieldsLen {
		out[lastUseLen+i] = byte(p.fields >> (8 * i))
	}
	return append(binary.AppendUvarint(out, uint64(p.length)), p.out.Bytes()...)
}

// usedAt writes a last use into a packed record. It reports whether it is later than the one
// that is there.
func usedAt(packed []byte, at time.Time) bool {
	was, n := int64(binary.LittleEndian.Uint64(packed)), micros(at)
	if n == 0 || was != 0 && was >= n {
		return false
	}
	binary.LittleEndian.PutUint64(packed, uint64(n))
	return true
}

// unpack reads what [Packer.Pack] made into a record that is zero, and reports whether it is one. The
// record has no part of the bytes.
func (k *Packer) unpack(packed []byte, rec *gatehouse.Record) bool {
	if len(packed) < frontLen {
		return false
	}
	if used := int64(binary.LittleEndian.Uint64(packed)); used != 0 {
		rec.Key.LastUsed = time.UnixMicro(used).UTC()
	}
	p := packing{packer: k, reads: true, in: packed, at: frontLen, text: new(strings.Builder)}
	for i := range fieldsLen {
		p.fields |= uint64(packed[lastUseLen+i]) << (8 * i)
	}
	length := p.uvarint(0)
	if length > uint64(2*len(packed)) { // no byte is more than two characters
		return false
	}
	p.text.Grow(int(length))
	p.record(rec)
	rec.Principal.ID, rec.Principal.Tenant = rec.Key.Principal, rec.Key.Tenant
	return !p.bad && p.at == len(p.in)
}

// record is the list of the fields.
func (p *packing) record(r *gatehouse.Record) {
	k, owner := &r.Key, &r.Principal
	p.moment(&k.Created)
	p.origin = micros(k.Created)
	p.moment(&k.Updated)
	p.moment(&k.NotBefore)
	p.moment(&k.Expires)
	p.moment(&k.Deleted)
	for _, s := range [...]*string{&k.ID, &k.Principal, &k.Name, &owner.UID, &owner.Email, &owner.Username, &owner.Referral} {
		text(p, s, false)
	}
	for _, s := range [...]*string{&k.Tenant, &k.Prefix, &k.StateText, &owner.Role} {
		text(p, s, true)
	}
	text(p, &owner.State, true)
	text(p, &r.Tenant.State, true)
	octet(p, &k.State)
	octet(p, &k.Replay)
	octet(p, &owner.Kind)
	p.number(&k.Version)
	p.number((*int64)(&k.Unused))
	p.number(&owner.Version)
	p.level(&owner.Level)
	p.flag(&k.Signed)
	p.flag(&owner.SecondFactor)
	p.lists(r)
}

func (p *packing) lists(r *gatehouse.Record) {
	k := &r.Key
	texts(p, &k.Schemes)
	texts(p, (*[]gatehouse.Scope)(&k.Scopes))
	texts(p, &k.Methods)
	texts(p, &k.Paths)
	for _, l := range [...]*[]gatehouse.Limit{&k.Limits, &r.Principal.Limits, &r.Tenant.Limits} {
		for i := range listed(p, l) {
			p.limit(&(*l)[i])
		}
	}
	for i := range listed(p, &k.Networks) {
		p.network(&k.Networks[i])
	}
	for i := range listed(p, &k.Materials) {
		p.material(&k.Materials[i])
	}
	p.metadata(&k.Metadata)
}

// has reports whether the next field is there, which who writes knows.
func (p *packing) has(there bool) bool {
	bit := uint64(1) << p.field
	p.field++
	if p.reads {
		return p.fields&bit != 0
	}
	if there {
		p.fields |= bit
	}
	return there
}

func (p *packing) flag(b *bool) {
	if there := p.has(*b); p.reads {
		*b = there
	}
}

func (p *packing) number(n *int64) {
	if p.has(*n != 0) {
		p.varint(n)
	}
}

func (p *packing) level(n *int) {
	v := int64(*n)
	if p.number(&v); p.reads {
		*n = int(v)
	}
}

func (p *packing) moment(t *time.Time) {
	if p.has(!t.IsZero()) {
		p.distance(t)
	}
}

func (p *packing) distance(t *time.Time) {
	n := t.UnixMicro() - p.origin // what goes beyond comes back
	if p.varint(&n); p.reads {
		*t = time.UnixMicro(n + p.origin).UTC()
	}
}

func text[T ~string](p *packing, s *T, shared bool) {
	if p.has(*s != "") {
		word(p, s, shared)
	}
}

func texts[T ~string](p *packing, list *[]T) {
	for i := range listed(p, list) {
		word(p, &(*list)[i], true)
	}
}

// listed is how many a list has, which is made where it is read. None and an empty one
// differ.
func listed[T any](p *packing, list *[]T) int {
	if !p.has(*list != nil) {
		return 0
	}
	n := p.uvarint(uint64(len(*list)))
	if p.reads {
		if n > uint64(len(p.in)) { // each takes a byte at least
			return p.spoil()
		}
		*list = make([]T, n)
	}
	return int(n)
}

func (p *packing) limit(l *gatehouse.Limit) {
	word(p, &l.Name, true)
	p.varint(&l.Count)
	p.varint((*int64)(&l.Period))
	p.varint(&l.Burst)
	octet(p, &l.Refill)
}

func (p *packing) network(n *netip.Prefix) {
	if !p.reads {
		data, _ := n.MarshalBinary() // of a prefix that was read
		p.write(data)
	} else if n.UnmarshalBinary(p.read()) != nil {
		p.spoil()
	}
}

func (p *packing) material(m *gatehouse.Material) {
	p.varint(&m.Version)
	octet(p, &m.Kind)
	word(p, &m.Ref, true)
	if p.reads {
		m.Data = append([]byte{}, p.read()...)
	} else {
		p.write(m.Data)
	}
	p.instant(&m.Created)
	p.instant(&m.NotAfter)
}

// instant is a moment in a list.
func (p *packing) instant(t *time.Time) {
	there := uint64(0)
	if !t.IsZero() {
		there = 1
	}
	if p.uvarint(there) != 0 {
		p.distance(t)
	}
}

func (p *packing) metadata(m *gatehouse.Metadata) {
	if !p.has(*m != nil) {
		return
	}
	n := p.uvarint(uint64(len(*m)))
	if !p.reads {
		for name, value := range *m {
			word(p, &name, true)
			word(p, &value, false)
		}
		return
	}
	for *m = (gatehouse.Metadata{}); n > 0 && !p.bad; n-- {
		var name, value string
		word(p, &name, true)
		word(p, &value, false)
		(*m)[name] = value
	}
}
