// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

const (
	testKey    = "a6c460151b4cabbe1c1d73e08915ce8e"
	testSecret = "gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="
)

// testBody is what testProof signs.
var (
	testBody  = []byte(`{"a":1}`)
	testProof = shield.Sign(testSecret, testBody)
)

// carrying is a request with the test body and one Authorization.
func carrying(authorization string) *gatehouse.Request {
	return &gatehouse.Request{
		Header: gatehouse.Header{"Authorization": {authorization}},
		Body:   gatehouse.Body{State: gatehouse.BodyPresent, Bytes: testBody},
	}
}

// proves reports whether a scheme reads a request's credential and finds it sound.
func proves(s *shield.Scheme, r *gatehouse.Request) bool {
	c, found := s.Extract(r)
	return found == gatehouse.CredentialPresent && s.Prove(r, c, nil, nil, []byte(testSecret))
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"", "X-Hmac"} {
		s := shield.New(shield.Options{Header: field})
		if field == "" {
			field = shield.DefaultHeader
		}
		gatehousetest.Scheme(t, s, "", []string{field}, func(r *gatehouse.Request, m gatehouse.Minted) {
			r.Header[field] = []string{shield.Header(m.KeyID, shield.Sign(m.Secret.Reveal(), r.Body.Bytes))}
		})
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	const absent, malformed, present = gatehouse.CredentialAbsent, gatehouse.CredentialMalformed, gatehouse.CredentialPresent
	k, s := testKey, testProof
	w := shield.New(shield.Options{})
	for value, want := range map[string]gatehouse.Presence{
		"HMAC-SHA256 " + k + ":" + s: present, "HMAC-SHA256" + k + ":" + s: present, "HMAC-SHA256   " + k + ":" + s: present,
		"HMAC-SHA256\t" + k + ":" + s: present, " \tHMAC-SHA256 " + k + ":" + s + " \t": present,
		"HMAC-SHA256 " + k + "::" + s: present, "HMAC-SHA256 :" + k + ":" + s: present,
		"HMAC-SHA256 " + k + ":" + s + ":": present, "HMAC-SHA256 " + k + ":" + s + ":extra": present,
		k + ":" + s: present, k + ":" + strings.ToUpper(s): present, " " + k + ":" + s + " ": present,

		"HMAC-SHA256": malformed, "HMAC-SHA256 ": malformed, "HMAC-SHA256 " + k: malformed, "HMAC-SHA256 " + k + ":": malformed,
		"HMAC-SHA256 :" + s: malformed, "HMAC-SHA256 :": malformed, "HMAC-SHA256 :::": malformed, "HMAC-SHA256 " + k + "," + s: malformed,
		"HMAC-SHA256 " + k + "%3A" + s: malformed, "HMAC-SHA256 " + k + " :" + s: malformed, "HMAC-SHA256 k\x00:" + s: malformed,
		"HMAC-SHA256 schl\u00fcssel:" + s: malformed, "HMAC-SHA256 \xff:" + s: malformed, "HMAC-SHA256: " + k + ":" + s: malformed,
		"HMAC-SHA256 " + strings.Repeat("a", 128) + ":" + s: present, "HMAC-SHA256 " + strings.Repeat("a", 129) + ":" + s: malformed,
		"hmac-sha256 " + k + ":" + s: malformed, "Hmac-Sha256 " + k + ":" + s: malformed,

		"": absent, "Bearer " + k + ":" + s: absent, "Bearer abc": absent, "Basic YTpi": absent, "Signature keyId=a": absent,
		"XMAC-SHA256 " + k + ":" + s: absent, k: absent, k + "::" + s: absent, ":" + k + ":" + s: absent, k + ":" + s + ":": absent,
		strings.ToUpper(k) + ":" + s: absent, k[1:] + ":" + s: absent, k + ":" + s[1:]: absent, "g" + k[1:] + ":" + s: absent, "a:b": absent,
	} {
		c, found := w.Extract(carrying(value))
		if found != want {
			t.Errorf("%q: %v, want %v", value, found, want)
		}
		if (found == present) != (c.KeyID != "" && c.Proof != "") {
			t.Errorf("%q: %v with key id %q and proof %q", value, found, c.KeyID, c.Proof)
		}
		if got := w.WantsBody(carrying(value)); got != (want == present) {
			t.Errorf("%q: WantsBody = %v", value, got)
		}
	}
}

