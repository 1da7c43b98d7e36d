// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"github.com/seed14544106/gatehouse"
)

const (
	recordVersion = 1
	algAES256GCM  = 1

	saltSize   = 16
	headerSize = 2 + saltSize
	sealedSize = headerSize + 12 + 16 // of an empty secret: header, nonce, tag
)

// owner is whom a data key is for.
type owner struct{ tenant, purpose string }

// dataKey is a DEK in clear, or the reason why it could not be had.
type dataKey struct {
	id    string
	owner owner // authentic: the wrapping is bound to it
	key   []byte
	err   error
}

// seal encrypts plaintext under a fresh key derived from the DEK.
func (dk *dataKey) seal(b *gatehouse.Binding, plaintext []byte) []byte {
	data := make([]byte, 0, sealedSize+len(plaintext))
	data = append(data, recordVersion, algAES256GCM)
	data = append(data, randomBytes(saltSize)...)
	return dk.recordAEAD(b, data[2:headerSize]).Seal(data, nil, plaintext, dk.binding(b))
}

// open reports false when data is not what seal made for this binding.
func (dk *dataKey) open(b *gatehouse.Binding, data []byte) ([]byte, bool) {
	if len(data) <= sealedSize || data[0] != recordVersion || data[1] != algAES256GCM {
		return nil, false
	}
	plaintext, err := dk.recordAEAD(b, data[2:headerSize]).Open(nil, nil, data[headerSize:], dk.binding(b))
	return plaintext, err == nil
}

func (dk *dataKey) recordAEAD(b *gatehouse.Binding, salt []byte) cipher.AEAD {
	key := recordKey(dk.key, salt, "gatehouse/v1/"+b.Purpose)
	return newAEAD(key[:])
}

func (dk *dataKey) binding(b *gatehouse.Binding) []byte {
	var version [8]byte
	binary.BigEndian.PutUint64(version[:], uint64(b.Version))
	return fields("gatehouse.v1", b.Purpose, b.Tenant, b.ID, string(version[:]), dk.id)
}

// fields joins texts, each with its length in front, so that no two lists read the same.
func fields(texts ...string) []byte {
	n := 0
	for _, t := range texts {
		n += 4 + len(t)
	}
	out := make([]byte, 0, n)
	for _, t := range texts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(t)))
		out = append(out, t...)
	}
	return out
}

// newAEAD is AES-256-GCM that draws its nonces itself and writes them in front of the
// ciphertext. The key must be 32 bytes; every key here is.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return aead
}
