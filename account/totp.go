// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Time-based one-time passwords, RFC 6238, with what every authenticator app
// assumes: HMAC-SHA-1, six digits, steps of 30 seconds from the Unix epoch. SHA-1
// is sound here: HMAC needs no collision resistance.
const (
	totpDigits      = 6
	totpPeriod      = 30 // seconds
	totpSecretBytes = 20 // RFC 4226 section 4, R6: 160 bits recommended
	totpSecretLeast = 16 // and 128 bits required
)

// NewTOTPSecret returns 20 random bytes. The caller owns them.
func NewTOTPSecret() []byte {
	secret := make([]byte, totpSecretBytes)
	_, _ = rand.Read(secret) // never fails: it ends the process instead
	return secret
}

// TOTPStep returns the number of the 30-second step that t lies in, counted from
// the Unix epoch. Steps before the epoch are negative.
func TOTPStep(t time.Time) int64 {
	seconds := t.Unix()
	step := seconds / totpPeriod
	if seconds%totpPeriod < 0 {
		step-- // division rounds toward zero, a step begins at its lower end
	}
	return step
}

// TOTPCode returns the six-digit code of a step (RFC 6238 section 4.2).
func TOTPCode(secret []byte, step int64) string {
	return hotp(secret, uint64(step), totpDigits)
}

// MatchTOTP looks for the step whose code is code: the step of now, the one before
// and the one after. code must be exactly six ASCII digits; nothing is trimmed. ok
// is false as well for a secret below 128 bits.
//
// When two of these steps share the code, step is the newer one. The caller must
// make a step single-use (RFC 6238 section 5.2): accept it only by an update that
// holds while the stored last step is lower. With the newer step stored, the code
// cannot come back by way of the older one.
//
// It takes the same time whichever step matches, or none.
func MatchTOTP(secret []byte, code string, now time.Time) (step int64, ok bool) {
	if len(secret) < totpSecretLeast || !isTOTPCode(code) {
		return 0, false
	}
	const none = 2
	current, offset := TOTPStep(now), none
	for d := -1; d <= 1; d++ {
		want := TOTPCode(secret, current+int64(d))
		same := subtle.ConstantTimeCompare([]byte(want), []byte(code))
		offset = subtle.ConstantTimeSelect(same, d, offset)
	}
	if offset == none {
		return 0, false
	}
	return current + int64(offset), true
}

func isTOTPCode(code string) bool {
	if len(code) != totpDigits {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// hotp is the HOTP value of RFC 4226 section 5.3 as decimal text of the given
// number of digits, at most 9.
func hotp(secret []byte, counter uint64, digits int) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, counter))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	value := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	modulus := uint32(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, value%modulus)
}

// TOTPURI returns the text of the QR code that an authenticator app reads:
//
//	otpauth://totp/<issuer>:<account>?algorithm=SHA1&digits=6&issuer=<issuer>&period=30&secret=<BASE32>
//
// Issuer and account name are percent-encoded, also a ':' inside them, which would
// look like the separator, and a '+', which careless readers take for a space; only
// '@' stays as it is in the label. The base32 text has no '=' padding. The result
// holds the secret in clear.
func TOTPURI(issuer, accountName string, secret []byte) string {
	label := escapeOTPLabel(issuer) + ":" + escapeOTPLabel(accountName)
	return "otpauth://totp/" + label +
		"?algorithm=SHA1" +
		fmt.Sprintf("&digits=%d", totpDigits) +
		"&issuer=" + escapeOTP(issuer) +
		fmt.Sprintf("&period=%d", totpPeriod) +
		"&secret=" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// escapeOTP percent-encodes all but the unreserved characters of RFC 3986. Apps
// read the '+' of form encoding as a plus, so a space is %20.
func escapeOTP(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func escapeOTPLabel(s string) string { return strings.ReplaceAll(escapeOTP(s), "%40", "@") }