// What Shield takes is sound, and no other spelling of key id or signature is.
func TestSpellings(t *testing.T) {
	t.Parallel()
	s := shield.New(shield.Options{})
	key, _ := base64.StdEncoding.DecodeString(testSecret)
	for value, want := range map[string]bool{
		shield.Header(testKey, testProof): true, testKey + ":" + testProof: true, "HMAC-SHA256" + testKey + ":" + testProof + ":x": true,
		shield.Header(testKey, strings.ToUpper(testProof)): false, shield.Header(testKey, "0x"+testProof): false,
		shield.Header(testKey, " "+testProof): false, shield.Header(testKey, testProof[:63]): false, shield.Header(testKey, testProof+"\x00"): false,
		testKey + ":" + strings.ToUpper(testProof): false, shield.Header(testKey, shield.Sign(string(key), testBody)): false,
		shield.Header(testKey, base64.StdEncoding.EncodeToString([]byte(testProof))): false, "Bearer " + testKey + ":" + testProof: false,
	} {
		if got := proves(s, carrying(value)); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestHeaderName(t *testing.T) {
	t.Parallel()
	s := shield.New(shield.Options{Header: "x-hmac"})
	r := carrying(shield.Header(testKey, testProof))
	if _, found := s.Extract(r); found != gatehouse.CredentialAbsent || s.WantsBody(r) {
		t.Errorf("with another field named, Authorization is %v", found)
	}
	r.Header["X-Hmac"] = []string{shield.Header(testKey, testProof)}
	if !proves(s, r) {
		t.Error("the named field does not count")
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	form := gatehouse.Header{"Content-Type": {"multipart/form-data; boundary=b"}}
	mislabelled := gatehouse.Header{"Content-Type": {"application/json; x=multipart/form-data"}}
	capitals := gatehouse.Header{"Content-Type": {"Multipart/Form-Data; boundary=b"}}
	twice := gatehouse.Header{"Content-Type": {"multipart/form-data", "text/plain"}}
	here := gatehouse.Body{State: gatehouse.BodyPresent, Bytes: testBody}
	empty := gatehouse.Body{State: gatehouse.BodyPresent}
	var gone gatehouse.Body
	const signedBody, signedEmpty, signedInput = `{"a":1}`, "", "php://input"
	const verified, unavailable = gatehouse.BodyVerified, gatehouse.BodyUnavailable
	const flaw = gatehouse.ReasonBodyUnavailable
	for _, row := range []struct {
		name     string
		phpInput bool
		header   gatehouse.Header
		body     gatehouse.Body
		signed   string
		sound    bool
		says     gatehouse.BodyState
		flaw     gatehouse.Reason
	}{
		{"body", false, nil, here, signedBody, true, verified, 0},
		{"empty body", false, nil, empty, signedEmpty, true, verified, 0},
		{"body, signed empty", false, nil, here, signedEmpty, false, verified, 0},
		{"none arrived, signed empty", false, nil, gone, signedEmpty, false, unavailable, flaw},
		{"none arrived, signed", false, nil, gone, signedBody, false, unavailable, flaw},
		{"none arrived, bytes beside it", false, nil, gatehouse.Body{Bytes: testBody}, signedBody, false, unavailable, flaw},
		{"deferred is not here", false, nil, gatehouse.Body{State: gatehouse.BodyDeferred, Bytes: testBody}, signedBody, false, unavailable, flaw},
		{"form", false, form, here, signedBody, true, verified, 0},
		{"form, placeholder", false, form, here, signedInput, false, verified, 0},
		{"form gone, placeholder", false, form, gone, signedInput, false, unavailable, flaw},
		{"switch: form, placeholder", true, form, here, signedInput, true, unavailable, 0},
		{"switch: form, body", true, form, here, signedBody, true, unavailable, 0},
		{"switch: form, empty", true, form, here, signedEmpty, false, unavailable, 0},
		{"switch: form gone, placeholder", true, form, gone, signedInput, true, unavailable, 0},
		{"switch: form gone, empty", true, form, gone, signedEmpty, false, unavailable, 0},
		{"switch: mislabelled, placeholder", true, mislabelled, here, signedInput, true, unavailable, 0},
		{"switch: capitals, placeholder", true, capitals, here, signedInput, false, verified, 0},
		{"switch: capitals, empty", true, capitals, here, signedEmpty, false, verified, 0},
		{"switch: capitals, body", true, capitals, here, signedBody, true, verified, 0},
		{"switch: two types, placeholder", true, twice, here, signedInput, false, verified, 0},
		{"switch: no form, placeholder", true, nil, here, signedInput, false, verified, 0},
		{"switch: no form gone", true, nil, gone, signedInput, false, unavailable, flaw},
	} {
		s := shield.New(shield.Options{PHPInput: row.phpInput})
		r := carrying(shield.Header(testKey, shield.Sign(testSecret, []byte(row.signed))))
		r.Body = row.body
		for field, values := range row.header {
			r.Header[field] = values
		}
		c, found := s.Extract(r)
		if found != gatehouse.CredentialPresent || !s.WantsBody(r) || c.Body != row.says || c.Flaw != row.flaw {
			t.Errorf("%s: %v, body %v, flaw %v", row.name, found, c.Body, c.Flaw)
		}
		if got := s.Prove(r, c, nil, nil, []byte(testSecret)); got != row.sound {
			t.Errorf("%s: Prove = %v", row.name, got)
		}
	}
}

func TestEmptySecretProvesNothing(t *testing.T) {
	t.Parallel()
	s := shield.New(shield.Options{PHPInput: true})
	for _, signed := range []string{string(testBody), "php://input"} {
		r := carrying(shield.Header(testKey, shield.Sign("", []byte(signed))))
		r.Header["Content-Type"] = []string{"multipart/form-data"}
		c, _ := s.Extract(r)
		if s.Prove(r, c, nil, nil, nil) {
			t.Errorf("a signature of %q under no secret holds", signed)
		}
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	m, err := shield.New(shield.Options{}).Mint("", "ignored")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(m.Secret.Reveal())
	if err != nil || len(raw) != 32 || len(m.KeyID) != 32 || strings.Trim(m.KeyID, "0123456789abcdef") != "" {
		t.Errorf("Mint = key id %s, secret of %d bytes, %v", m.KeyID, len(raw), err)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	s := shield.New(shield.Options{})
	for _, row := range []struct{ id, secret, field string }{
		{testKey, testSecret, ""}, {"k", "p\u00e4ssw\u00f6rd", ""}, {testKey, strings.Repeat("s", 255), ""},
		{testKey, "", "secret"}, {testKey, strings.Repeat("s", 256), "secret"}, {"a:b", testSecret, "id"},
	} {
		f := &gatehouse.Foreign{ID: row.id, Secret: gatehouse.NewSecret(row.secret)}
		m, err := s.Adopt(f)
		var invalid *gatehouse.InvalidError
		switch {
		case row.field != "":
			if !errors.As(err, &invalid) || invalid.Field != row.field {
				t.Errorf("%s with a secret of %d bytes: %v, want field %q", row.id, len(row.secret), err, row.field)
			}
		case err != nil || m.KeyID != row.id || m.Secret.Reveal() != row.secret:
			t.Errorf("%s: Adopt = %s, %v", row.id, m.KeyID, err)
		case !s.Adopted(f, nil, []byte(row.secret)) || s.Adopted(f, nil, []byte(row.secret+"x")) || s.Adopted(f, nil, nil):
			t.Errorf("%s: Adopted does not tell its secret from others", row.id)
		}
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	want := gatehouse.NewKey{Principal: "p", Name: "n", Schemes: []string{"shield"}, Scopes: gatehouse.Scopes{"*"}, Unused: 8760 * time.Hour}
	if diff := cmp.Diff(want, shield.NewKey("p", "n")); diff != "" {
		t.Error(diff)
	}
	want.Scopes = gatehouse.Scopes{"users-read", "users-write"}
	if diff := cmp.Diff(want, shield.NewKey("p", "n", "users-read", "users-write")); diff != "" {
		t.Error(diff)
	}
}

// What is read of a present credential is read again from what a client makes of it.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		shield.Header(testKey, testProof), testKey + ":" + testProof, "HMAC-SHA256" + testKey + "::" + testProof + ":x",
		"hmac-sha256 a:b", "Bearer abc", "HMAC-SHA256 :::", "HMAC-SHA256 \xff:\x00",
	} {
		f.Add(seed, "multipart/form-data")
	}
	f.Fuzz(func(t *testing.T, value, contentType string) {
		s := shield.New(shield.Options{PHPInput: true})
		r := carrying(value)
		r.Header["Content-Type"] = []string{contentType}
		c, found := s.Extract(r)
		if found != gatehouse.CredentialPresent {
			if c.KeyID != "" || c.Proof != "" {
				t.Errorf("%v with key id %q and proof %q", found, c.KeyID, c.Proof)
			}
			return
		}
		if len(c.KeyID) < 1 || len(c.KeyID) > 128 || strings.ContainsAny(c.KeyID, ": \t\x00") || c.Proof == "" || strings.Contains(c.Proof, ":") {
			t.Errorf("key id %q, proof %q", c.KeyID, c.Proof)
		}
		s.Prove(r, c, nil, nil, []byte(testSecret))
		if c.Proof != strings.Trim(c.Proof, " \t") {
			return // no signature, and space at the value's end is none of the credential
		}
		again, found := s.Extract(carrying(shield.Header(c.KeyID, c.Proof)))
		if found != gatehouse.CredentialPresent || again.KeyID != c.KeyID || again.Proof != c.Proof {
			t.Errorf("%q comes back as %v, key id %q, proof %q", value, found, again.KeyID, again.Proof)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	body := make([]byte, 1024)
	s := shield.New(shield.Options{})
	r := carrying(shield.Header(testKey, shield.Sign(testSecret, body)))
	r.Body.Bytes = body
	c, _ := s.Extract(r)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if !s.Prove(r, c, nil, nil, []byte(testSecret)) {
			b.Fatal("the proof does not hold")
		}
	}
}
