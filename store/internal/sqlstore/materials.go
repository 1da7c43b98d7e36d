// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The materials of a key are one column, newest first. After a byte that names the
// format come, for each material: version (uvarint), kind (one byte), ref and data
// (uvarint length, bytes), created and not-after (varint microseconds, 0: none).
//
// They are one column and not a table of their own because every verification reads
// them: the join is as dear as the look-up itself, and 1e6 keys need 1e6 rows less.

const materialsFormat = 1

// materialKinds are the bytes that stand for the kinds. They are part of the format
// and do not change.
var materialKinds = map[gatehouse.MaterialKind]byte{
	gatehouse.MaterialDigest: 1, gatehouse.MaterialSealed: 2, gatehouse.MaterialPublic: 3,
}

var kindsOfMaterial = [...]gatehouse.MaterialKind{1: gatehouse.MaterialDigest, 2: gatehouse.MaterialSealed, 3: gatehouse.MaterialPublic}

// encodeMaterials returns the column. *gatehouse.InvalidError where a material has no
// kind or shares its version with another.
func encodeMaterials(list []gatehouse.Material) ([]byte, error) {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b gatehouse.Material) int { return cmp.Compare(b.Version, a.Version) })
	out := []byte{materialsFormat}
	for i := range sorted {
		m := &sorted[i]
		kind, ok := materialKinds[m.Kind]
		if !ok || m.Version < 1 || i > 0 && sorted[i-1].Version == m.Version || !storable(m.Ref) {
			return nil, &gatehouse.InvalidError{Field: "materials", Problem: "one has no kind, no ref that is text, or no version of its own"}
		}
		out = binary.AppendUvarint(out, uint64(m.Version))
		out = append(out, kind)
		out = append(binary.AppendUvarint(out, uint64(len(m.Ref))), m.Ref...)
		out = append(binary.AppendUvarint(out, uint64(len(m.Data))), m.Data...)
		out = binary.AppendVarint(out, micros(m.Created))
		out = binary.AppendVarint(out, micros(m.NotAfter))
	}
	return out, nil
}

var errMaterials = errors.New("the materials of a key are not what they should be")

// decodeMaterials is the inverse of [encodeMaterials]. The data of the result is part
// of column, which the caller gives away.
func decodeMaterials(column []byte) ([]gatehouse.Material, error) {
	if len(column) == 0 || column[0] != materialsFormat {
		return nil, errMaterials
	}
	p := packed{rest: column[1:]}
	var out []gatehouse.Material
	for len(p.rest) > 0 {
		m := gatehouse.Material{Version: int64(p.uvarint()), Kind: p.kind()}
		m.Ref = string(p.bytes())
		m.Data = p.bytes()
		m.Created, m.NotAfter = p.moment(), p.moment()
		if p.bad || m.Version < 1 {
			return nil, errMaterials
		}
		if out == nil {
			out = make([]gatehouse.Material, 0, 1)
		}
		out = append(out, m)
	}
	return out, nil
}

// packed reads from the front of rest until something is bad.
type packed struct {
	rest []byte
	bad  bool
}

// skip drops n bytes; n <= 0 says that what was read is no number.
func (p *packed) skip(n int) {
	if n <= 0 {
		p.bad, p.rest = true, nil
		return
	}
	p.rest = p.rest[n:]
}

func (p *packed) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	p.skip(n)
	return v
}

func (p *packed) moment() time.Time {
	v, n := binary.Varint(p.rest)
	p.skip(n)
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}

func (p *packed) bytes() []byte {
	n := p.uvarint()
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return nil
	}
	out := p.rest[:n:n]
	p.rest = p.rest[n:]
	return out
}

func (p *packed) kind() gatehouse.MaterialKind {
	if len(p.rest) == 0 || p.rest[0] == 0 || int(p.rest[0]) >= len(kindsOfMaterial) {
		p.bad = true
		return gatehouse.MaterialInvalid
	}
	k := kindsOfMaterial[p.rest[0]]
	p.rest = p.rest[1:]
	return k
}
