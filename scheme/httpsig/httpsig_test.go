// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	lib "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
)

const secret = "a shared secret of 32 characters"

func TestSuite(t *testing.T) {
	t.Parallel()
	gatehousetest.Scheme(t, httpsig.New(httpsig.Options{}), "", []string{"Signature-Input", "Signature"},
		func(r *gatehouse.Request, m gatehouse.Minted) {
			key, err := lib.HMACKey([]byte(m.Secret.Reveal()))
			if err != nil {
				t.Fatal(err)
			}
			sign(t, r, &lib.Signer{KeyID: m.KeyID, Key: key})
		})
}

// sign puts a signature into r, with a digest of its body where it has one.
func sign(t *testing.T, r *gatehouse.Request, s *lib.Signer) {
	t.Helper()
	if r.Header == nil {
		r.Header = gatehouse.Header{}
	}
	m := lib.Message{Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Target: r.Target, Header: r.Header, Body: lib.BodyNone}
	if len(r.Body.Bytes) > 0 {
		m.Body = lib.BodyPresent
		r.Header["Content-Digest"] = []string{lib.ContentDigest(r.Body.Bytes)}
	}
	input, signature, err := s.Sign(&m)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Signature-Input"], r.Header["Signature"] = []string{input}, []string{signature}
}

func shared(t *testing.T) *lib.Signer {
	t.Helper()
	key, err := lib.HMACKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return &lib.Signer{KeyID: "k1", Key: key}
}

func post(body string) *gatehouse.Request {
	return &gatehouse.Request{
		Method: "POST", Scheme: "https", Authority: "api.example.test", Target: "/orders?x=1",
		Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte(body)},
	}
}

// proves reports whether a request is proven by the shared secret.
func proves(s *httpsig.Scheme, r *gatehouse.Request) bool {
	c, p := s.Extract(r)
	return p == gatehouse.CredentialPresent && c.Flaw == 0 && s.Prove(r, c, nil, &gatehouse.Material{Kind: gatehouse.MaterialSealed}, []byte(secret))
}

func TestTampered(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{})
	for name, tamper := range map[string]func(r *gatehouse.Request){
		"nothing":      func(*gatehouse.Request) {},
		"method":       func(r *gatehouse.Request) { r.Method = "PUT" },
		"authority":    func(r *gatehouse.Request) { r.Authority = "evil.example.test" },
		"path":         func(r *gatehouse.Request) { r.Target = "/admin?x=1" },
		"escaped path": func(r *gatehouse.Request) { r.Target = "/order%73?x=1" },
		"query":        func(r *gatehouse.Request) { r.Target = "/orders?x=2" },
		"no query":     func(r *gatehouse.Request) { r.Target = "/orders" },
		"body":         func(r *gatehouse.Request) { r.Body.Bytes = []byte("other") },
		"no body":      func(r *gatehouse.Request) { r.Body.Bytes = nil },
		"body, digest": func(r *gatehouse.Request) {
			r.Body.Bytes = []byte("other")
			r.Header["Content-Digest"] = []string{lib.ContentDigest([]byte("other"))}
		},
		"no digest": func(r *gatehouse.Request) { delete(r.Header, "Content-Digest") },
		"second digest": func(r *gatehouse.Request) {
			r.Header["Content-Digest"] = append(r.Header["Content-Digest"], lib.ContentDigest(nil))
		},
		"key id": func(r *gatehouse.Request) {
			r.Header["Signature-Input"][0] = strings.Replace(r.Header["Signature-Input"][0], `"k1"`, `"k2"`, 1)
		},
		"uncovered": func(r *gatehouse.Request) {
			r.Header["Signature-Input"][0] = strings.Replace(r.Header["Signature-Input"][0], ` "@query"`, ``, 1)
		},
		"two signatures": func(r *gatehouse.Request) {
			for _, f := range []string{"Signature", "Signature-Input"} {
				r.Header[f] = append(r.Header[f], strings.Replace(r.Header[f][0], "sig1=", "sig2=", 1))
			}
		},
	} {
		r := post(`{"amount":1}`)
		sign(t, r, shared(t))
		tamper(r)
		if got, want := proves(s, r), name == "nothing"; got != want {
			t.Errorf("%s: proven %v, want %v", name, got, want)
		}
	}
}

