// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512" // so that crypto.Hash has all of SHA-2
	"crypto/subtle"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// hashes are the functions, but for SHA-256, that another system may have hashed its long
// tokens with. A material's Ref ends in "/" and the name.
var hashes = map[string]crypto.Hash{
	"sha-224": crypto.SHA224, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512,
	"sha-512-224": crypto.SHA512_224, "sha-512-256": crypto.SHA512_256,
}

// Adopt turns a foreign key into what is stored of it: HMAC-SHA-256(pepper, Hash). Its ID
// is the short part of the foreign tokens, its Prefix their first part, its Hash that of
// the long part, or its Secret the long part itself. HashName is sha-224, sha-256, sha-384, sha-512, sha-512-224 or
// sha-512-256; empty means sha-256.
//
// Errors: *[gatehouse.InvalidError] with field "id", "prefix", "hash_name", "hash" or "secret".
func (s *Scheme) Adopt(f *gatehouse.Foreign) (gatehouse.Minted, error) {
	name, hash, ok := hashOf(f)
	invalid := func(field, problem string) (gatehouse.Minted, error) {
		return gatehouse.Minted{}, &gatehouse.InvalidError{Field: field, Problem: problem}
	}
	switch {
	case !readable(DefaultPrefix, f.ID):
		return invalid("id", "is not 1 to 64 letters and digits, as the short part of a token is")
	case !readable(f.Prefix, f.ID):
		return invalid("prefix", "is not 1 to 128 printable ASCII characters without space")
	case !ok:
		return invalid("hash_name", "is not one of sha-224, sha-256, sha-384, sha-512, sha-512-224 and sha-512-256")
	case (len(f.Hash) == 0) == f.Secret.Empty():
		return invalid("secret", "either it is wanted, the long part of the token, or its hash")
	case len(f.Hash) != 0 && len(f.Hash) != hash.Size():
		return invalid("hash", "has another length than its hash function gives")
	case !f.Secret.Empty() && !carries(f):
		return invalid("secret", "is not the long part of a token: letters and digits as a token can hold them")
	}
	ref, pepper := s.peppers.PrimaryPepper()
	if name != "" {
		ref += "/" + name
	}
	return gatehouse.Minted{KeyID: f.ID, Prefix: f.Prefix, Digest: bytesOf(keyed(pepper, inner(f, hash))), Ref: ref}, nil
}

// Adopted reports whether a material is what [Scheme.Adopt] makes of the foreign key,
// under the pepper it was made with.
func (s *Scheme) Adopted(f *gatehouse.Foreign, m *gatehouse.Material, _ []byte) bool {
	id, was := splitRef(m.Ref)
	pepper, known := s.peppers.PepperByID(id)
	_, hash, ok := hashOf(f)
	return known && ok && hash == was && subtle.ConstantTimeCompare(bytesOf(keyed(pepper[:], inner(f, hash))), m.Data) == 1
}

// inner is the hash of the long part, which the foreign key has or which is made of it.
func inner(f *gatehouse.Foreign, hash crypto.Hash) []byte {
	if len(f.Hash) > 0 {
		return f.Hash
	}
	h := hash.New()
	_, _ = h.Write([]byte(f.Secret.Reveal()))
	return h.Sum(nil)
}

// hashOf returns the foreign key's hash function, and its name in a Ref.
func hashOf(f *gatehouse.Foreign) (name string, hash crypto.Hash, ok bool) {
	if f.HashName == "" || f.HashName == "sha-256" {
		return "", crypto.SHA256, true
	}
	hash, ok = hashes[f.HashName]
	return f.HashName, hash, ok
}

// splitRef is the inverse of what Adopt writes. What does not end in the name of a hash
// function is the id of a pepper.
func splitRef(ref string) (pepper string, hash crypto.Hash) {
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		if hash, ok := hashes[ref[i+1:]]; ok {
			return ref[:i], hash
		}
	}
	return ref, crypto.SHA256
}

// digest is what is stored of a long part: HMAC-SHA-256(pepper, H(long)). The bare hash of
// another system can be taken over without knowing the token.
func digest(pepper []byte, hash crypto.Hash, long string) [sha256.Size]byte {
	if hash == crypto.SHA256 {
		var room [128]byte // most long parts have 38 bytes, and stay off the heap
		inner := sha256.Sum256(append(room[:0], long...))
		return keyed(pepper, inner[:])
	}
	w := hash.New()
	_, _ = w.Write([]byte(long)) // never fails: hash.Hash documents it
	return keyed(pepper, w.Sum(nil))
}

// The pads of HMAC, ipad and opad of RFC 2104.
var (
	innerPad = [sha256.BlockSize]byte(bytes.Repeat([]byte{0x36}, sha256.BlockSize))
	outerPad = [sha256.BlockSize]byte(bytes.Repeat([]byte{0x5c}, sha256.BlockSize))
)

// keyed is HMAC-SHA-256 (RFC 2104). It is written out because the library's puts three states
// on the heap for every digest.
func keyed(pepper, message []byte) [sha256.Size]byte {
	if len(pepper) > sha256.BlockSize {
		short := sha256.Sum256(pepper)
		pepper = short[:]
	}
	var room [sha256.BlockSize + 2*sha256.Size]byte
	pad := func(with *[sha256.BlockSize]byte) []byte {
		n := copy(room[:], with[:])
		subtle.XORBytes(room[:], room[:], pepper)
		return room[:n]
	}
	inner := sha256.Sum256(append(pad(&innerPad), message...))
	return sha256.Sum256(append(pad(&outerPad), inner[:]...))
}

func bytesOf(d [sha256.Size]byte) []byte { return d[:] }

// carries reports whether a token can carry the foreign key's secret as its long part.
func carries(f *gatehouse.Foreign) bool {
	t, _, err := readToken(f.Prefix + "_" + f.ID + "_" + f.Secret.Reveal())
	return err == nil && t.Prefix == f.Prefix && t.Short == f.ID && t.Long == f.Secret.Reveal()
}
