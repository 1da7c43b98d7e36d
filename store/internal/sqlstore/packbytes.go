// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/seed14544106/gatehouse"
)

func (p *packing) spoil() int {
	p.bad, p.at = true, len(p.in)
	return 0
}

func (p *packing) uvarint(v uint64) uint64 {
	if !p.reads {
		p.out.Write(binary.AppendUvarint(p.out.AvailableBuffer(), v))
		return v
	}
	v, n := binary.Uvarint(p.in[p.at:])
	if n <= 0 {
		p.spoil()
		return 0
	}
	p.at += n
	return v
}

func (p *packing) varint(n *int64) {
	u := p.uvarint(uint64(*n<<1) ^ uint64(*n>>63))
	if p.reads {
		*n = int64(u>>1) ^ -int64(u&1)
	}
}

func octet[T ~uint8](p *packing, b *T) {
	if v := p.uvarint(uint64(*b)); p.reads {
		*b = T(v)
	}
}

func (p *packing) write(data []byte) {
	p.uvarint(uint64(len(data)))
	p.out.Write(data)
}

// read returns what [packing.write] wrote: a part of the bytes.
func (p *packing) read() []byte { return p.take(p.uvarint(0)) }

func (p *packing) take(n uint64) []byte {
	if n > uint64(len(p.in)-p.at) {
		p.spoil()
		return nil
	}
	p.at += int(n)
	return p.in[p.at-int(n) : p.at]
}

// usual are the first texts of every table.
var usual = [...]string{
	"", gatehouse.DefaultTenant, string(gatehouse.PrincipalActive), "member", "gh", "bearer", "barong", "shield", "httpsig",
	"admin", "superadmin", string(gatehouse.PrincipalPending), "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "*",
}

const (
	mostShared    = 1 << 12
	longestShared = 64 // bytes
)

// table is the texts that many records share, such as scopes and the ids of data keys: those
// that came first, until it is full.
type table struct {
	mu    sync.Mutex
	index map[string]uint64
	// texts are set once, and read without a lock: who has packed bytes has them from who knew
	// that the text is there.
	texts [mostShared]string
}

// share returns the index of a text, which is put into the table while that has room.
func (t *table) share(s string) (i uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok = t.index[s]; ok {
		return i, true
	}
	if i = uint64(len(t.index)); i == mostShared || len(s) > longestShared {
		return 0, false
	}
	s = strings.Clone(s) // it is part of a row
	t.index[s], t.texts[i] = i, s
	return i, true
}

// A text is a number whose last two bits say of what: the index of a shared text, or the length
// of bytes that follow and are the text, or are what it says in hexadecimal digits.
const (
	formShared = iota
	formPlain
	formHex
	formBits = 2
)

// word is a text that may be shared, or is its record's own.
func word[T ~string](p *packing, s *T, shared bool) {
	if p.reads {
		*s = T(p.readText())
	} else {
		p.writeText(string(*s), shared)
	}
}

func (p *packing) writeText(s string, shared bool) {
	if shared {
		if i, ok := p.packer.shared.share(s); ok {
			p.uvarint(i<<formBits + formShared)
			return
		}
	}
	p.length += len(s)
	if hexadecimal(s) {
		p.uvarint(uint64(len(s)/2)<<formBits + formHex)
		data, _ := hex.AppendDecode(p.out.AvailableBuffer(), []byte(s)) // never fails: it is such
		p.out.Write(data)
		return
	}
	p.uvarint(uint64(len(s))<<formBits + formPlain)
	p.out.WriteString(s)
}

// hexadecimal reports whether a text is bytes in digits such as we write.
func hexadecimal(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s)%2 == 0
}

func (p *packing) readText() string {
	n := p.uvarint(0)
	form, n := n%(1<<formBits), n>>formBits
	if form == formShared {
		if n >= mostShared || n > 0 && p.packer.shared.texts[n] == "" {
			p.spoil()
			return ""
		}
		return p.packer.shared.texts[n]
	}
	data, from := p.take(n), p.text.Len()
	if form == formPlain {
		p.text.Write(data)
	} else {
		var room [64]byte // most ids are shorter
		p.text.Write(hex.AppendEncode(room[:0], data))
	}
	return p.text.String()[from:]
}
