// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/seed14544106/gatehouse"
)

const (
	recordVersion        = 1
	algAES256GCM         = 1
	algXChaCha20Poly1305 = 2

	saltSize   = 16
	headerSize = 2 + saltSize
)

// owner is whom a data key is for.
type owner struct{ tenant, purpose string }

// dataKey is a DEK in clear. It does not change.
type dataKey struct {
	id        string
	owner     owner // authentic: the wrapping is bound to it
	kek       string
	algorithm byte // of what it seals; what it opens says itself
	created   time.Time
	key       []byte
}

// seal encrypts plaintext under a fresh key derived from the DEK.
func (dk *dataKey) seal(b *gatehouse.Binding, plaintext []byte) []byte {
	data := make([]byte, 0, overhead(dk.algorithm)+len(plaintext))
	data = append(data, recordVersion, dk.algorithm)
	data = append(data, randomBytes(saltSize)...)
	return dk.recordAEAD(b, data[:headerSize]).Seal(data, nil, plaintext, dk.binding(b))
}

// open reports false when data is not what seal made for this binding.
func (dk *dataKey) open(b *gatehouse.Binding, data []byte) ([]byte, bool) {
	if len(data) < headerSize || data[0] != recordVersion || overhead(data[1]) == 0 || len(data) <= overhead(data[1]) {
		return nil, false
	}
	plaintext, err := dk.recordAEAD(b, data[:headerSize]).Open(nil, nil, data[headerSize:], dk.binding(b))
	return plaintext, err == nil
}

// overhead is how long an empty secret is, sealed: header, nonce, tag. It is 0 for an
// unknown algorithm.
func overhead(algorithm byte) int {
	switch algorithm {
	case algAES256GCM:
		return headerSize + 12 + 16
	case algXChaCha20Poly1305:
		return headerSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	}
	return 0
}

// recordAEAD is the cipher that the header of a record asks for. Each algorithm has keys
// of its own, so that no key is ever used with two.
func (dk *dataKey) recordAEAD(b *gatehouse.Binding, header []byte) cipher.AEAD {
	info := "gatehouse/v1/"
	if header[1] == algXChaCha20Poly1305 {
		info = "gatehouse/v1/" + algorithmXChaCha + "/"
	}
	key := recordKey(dk.key, header[2:], info+b.Purpose)
	return newAEAD(header[1], key[:])
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

// newAEAD is an AEAD that draws its nonces itself and writes them in front of the
// ciphertext. The key must be 32 bytes; every key here is.
func newAEAD(algorithm byte, key []byte) cipher.AEAD {
	if algorithm == algXChaCha20Poly1305 {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			panic("seal: " + err.Error())
		}
		return randomNonce{aead}
	}
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

// randomNonce does to an AEAD what cipher.NewGCMWithRandomNonce does to GCM.
type randomNonce struct{ with cipher.AEAD }

func (randomNonce) NonceSize() int { return 0 }

func (a randomNonce) Overhead() int { return a.with.NonceSize() + a.with.Overhead() }

func (a randomNonce) Seal(dst, _, plaintext, additional []byte) []byte {
	nonce := randomBytes(a.with.NonceSize())
	return a.with.Seal(append(dst, nonce...), nonce, plaintext, additional)
}

func (a randomNonce) Open(dst, _, ciphertext, additional []byte) ([]byte, error) {
	n := a.with.NonceSize()
	if len(ciphertext) < n {
		return nil, errors.New("shorter than a nonce")
	}
	return a.with.Open(dst, ciphertext[:n], ciphertext[n:], additional)
}
