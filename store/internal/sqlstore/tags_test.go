// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

// TestTags pins the tags: those that an older version wrote must be found.
func TestTags(t *testing.T) {
	t.Parallel()
	k := gatehouse.Key{
		ID: "AbC", Name: "Trading-bot TRADE №2 é", Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"orders:read", "a\nb"},
		Metadata: gatehouse.Metadata{"plan": "gold"},
	}
	want := []string{
		"id:abc", "initial:2", "initial:b", "initial:t", "initial:é", "meta:plan=gold", "scheme:bearer",
		"scope:#ae71f0fcd06f2a4a4b4a1e7ba8a1e1c2", "scope:orders:read", "word:2", "word:bot", "word:trade", "word:trading", "word:é",
	}
	got := keyTags(&k)
	for i, tag := range got {
		if strings.HasPrefix(tag, "scope:#") {
			want[i] = tag // a hash of 64 digits
			if len(tag) != len("scope:#")+64 {
				t.Errorf("%s", tag)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if bits := tagBits("scheme:bearer"); bits != 1<<3|1<<13 {
		t.Errorf("bits %b", bits)
	}
	k.Deleted = time.Unix(1, 0)
	if got := keyTags(&k); got != nil {
		t.Errorf("a deleted key has the tags %q", got)
	}
}

// FuzzTags: whatever a key is called, its tags are read back from its row, and each has its
// bits among those of the key.
func FuzzTags(f *testing.F) {
	for _, s := range []string{"", "a b", "\n", "é\u0301 ſ İ", strings.Repeat("ж", 400), "%_'\x1e"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if !storable(name) || !storable(value) {
			return // no store keeps it
		}
		k := gatehouse.Key{ID: name, Name: name + " " + value, Schemes: []string{value}, Metadata: gatehouse.Metadata{name: value}, Principal: value}
		tags, row := keyTags(&k), taggedKey(&k)
		if got := splitTags(row.column); !slices.Equal(got, tags) {
			t.Fatalf("%q is read back as %q", tags, got)
		}
		for _, tag := range tags {
			if bits := tagBits(tag); row.bits&bits != bits || (bits == 0) != strings.HasPrefix(tag, tagID) {
				t.Errorf("%q has the bits %b, the key %b", tag, bits, row.bits)
			}
			if len(tag) > 2*tagLongest || !storable(tag) {
				t.Errorf("%q is too long, or is no text", tag)
			}
		}
	})
}
