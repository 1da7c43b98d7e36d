// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"
)

// vectors is testdata/vectors/httpsig.json.
type vectors struct {
	Keys map[string]struct {
		Alg       string
		SecretB64 string `json:"secret_b64"`
		PublicPEM string `json:"public_pem"`
		Private   string `json:"private_pem"`
	}
	Signatures []struct {
		Name, Source, Key, Label, Base string
		Params                         string `json:"signature_params"`
		Signature                      []byte `json:"signature_b64"`
		Message                        *vectorMessage
		Valid, Deterministic           bool
	}
	Components []struct {
		Source, Identifier, Value, Error string
		Message                          vectorMessage
	}
	Digests []struct {
		Name, Source, Body, Error string
		Field                     []string
	}
}

type vectorMessage struct {
	Method, Scheme, Authority, Target, Body string
	Header                                  [][2]string
}

func (v *vectorMessage) message() *Message {
	h := http.Header{}
	for _, line := range v.Header {
		h.Add(line[0], line[1])
	}
	return &Message{Method: v.Method, Scheme: v.Scheme, Authority: v.Authority, Target: v.Target, Header: h}
}

func readVectors(t testing.TB) *vectors {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors/httpsig.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return &v
}

// pair returns both sides of a key of the vectors.
func (v *vectors) pair(t testing.TB, id string) (VerifyKey, SignKey) {
	t.Helper()
	k := v.Keys[id]
	if k.Alg == HMACSHA256 {
		secret, err := base64.StdEncoding.DecodeString(k.SecretB64)
		if err != nil {
			t.Fatal(err)
		}
		key := must(HMACKey(secret))
		return key, key
	}
	public := must(ParsePublicKey(k.PublicPEM))
	block, _ := pem.Decode([]byte(k.Private))
	if k.Alg == Ed25519 {
		parsed := must(x509.ParsePKCS8PrivateKey(block.Bytes))
		return public, must(Ed25519PrivateKey(parsed.(ed25519.PrivateKey)))
	}
	return public, must(ECDSAPrivateKey(must(x509.ParseECPrivateKey(block.Bytes))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rfcError maps the names of errors in the vectors.
var rfcError = map[string]error{
	"unsupported": ErrUnsupported, "no scheme": ErrNoScheme, "missing": ErrMissing, "repeated": ErrRepeated,
	"malformed": ErrMalformed, "value": ErrValue, "digest": ErrDigest, "no digest": ErrNoDigest,
}

// The vectors cover less than any policy allows, so they go around Policy.demand.
func TestVectorSignatures(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	if len(v.Signatures) == 0 {
		t.Fatal("no vectors")
	}
	for _, tt := range v.Signatures {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			public, private := v.pair(t, tt.Key)
			if public.Algorithm() != v.Keys[tt.Key].Alg || private.Algorithm() != v.Keys[tt.Key].Alg {
				t.Fatalf("algorithms %s and %s", public.Algorithm(), private.Algorithm())
			}
			if !public.verify([]byte(tt.Base), tt.Signature) {
				t.Error("the signature does not hold for the base of the vector")
			}
			made, err := private.sign([]byte(tt.Base))
			if err != nil || !public.verify([]byte(tt.Base), made) {
				t.Errorf("our own signature does not hold: %v", err)
			}
			if tt.Deterministic && !bytes.Equal(made, tt.Signature) {
				t.Error("our own signature differs")
			}
			if tt.Message == nil {
				return
			}
			m := tt.Message.message()
			s, err := find(m, "")
			if err != nil {
				t.Fatal(err)
			}
			if s.base, err = m.appendBase(nil, &s.list); err != nil {
				t.Fatal(err)
			}
			if got := string(s.Base()); (got == tt.Base) != tt.Valid {
				t.Errorf("base\n%s\nvector\n%s", got, tt.Base)
			}
			if err := s.Verify(public); (err == nil) != tt.Valid {
				t.Errorf("Verify: %v", err)
			}
			if s.Label != tt.Label || s.KeyID != tt.Key || s.Created.Unix() < 1618884473 {
				t.Errorf("label %q, key id %q, created %v", s.Label, s.KeyID, s.Created)
			}
		})
	}
}

// Signing the messages of the vectors with their own components gives their fields.
func TestVectorSign(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	made := 0
	for _, tt := range v.Signatures {
		if tt.Message == nil || !tt.Deterministic {
			continue
		}
		made++
		m := tt.Message.message()
		list, err := parseDictionary("Signature-Input", m.Header["Signature-Input"], (*parser).innerList)
		if err != nil {
			t.Fatal(err)
		}
		_, private := v.pair(t, tt.Key)
		signer := Signer{KeyID: tt.Key, Key: private, Label: tt.Label, Now: func() time.Time { return time.Unix(1618884473, 0) }, Nonce: func() string { return "" }}
		for _, c := range list[0].value.items {
			signer.Components = append(signer.Components, c.String())
		}
		input, signature, err := signer.Sign(m)
		if err != nil || input != m.Header["Signature-Input"][0] || signature != m.Header["Signature"][0] {
			t.Errorf("%s: %s, %s, %v", tt.Name, input, signature, err)
		}
	}
	if made == 0 {
		t.Fatal("no vectors")
	}
}

func TestVectorComponents(t *testing.T) {
	t.Parallel()
	for _, tt := range readVectors(t).Components {
		t.Run(tt.Identifier, func(t *testing.T) {
			t.Parallel()
			p := parser{s: "(" + tt.Identifier + ")"}
			l, ok := p.innerList()
			if !ok {
				t.Fatal(p.problem)
			}
			b, err := tt.Message.message().appendBase(nil, &l)
			if tt.Error != "" {
				var ce *ComponentError
				if !errors.Is(err, rfcError[tt.Error]) || !errors.As(err, &ce) || ce.Component != l.items[0].name {
					t.Errorf("got %v, want %s", err, tt.Error)
				}
				return
			}
			want := tt.Identifier + ": " + tt.Value + "\n\"@signature-params\": (" + tt.Identifier + ")"
			if err != nil || string(b) != want {
				t.Errorf("got %q, %v, want %q", b, err, want)
			}
		})
	}
}

func TestVectorDigests(t *testing.T) {
	t.Parallel()
	for _, tt := range readVectors(t).Digests {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			err := CheckContentDigest(tt.Field, []byte(tt.Body))
			if !errors.Is(err, rfcError[tt.Error]) {
				t.Errorf("got %v, want %q", err, tt.Error)
			}
			if unknown := (Digest{Algorithm: "md5"}); unknown.Check([]byte(tt.Body)) != ErrNoDigest {
				t.Error("an unknown digest is checked")
			}
			if tt.Error == "" && CheckContentDigest([]string{ContentDigest([]byte(tt.Body))}, []byte(tt.Body)) != nil {
				t.Error("our own digest does not hold")
			}
		})
	}
}
