// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// named lets a fuzzer's error be one of the package's own.
func named(err error) bool {
	var coverage *CoverageError
	if errors.As(err, &coverage) {
		return true
	}
	for _, e := range []error{ErrNoSignature, ErrAmbiguous, ErrMalformed, ErrMissing, ErrUnsupported, ErrRepeated, ErrNoScheme, ErrValue, ErrNoDigest, ErrDigest} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// What was printed reads as what was parsed, and prints the same.
func FuzzInnerLists(f *testing.F) {
	for _, s := range []string{
		`sig1=("@method" "a";bs "@query-param";name="x\"\\");created=1;keyid="k";x=?0;y;z=-07`, `a=()`, `a=( "b"  ),b=();c`, `a=("b"`, `a`, `a=("b");c=1.5`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		members, err := parseDictionary("field", []string{s}, (*parser).innerList)
		if err != nil {
			if !named(err) || members != nil {
				t.Fatalf("%v with %v", err, members)
			}
			return
		}
		var printed []byte
		for i := range members {
			if i > 0 {
				printed = append(printed, ", "...)
			}
			printed = append(printed, members[i].label...)
			printed = appendList(append(printed, '='), &members[i].value)
		}
		again, err := parseDictionary("field", []string{string(printed)}, (*parser).innerList)
		if err != nil && len(printed) <= maxField || err == nil && !reflect.DeepEqual(members, again) {
			t.Fatalf("%q printed as %q: %v", s, printed, err)
		}
	})
}

func FuzzByteSequences(f *testing.F) {
	for _, s := range []string{`sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:`, `a=:AA==:, b=::`, `a=:AB==:`, `a=:AA:`, "a=:A\nA==:", `a=1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		members, err := parseDictionary("field", []string{s}, (*parser).bytes)
		if err != nil {
			return
		}
		for _, m := range members {
			if printed := m.label + "=" + string(appendBytes(nil, m.value)); !strings.Contains(s, printed) {
				t.Fatalf("%q is not in %q", printed, s)
			}
		}
		if err := CheckContentDigest([]string{s}, nil); err != nil && !named(err) {
			t.Fatal(err)
		}
	})
}

// Whatever passes has a base whose lines are its components, each once.
func FuzzParse(f *testing.F) {
	const input = `sig1=("@method" "@authority" "@path" "@query" "content-digest" "x-any");created=1782907200;keyid="k1";nonce="n1"`
	f.Add("POST", "https", "api.example.com:443", "/a%2Fb?c=d", "any\r\n fold", input, "sig1=:AAAA:")
	f.Add("GET", "", "a", "http://a/?x=1", "any", `a=("@method" "@target-uri" "@query-param";name="x" "x-any";bs "content-digest");created=1;keyid="k"`, "a=:AAAA:")
	f.Add("OPTIONS", "http", "[::1]:80", "*", "", `a=("@request-target" "@scheme")`, "a=::")
	f.Fuzz(func(t *testing.T, method, scheme, authority, target, value, input, signature string) {
		m := &Message{Method: method, Scheme: scheme, Authority: authority, Target: target, Header: map[string][]string{
			"Signature-Input": {input}, "Signature": {signature}, "Content-Digest": {"sha-256=:AAAA:"}, "X-Any": {value, value},
		}}
		s, err := Parse(m, Policy{})
		if err != nil {
			if !named(err) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		lines := strings.Split(string(s.Base()), "\n")
		if len(lines) != len(s.list.items)+1 {
			t.Fatalf("%d lines for %d components", len(lines), len(s.list.items))
		}
		for i := range s.list.items {
			if !strings.HasPrefix(lines[i], string(appendComponent(nil, &s.list.items[i]))+": ") {
				t.Fatalf("line %q", lines[i])
			}
		}
		if !strings.HasPrefix(lines[len(lines)-1], `"@signature-params": (`) || s.KeyID == "" || s.Created.IsZero() {
			t.Fatalf("base %q", s.Base())
		}
		if s.Verify(shared) == nil {
			t.Fatal("a guessed MAC holds")
		}
	})
}

// A signer can do what it can read, or say why not.
func FuzzAcceptSignature(f *testing.F) {
	f.Add(new(Policy).AcceptSignature("sig1", BodyPresent))
	f.Add(`a=("@query-param";name="dry" "date";bs);created;expires=?0;keyid="k";alg="x";nonce="n";tag="t", b=()`)
	f.Fuzz(func(t *testing.T, field string) {
		all, err := ParseAcceptSignature([]string{field})
		if err != nil {
			if !named(err) {
				t.Fatal(err)
			}
			return
		}
		for _, w := range all {
			s := signer()
			s.Label, s.Tag, s.Components = w.Label, w.Tag, w.Components
			if s.Components == nil {
				s.Components = []string{}
			}
			m := post()
			input, signature, err := s.Sign(m)
			if err != nil {
				if !named(err) {
					t.Fatal(err)
				}
				continue
			}
			m.Header["Signature-Input"], m.Header["Signature"] = []string{input}, []string{signature}
			g, err := find(m, "")
			if err != nil {
				t.Fatalf("%s: %v", input, err)
			}
			if g.base, err = m.appendBase(nil, &g.list); err != nil || g.Verify(shared) != nil {
				t.Fatalf("%s does not hold: %v", input, err)
			}
		}
	})
}

func FuzzCanonicalTarget(f *testing.F) {
	f.Add("/a/%2e%2e/b?c=%zz")
	f.Add("//../%2F.%")
	f.Fuzz(func(t *testing.T, target string) {
		once := canonicalTarget(target)
		if once[0] != '/' || canonicalTarget(once) != once || !signable(once) {
			t.Fatalf("%q becomes %q, then %q", target, once, canonicalTarget(once))
		}
	})
}