// What is known of the body decides what must be covered, and is told on.
func TestBodyStates(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{})
	head := []string{"@method", "@authority", "@path", "@query"}
	for _, row := range []struct {
		name, method string
		body         gatehouse.Body
		components   []string // nil: what the policy demands
		header       gatehouse.Header
		flaw         gatehouse.Reason
		want         gatehouse.BodyState
		digest       bool
	}{
		{name: "read without body", method: "GET", body: gatehouse.Body{State: gatehouse.BodyPresent}, want: gatehouse.BodyVerified},
		{name: "write with body", method: "POST", body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte("x")}, want: gatehouse.BodyVerified, digest: true},
		{name: "write without body", method: "POST", body: gatehouse.Body{State: gatehouse.BodyPresent}, want: gatehouse.BodyVerified},
		{name: "body not covered", method: "POST", body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte("x")}, components: head, flaw: gatehouse.ReasonInsufficientCoverage},
		{name: "body of a read not covered", method: "GET", body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte("x")}, components: head, flaw: gatehouse.ReasonInsufficientCoverage},
		{name: "write, body not supplied, not covered", method: "DELETE", components: head, flaw: gatehouse.ReasonInsufficientCoverage},
		{name: "write, body not supplied, covered", method: "POST", components: append(slices.Clone(head), "content-digest"), header: gatehouse.Header{"Content-Digest": {lib.ContentDigest([]byte("x"))}}, want: gatehouse.BodyDeferred, digest: true},
		{name: "read, body not supplied", method: "GET", components: head, want: gatehouse.BodyUnavailable},
		{name: "read, body not supplied but announced", method: "GET", components: head, header: gatehouse.Header{"Content-Length": {"1"}}, flaw: gatehouse.ReasonInsufficientCoverage},
		{name: "read, body not supplied but chunked", method: "GET", components: head, header: gatehouse.Header{"Transfer-Encoding": {"chunked"}}, flaw: gatehouse.ReasonInsufficientCoverage},
	} {
		r := &gatehouse.Request{Method: row.method, Authority: "api.example.test", Target: "/", Header: row.header}
		r.Body.Bytes = row.body.Bytes
		signer := shared(t)
		signer.Components = row.components
		sign(t, r, signer)
		r.Body = row.body
		c, p := s.Extract(r)
		if p != gatehouse.CredentialPresent || c.Flaw != row.flaw {
			t.Errorf("%s: %v, flaw %v; want flaw %v", row.name, p, c.Flaw, row.flaw)
			continue
		}
		if row.flaw != 0 {
			continue
		}
		if c.Body != row.want || (c.Digest != "") != row.digest || !proves(s, r) {
			t.Errorf("%s: body %v, digest %q, proven %v; want %v", row.name, c.Body, c.Digest, proves(s, r), row.want)
		}
	}
}

