// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	secret = []byte("0123456789abcdef0123456789abcdef")
	shared = must(HMACKey(secret))
)

// post returns a message with a body, whose digest it carries.
func post() *Message {
	return &Message{
		Method: "POST", Scheme: "https", Authority: "api.example.com", Target: "/v1/orders?dry=1", Body: BodyPresent,
		Header: http.Header{"Content-Digest": {ContentDigest([]byte("the body"))}, "Date": {"Wed, 01 Jul 2026 12:00:00 GMT"}},
	}
}

// signer signs at noon, with the nonce "n1".
func signer() *Signer {
	return &Signer{KeyID: "k1", Key: shared, Now: func() time.Time { return noon }, Nonce: func() string { return "n1" }}
}

// signed returns m with the fields of one signature.
func signed(t testing.TB, s *Signer, m *Message) *Message {
	t.Helper()
	input, signature, err := s.Sign(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Header["Signature-Input"], m.Header["Signature"] = []string{input}, []string{signature}
	return m
}

// raw returns post() with a Signature-Input of its own and a sound MAC over what it says,
// where it says something that has a base.
func raw(t testing.TB, params string) *Message {
	t.Helper()
	m := post()
	m.Header["Signature-Input"], m.Header["Signature"] = []string{"sig1=" + params}, []string{"sig1=:AAAA:"}
	s, err := find(m, "")
	if err != nil {
		return m
	}
	base, err := m.appendBase(nil, &s.list)
	if err != nil {
		return m
	}
	m.Header["Signature"] = []string{"sig1=" + string(appendBytes(nil, must(shared.sign(base))))}
	return m
}

// check is what a caller of the two steps does, at noon, with the shared key.
func check(m *Message, p Policy, key VerifyKey) error {
	s, err := Parse(m, p)
	if err != nil {
		return err
	}
	if err := s.Verify(key); err != nil {
		return err
	}
	return s.CheckTime(noon)
}

func BenchmarkVerifyHMAC(b *testing.B) { benchmarkVerify(b, shared, shared) }

func BenchmarkVerifyEd25519(b *testing.B) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkVerify(b, must(Ed25519PrivateKey(private)), must(Ed25519PublicKey(public)))
}

func BenchmarkVerifyECDSA(b *testing.B) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkVerify(b, must(ECDSAPrivateKey(private)), must(ECDSAPublicKey(&private.PublicKey)))
}

// Parse, base and proof of a message with five components; making an HMAC key from the
// secret is part of it, as in an authority.
func benchmarkVerify(b *testing.B, private SignKey, public VerifyKey) {
	s := signer()
	s.Key = private
	m := signed(b, s, post())
	b.ReportAllocs()
	for b.Loop() {
		if public.Algorithm() == HMACSHA256 {
			public = must(HMACKey(secret))
		}
		if err := check(m, Policy{}, public); err != nil {
			b.Fatal(err)
		}
	}
}

// The HMAC alone, of the same base.
func BenchmarkBareHMAC(b *testing.B) {
	s, err := Parse(signed(b, signer(), post()), Policy{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !shared.verify(s.base, s.Value) {
			b.Fatal("does not hold")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	m := signed(b, signer(), post())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(m, Policy{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignHMAC(b *testing.B) {
	s, m := signer(), post()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Sign(m); err != nil {
			b.Fatal(err)
		}
	}
}
