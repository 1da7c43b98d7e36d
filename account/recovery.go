// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

const (
	recoveryCodes   = 10 // how many an account gets
	recoveryBytes   = 15 // 120 random bits: beyond guessing, so a fast keyed hash is enough
	recoveryLetters = 24 // the same in base32
	recoveryGroup   = 4  // letters between two dashes
)

// recoveryLabel keeps these hashes apart from every other use of the pepper.
const recoveryLabel = "gatehouse recovery code v1"

// NewRecoveryCodes returns ten fresh recovery codes as the holder sees them, once:
// 24 base32 characters (A-Z and 2-7, 120 random bits) in six groups of four with
// '-' between them. Store only what [HashRecoveryCode] makes of them.
func NewRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		var random [recoveryBytes]byte
		_, _ = rand.Read(random[:]) // never fails: it ends the process instead
		codes[i] = groupRecoveryCode(base32.StdEncoding.EncodeToString(random[:]))
	}
	return codes
}

func groupRecoveryCode(letters string) string {
	groups := make([]string, 0, recoveryLetters/recoveryGroup)
	for ; len(letters) > recoveryGroup; letters = letters[recoveryGroup:] {
		groups = append(groups, letters[:recoveryGroup])
	}
	return strings.Join(append(groups, letters), "-")
}

// NormalizeRecoveryCode returns the one spelling of a code that [HashRecoveryCode]
// takes: 24 upper-case base32 characters without dashes. It accepts small letters,
// and either all dashes in their places or none. Anything else, white space too,
// yields false.
func NormalizeRecoveryCode(s string) (string, bool) {
	const grouped = recoveryLetters + recoveryLetters/recoveryGroup - 1
	if len(s) != recoveryLetters && len(s) != grouped {
		return "", false
	}
	letters := make([]byte, 0, recoveryLetters)
	for i := range len(s) {
		c := s[i]
		dash := len(s) == grouped && i%(recoveryGroup+1) == recoveryGroup
		switch {
		case dash && c == '-':
		case dash:
			return "", false
		case 'A' <= c && c <= 'Z' || '2' <= c && c <= '7':
			letters = append(letters, c)
		case 'a' <= c && c <= 'z':
			letters = append(letters, c-'a'+'A')
		default:
			return "", false
		}
	}
	return string(letters), true
}

// HashRecoveryCode returns what is stored of a recovery code: HMAC-SHA-256 keyed
// with pepper over the account and the code, each with its length before it. The
// hash of one account's code is therefore never that of another's, and a store can
// find and delete it in one step. code is what [NormalizeRecoveryCode] returned.
// It panics without a pepper.
func HashRecoveryCode(pepper []byte, accountID, code string) []byte {
	if len(pepper) == 0 {
		panic("account: HashRecoveryCode without a pepper")
	}
	mac := hmac.New(sha256.New, pepper)
	for _, field := range []string{recoveryLabel, accountID, code} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		mac.Write([]byte(field))
	}
	return mac.Sum(nil)
}