// What cannot be checked is not handed on as proven, and a gate holds no body for a
// signature that cannot be good enough.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{})
	for digest, want := range map[string]gatehouse.Presence{
		lib.ContentDigest([]byte("x")): gatehouse.CredentialPresent, "garbage": gatehouse.CredentialMalformed, "md5=:AAAA:": gatehouse.CredentialMalformed,
	} {
		r := &gatehouse.Request{Method: "POST", Authority: "a.test", Target: "/", Header: gatehouse.Header{"Content-Digest": {digest}}}
		signer := shared(t)
		signer.Components = []string{"@method", "@authority", "@path", "content-digest"}
		sign(t, r, signer)
		if c, p := s.Extract(r); p != want || p != gatehouse.CredentialPresent && c.Digest != "" {
			t.Errorf("digest %s: %v", digest, p)
		}
		if !s.WantsBody(r) {
			t.Errorf("digest %s: no body is wanted", digest)
		}
		for name, input := range map[string]string{"junk": "x", "thin": `sig1=("@method");created=1;keyid="k1";nonce="n"`} {
			r.Header["Signature-Input"] = []string{input}
			if s.WantsBody(r) {
				t.Errorf("%s: a body is wanted", name)
			}
		}
		delete(r.Header, "Signature-Input")
		if s.WantsBody(r) {
			t.Error("a body is wanted for an unsigned request")
		}
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{})
	at := time.Unix(1_700_000_000, 0)
	credential := func(method, target, nonce string) gatehouse.Credential {
		signer := shared(t)
		signer.Nonce, signer.Now = func() string { return nonce }, func() time.Time { return at }
		r := &gatehouse.Request{Method: method, Authority: "a.test", Target: target, Body: gatehouse.Body{State: gatehouse.BodyPresent}}
		sign(t, r, signer)
		c, _ := s.Extract(r)
		return c
	}
	if c := credential("POST", "/", ""); c.Flaw != gatehouse.ReasonInsufficientCoverage {
		t.Errorf("a write without nonce: flaw %v", c.Flaw)
	}
	a, again, other := credential("GET", "/", ""), credential("GET", "/", ""), credential("GET", "/b", "")
	if a.Nonce == "" || a.Nonce != again.Nonce || a.Nonce == other.Nonce {
		t.Error("without a nonce, the same request does not count as the same")
	}
	if c := credential("GET", "/", "n"); c.Nonce == a.Nonce || c.Nonce != "n:n" {
		t.Errorf("nonce %q", c.Nonce)
	}
	if !a.Time.Equal(at) || a.Window != time.Minute || a.Ahead != 5*time.Second {
		t.Errorf("times %v, %v, %v", a.Time, a.Window, a.Ahead)
	}
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{})
	edPub, edKey, _ := ed25519.GenerateKey(nil)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	edSign, err := lib.Ed25519PrivateKey(edKey)
	ecSign, err2 := lib.ECDSAPrivateKey(ecKey)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	ed, ec := stored(t, s, edPub), stored(t, s, &ecKey.PublicKey)
	for _, row := range []struct {
		name     string
		key      lib.SignKey
		material []byte
		want     bool
	}{
		{"ed25519", edSign, ed, true}, {"ecdsa", ecSign, ec, true},
		{"ed25519 under ecdsa", edSign, ec, false}, {"ecdsa under ed25519", ecSign, ed, false},
		{"under a decoy", edSign, s.DecoyPublic(), false}, {"under nothing", edSign, nil, false},
	} {
		r := post("x")
		sign(t, r, &lib.Signer{KeyID: "k1", Key: row.key})
		c, _ := s.Extract(r)
		if got := s.Prove(r, c, nil, &gatehouse.Material{Kind: gatehouse.MaterialPublic, Data: row.material}, nil); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
		// The stored bytes of a public key are never a secret of a MAC.
		if s.Prove(r, c, nil, &gatehouse.Material{Kind: gatehouse.MaterialSealed, Data: row.material}, row.material) {
			t.Errorf("%s: proven by a MAC under the public key", row.name)
		}
	}
	var invalid *gatehouse.InvalidError
	for name, text := range map[string]string{
		"empty": "", "no PEM": "hello", "P-384": pemOf(t, &p384.PublicKey),
		"private": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: edKey.Seed()})),
	} {
		if _, err := s.ParsePublic(text); !errors.As(err, &invalid) || invalid.Field != "public_key" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func stored(t *testing.T, s *httpsig.Scheme, public any) []byte {
	t.Helper()
	der, err := s.ParsePublic(pemOf(t, public))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(t *testing.T, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A challenge tells a client what to sign; what it asks for is accepted.
func TestChallengeIsEnough(t *testing.T) {
	t.Parallel()
	s := httpsig.New(httpsig.Options{Tag: "orders"})
	wanted, err := lib.ParseAcceptSignature(s.Challenge()["Accept-Signature"])
	if err != nil || len(wanted) != 1 {
		t.Fatalf("%v, %v", wanted, err)
	}
	signer := shared(t)
	signer.Components, signer.Tag = wanted[0].Components, wanted[0].Tag
	r := post("x")
	sign(t, r, signer)
	if !proves(s, r) {
		t.Error("a signature as the challenge asks is not enough")
	}
	signer.Tag = "others"
	sign(t, r, signer)
	if _, p := s.Extract(r); p != gatehouse.CredentialAbsent {
		t.Errorf("a signature with another's tag: %v", p)
	}
}
