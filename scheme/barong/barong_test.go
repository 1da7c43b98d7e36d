// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// The example of Barong's own documentation.
const (
	exampleKey       = "61d025b8573501c2"
	exampleSecret    = "2d0b4979c7fe6986daa8e21d1dc0644f"
	exampleNonce     = "1584524005143"
	exampleSignature = "bd42b945e095880e28d046846dbecf655fdf09d95a396a24fe6fe1df42f15d13"
)

func triple(key, nonce, signature string) *gatehouse.Request {
	return &gatehouse.Request{Header: gatehouse.Header{barong.HeaderKey: {key}, barong.HeaderNonce: {nonce}, barong.HeaderSignature: {signature}}}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	gatehousetest.Scheme(t, barong.New(barong.Options{}), "", []string{barong.HeaderKey, barong.HeaderNonce, barong.HeaderSignature},
		func(r *gatehouse.Request, m gatehouse.Minted) {
			nonce := strconv.FormatInt(time.Now().UnixMilli(), 10)
			r.Header[barong.HeaderKey] = []string{m.KeyID}
			r.Header[barong.HeaderNonce] = []string{nonce}
			r.Header[barong.HeaderSignature] = []string{barong.Sign(m.Secret.Reveal(), nonce, m.KeyID)}
		})
}

func TestExample(t *testing.T) {
	t.Parallel()
	if got := barong.Sign(exampleSecret, exampleNonce, exampleKey); got != exampleSignature {
		t.Errorf("Sign = %s, want %s", got, exampleSignature)
	}
	s := barong.New(barong.Options{})
	for _, row := range []struct {
		name, nonce, signature string
		want                   bool
	}{
		{"as documented", exampleNonce, exampleSignature, true},
		{"upper-case hex", exampleNonce, strings.ToUpper(exampleSignature), false},
		{"other nonce", "1584524005144", exampleSignature, false},
		{"short", exampleNonce, exampleSignature[:63], false},
	} {
		r := triple(exampleKey, row.nonce, row.signature)
		c, p := s.Extract(r)
		if p != gatehouse.CredentialPresent {
			t.Fatalf("%s: Extract = %v", row.name, p)
		}
		if got := s.Prove(r, c, nil, nil, []byte(exampleSecret)); got != row.want {
			t.Errorf("%s: Prove = %v", row.name, got)
		}
	}
}

// A nonce that is no plain number proves nothing, even with a right signature over it.
func TestNonceSpellings(t *testing.T) {
	t.Parallel()
	s := barong.New(barong.Options{})
	for nonce, want := range map[string]bool{
		exampleNonce: true, "1": true, "999999999999999": true,
		"0": false, "01584524005143": false, "+1584524005143": false, "-1": false, " 1584524005143": false, "1584524005143 ": false,
		"1_584": false, "1584524005143abc": false, "15845240051.43": false, "0x1": false, "1e12": false, "1000000000000000": false,
		"\u0661": false,
	} {
		r := triple(exampleKey, nonce, barong.Sign(exampleSecret, nonce, exampleKey))
		c, p := s.Extract(r)
		got := p == gatehouse.CredentialPresent && s.Prove(r, c, nil, nil, []byte(exampleSecret))
		if got != want {
			t.Errorf("nonce %q: %v, want %v", nonce, got, want)
		}
		if want && (c.Nonce != nonce || c.Window != barong.DefaultWindow || c.Time.IsZero()) {
			t.Errorf("nonce %q: credential %+v", nonce, c)
		}
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	s := barong.New(barong.Options{})
	for _, drop := range []string{barong.HeaderKey, barong.HeaderNonce, barong.HeaderSignature} {
		r := triple(exampleKey, exampleNonce, exampleSignature)
		delete(r.Header, drop)
		if _, p := s.Extract(r); p != gatehouse.CredentialMalformed {
			t.Errorf("without %s: %v", drop, p)
		}
		r.Header[drop] = []string{"  "}
		if _, p := s.Extract(r); p != gatehouse.CredentialMalformed {
			t.Errorf("blank %s: %v", drop, p)
		}
	}
}

func TestEmptySecretProvesNothing(t *testing.T) {
	t.Parallel()
	s := barong.New(barong.Options{})
	r := triple(exampleKey, exampleNonce, barong.Sign("", exampleNonce, exampleKey))
	c, _ := s.Extract(r)
	if s.Prove(r, c, nil, nil, nil) {
		t.Error("a signature under no secret holds")
	}
}

func TestRepeatRemembersNothing(t *testing.T) {
	t.Parallel()
	c, _ := barong.New(barong.Options{Repeat: true}).Extract(triple(exampleKey, exampleNonce, exampleSignature))
	if c.Nonce != "" || c.Time.IsZero() || c.Window == 0 {
		t.Errorf("credential %+v: want no nonce, but time and window", c)
	}
}

func FuzzParseNonce(f *testing.F) {
	f.Add(exampleNonce)
	f.Add("0")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := barong.ParseNonce(text)
		if ok && strconv.FormatInt(at.UnixMilli(), 10) != text {
			t.Errorf("ParseNonce(%q) = %d: not its one spelling", text, at.UnixMilli())
		}
	})
}
