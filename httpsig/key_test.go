// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	small := must(rsa.GenerateKey(rand.Reader, 2048))
	block := func(kind string, key any) string {
		der, ok := key.([]byte)
		if !ok {
			der = must(x509.MarshalPKIXPublicKey(key))
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	off := must(x509.MarshalPKIXPublicKey(&p256.PublicKey))
	off[len(off)-1] ^= 1
	for name, tt := range map[string]struct{ text, want string }{
		"ed25519":           {block("PUBLIC KEY", public), Ed25519},
		"P-256":             {block("PUBLIC KEY", &p256.PublicKey), ECDSAP256SHA256},
		"blanks around":     {"\n" + block("PUBLIC KEY", public) + "\n\n", Ed25519},
		"P-384":             {block("PUBLIC KEY", &p384.PublicKey), ""},
		"RSA":               {block("PUBLIC KEY", &small.PublicKey), ""},
		"off the curve":     {block("PUBLIC KEY", off), ""},
		"a private key":     {block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p256))), ""},
		"private, renamed":  {block("PUBLIC KEY", must(x509.MarshalPKCS8PrivateKey(p256))), ""},
		"two":               {block("PUBLIC KEY", public) + block("PUBLIC KEY", public), ""},
		"no PEM":            {"gatehouse", ""},
		"empty":             {"", ""},
		"another block":     {block("CERTIFICATE", public), ""},
		"text behind":       {block("PUBLIC KEY", public) + "x", ""},
		"an empty block":    {block("PUBLIC KEY", []byte{}), ""},
		"bytes behind SPKI": {block("PUBLIC KEY", append(must(x509.MarshalPKIXPublicKey(public)), 0)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := ParsePublicKey(tt.text)
			if tt.want == "" {
				if !errors.Is(err, ErrKey) || k != nil {
					t.Errorf("got %v, %v", k, err)
				}
				return
			}
			if err != nil || k.Algorithm() != tt.want {
				t.Errorf("got %v, %v", k, err)
			}
		})
	}
}

func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	errs := map[string]error{}
	_, errs["short secret"] = HMACKey(make([]byte, 15))
	_, errs["no secret"] = HMACKey(nil)
	_, errs["short ed25519"] = Ed25519PublicKey(make([]byte, 31))
	_, errs["no ed25519"] = Ed25519PublicKey(nil)
	_, errs["short private ed25519"] = Ed25519PrivateKey(make([]byte, 32))
	_, errs["no ecdsa"] = ECDSAPublicKey(nil)
	_, errs["P-384"] = ECDSAPublicKey(&p384.PublicKey)
	_, errs["private P-384"] = ECDSAPrivateKey(p384)
	_, errs["no private ecdsa"] = ECDSAPrivateKey(nil)
	_, errs["zero shared key"] = SharedKey{}.sign(nil)
	for name, err := range errs {
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An ECDSA signature is two numbers of 32 bytes, not DER, and not zero.
func TestECDSAForms(t *testing.T) {
	t.Parallel()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public := must(ECDSAPublicKey(&private.PublicKey))
	base := []byte("base")
	value := must(must(ECDSAPrivateKey(private)).sign(base))
	if !public.verify(base, value) {
		t.Fatal("our own signature does not hold")
	}
	for name, v := range map[string][]byte{
		"zeros": make([]byte, 64), "nothing": nil, "short": value[:63], "long": append(bytes.Clone(value), 0),
		"r twice": append(bytes.Clone(value[:32]), value[:32]...), "DER": must(private.Sign(rand.Reader, make([]byte, 32), nil)),
	} {
		if public.verify(base, v) {
			t.Errorf("%s holds", name)
		}
	}
}

// A key does not print its secret.
func TestKeysPrintNothing(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct {
		key    any
		secret []byte
	}{
		{shared, secret},
		{Signer{KeyID: "k1", Key: shared}, secret},
		{must(Ed25519PrivateKey(private)), private.Seed()},
		{must(Ed25519PublicKey(public)), public},
	} {
		text := fmt.Sprintf("%v %+v %#v %s %x", key.key, key.key, key.key, key.key, key.key)
		if encoded, err := json.Marshal(key.key); err == nil {
			text += string(encoded)
		}
		for _, form := range []string{string(key.secret), hex.EncodeToString(key.secret), fmt.Sprint(key.secret)} {
			if strings.Contains(text, strings.Trim(form, "[]")) {
				t.Errorf("%T prints what it must not", key.key)
			}
		}
	}
}
