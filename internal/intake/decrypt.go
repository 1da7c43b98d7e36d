// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/seed14544106/gatehouse"
)

// digests are those that Shield can decrypt with, by the names it knows: in capitals.
var digests = map[string]func() hash.Hash{
	"SHA224": sha256.New224,
	"SHA256": sha256.New,
	"SHA384": sha512.New384,
	"SHA512": sha512.New,
}

var (
	errMissing   = errors.New("missing")
	errMalformed = errors.New("stored in no form that Shield reads")
	errNotPlain  = errors.New("neither encrypted by Shield nor a plain secret")
)

// open returns the secret that Shield stored as $b6$TITLE$BASE64, or in clear, as it
// did before 1.0.0-beta.8. The error says why not and may name the title.
func (keys EncryptionKeys) open(stored string) (gatehouse.Secret, error) {
	if stored == "" {
		return gatehouse.Secret{}, errMissing
	}
	sealed, ok := strings.CutPrefix(stored, "$b6$")
	if !ok {
		if !isPlain(stored) {
			return gatehouse.Secret{}, errNotPlain
		}
		return gatehouse.NewSecret(stored), nil
	}
	title, text, _ := strings.Cut(sealed, "$")
	if !isTitle(title) || text == "" || strings.Contains(text, "\n") {
		return gatehouse.Secret{}, errMalformed
	}
	data, err := decodeBase64(text)
	if err != nil {
		return gatehouse.Secret{}, errMalformed
	}
	k, ok := keys[title]
	if !ok {
		return gatehouse.Secret{}, fmt.Errorf("there is no encryption key with the title %s", title)
	}
	plaintext, err := k.open(data)
	if err != nil {
		return gatehouse.Secret{}, fmt.Errorf("the encryption key with the title %s %w", title, err)
	}
	return gatehouse.NewSecret(string(plaintext)), nil
}

// isPlain reports whether a text can be a secret in clear: no space, no control
// character and, so that no encrypted form passes for one, no dollar sign.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '$' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

// decodeBase64 reads standard base64 as PHP's strict base64_decode does: spaces inside
// and missing padding pass, and so do bits that the last character leaves over.
func decodeBase64(text string) ([]byte, error) {
	text = strings.NewReplacer(" ", "", "\t", "", "\r", "").Replace(text)
	bare := strings.TrimRight(text, "=")
	if padding := len(text) - len(bare); padding > 2 || padding > 0 && len(text)%4 != 0 {
		return nil, errMalformed
	}
	return base64.RawStdEncoding.DecodeString(bare)
}

// open tries every form of the key. The error continues "the encryption key ...".
func (k *EncryptionKey) open(data []byte) ([]byte, error) {
	if text := k.Key.Reveal(); text == "" || text == "0" {
		return nil, errors.New("is empty")
	}
	try, err := k.opener()
	if err != nil {
		return nil, err
	}
	for _, material := range k.materials() {
		if plaintext, ok := try(material, data); ok {
			return plaintext, nil
		}
	}
	return nil, errors.New("does not open it")
}

// opener is how the key's driver opens data; ok is false when the key is another.
func (k *EncryptionKey) opener() (func(key, data []byte) (plaintext []byte, ok bool), error) {
	switch k.Driver {
	case "", "OpenSSL":
		name := k.Digest
		if name == "" {
			name = "SHA512"
		}
		digest, ok := digests[name]
		if !ok {
			return nil, errors.New("has a digest that is none of SHA224, SHA256, SHA384 and SHA512")
		}
		return func(key, data []byte) ([]byte, bool) {
			if plaintext, ok := openRaw(digest, key, data); ok {
				return plaintext, true
			}
			return openCompat(digest, key, data)
		}, nil
	case "Sodium":
		for _, material := range k.materials() {
			if len(material) == 32 {
				return openSodium, nil
			}
		}
		return nil, errors.New("has not the 32 bytes that Sodium needs")
	}
	return nil, errors.New("has a driver that is neither OpenSSL nor Sodium")
}

// openRaw opens MAC || iv || ciphertext: AES-256-CTR under the first 32 bytes of what
// HKDF makes of the key (28 of SHA224, and zeros), HMAC under all of it.
func openRaw(digest func() hash.Hash, key, data []byte) ([]byte, bool) {
	okm := derive(digest, key, "")
	if len(data) < len(okm)+aes.BlockSize || !hmac.Equal(data[:len(okm)], sum(digest, okm, data[len(okm):])) {
		return nil, false
	}
	data = data[len(okm):]
	aesKey := make([]byte, 32)
	copy(aesKey, okm)
	plaintext := make([]byte, len(data)-aes.BlockSize)
	cipher.NewCTR(newAES(aesKey), data[:aes.BlockSize]).XORKeyStream(plaintext, data[aes.BlockSize:])
	return plaintext, true
}

// openCompat opens what CodeIgniter writes with the settings that CodeIgniter 3 reads:
// hex(MAC) || base64(iv || ciphertext), AES-128-CBC with PKCS #7 padding, a key of its
// own for each of the two.
func openCompat(digest func() hash.Hash, key, data []byte) ([]byte, bool) {
	macKey := derive(digest, key, "authentication")
	digits := hex.EncodedLen(len(macKey))
	if len(data) < digits || !hmac.Equal(data[:digits], []byte(hex.EncodeToString(sum(digest, macKey, data[digits:])))) {
		return nil, false
	}
	data, err := decodeBase64(string(data[digits:]))
	if err != nil || len(data) < 2*aes.BlockSize || len(data)%aes.BlockSize != 0 {
		return nil, false
	}
	plaintext := make([]byte, len(data)-aes.BlockSize)
	block := newAES(derive(digest, key, "encryption")[:16])
	cipher.NewCBCDecrypter(block, data[:aes.BlockSize]).CryptBlocks(plaintext, data[aes.BlockSize:])
	padding := int(plaintext[len(plaintext)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, false
	}
	return plaintext[:len(plaintext)-padding], true
}

// openSodium opens nonce || secretbox. The padding is 0x80 and zeros up to a multiple
// of the block size, whatever that is set to.
func openSodium(key, data []byte) ([]byte, bool) {
	const nonceSize = 24
	if len(key) != 32 || len(data) < nonceSize {
		return nil, false
	}
	padded, ok := secretbox.Open(nil, data[nonceSize:], (*[nonceSize]byte)(data), (*[32]byte)(key))
	if !ok {
		return nil, false
	}
	end := len(padded) - 1
	for end >= 0 && padded[end] == 0 {
		end--
	}
	if end < 0 || padded[end] != 0x80 {
		return nil, false
	}
	return padded[:end], true
}

// derive is HKDF (RFC 5869) without salt, as long as the digest.
func derive(digest func() hash.Hash, key []byte, info string) []byte {
	okm, err := hkdf.Key(digest, key, nil, info, digest().Size())
	if err != nil {
		panic("intake: " + err.Error()) // only for a length that HKDF does not reach
	}
	return okm
}

func sum(digest func() hash.Hash, key, message []byte) []byte {
	mac := hmac.New(digest, key)
	mac.Write(message)
	return mac.Sum(nil)
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("intake: " + err.Error()) // every key here is 16 or 32 bytes
	}
	return block
}
