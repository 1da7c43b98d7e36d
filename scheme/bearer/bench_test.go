// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer_test

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

func BenchmarkExtract(b *testing.B) {
	m, err := scheme().Mint("", "acme")
	if err != nil {
		b.Fatal(err)
	}
	r := header("Authorization", "Bearer "+m.Token.Reveal())
	s := scheme()
	b.ReportAllocs()
	for b.Loop() {
		if _, p := s.Extract(r); p != gatehouse.CredentialPresent {
			b.Fatal(p)
		}
	}
}

func BenchmarkProve(b *testing.B) {
	m, err := scheme().Mint("", "acme")
	if err != nil {
		b.Fatal(err)
	}
	r := header("X-Api-Key", m.Token.Reveal())
	s := scheme()
	c, _ := s.Extract(r)
	k := &gatehouse.Key{ID: m.KeyID, Prefix: m.Prefix}
	material := &gatehouse.Material{Kind: gatehouse.MaterialDigest, Ref: m.Ref, Data: m.Digest}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Prove(r, c, k, material, nil) {
			b.Fatal("the proof does not hold")
		}
	}
}
