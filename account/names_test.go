// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
)

func TestCanonicalEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@b":                       "a@b",
		"Bob@Example.TEST":          "bob@example.test",
		"b.o-b+tag_{x}@ex-1.test":   "b.o-b+tag_{x}@ex-1.test",
		"1@2.test":                  "1@2.test",
		"":                          "",
		"bob":                       "",
		"@example.test":             "",
		"bob@":                      "",
		"a@b@c":                     "",
		" bob@example.test":         "",
		"bob@example.test ":         "",
		"bob@example.test\n":        "",
		"bo b@example.test":         "",
		"bob@example.test\x00":      "",
		"b\u043eb@example.test":     "", // a Cyrillic o
		"\uff42ob@example.test":     "", // a full-width b
		"bob@ex\u00e4mple.test":     "",
		"\u212aelvin@example.test":  "", // the Kelvin sign, which Unicode lowers to k
		".bob@example.test":         "",
		"bob.@example.test":         "",
		"b..b@example.test":         "",
		"bob@.test":                 "",
		"bob@example.":              "",
		"bob@example..test":         "",
		"bob@-a.test":               "",
		"bob@a-.test":               "",
		"bob@a_b.test":              "",
		"bob@[127.0.0.1]":           "",
		`"bob"@example.test`:        "",
		"bob(comment)@example.test": "",
		"Bob <bob@example.test>":    "",
		strings.Repeat("a", 64) + "@example.test": strings.Repeat("a", 64) + "@example.test",
		strings.Repeat("a", 65) + "@example.test": "",
		"a@" + strings.Repeat("b", 63) + ".test":  "a@" + strings.Repeat("b", 63) + ".test",
		"a@" + strings.Repeat("b", 64) + ".test":  "",
		"a@" + strings.Repeat("b.", 126):          "",
		"a@" + strings.Repeat("b.", 125) + "bc":   "a@" + strings.Repeat("b.", 125) + "bc",
		"a@" + strings.Repeat("b.", 125) + "bcd":  "",
	} {
		if got, ok := canonicalEmail(in); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
}

// An address has one canonical spelling: what is accepted is found again by itself, and
// nothing but ASCII case is folded into it.
func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"a@b", "Bob@Example.test", " x@y", "a@b@c", "\u212a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := canonicalEmail(in)
		if !ok {
			return
		}
		if again, ok := canonicalEmail(got); !ok || again != got {
			t.Errorf("%q: %q is not canonical itself", in, got)
		}
		if len(got) != len(in) || !strings.EqualFold(got, in) {
			t.Errorf("%q: %q is another text", in, got)
		}
		for i := range len(got) {
			if c := got[i]; c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z' {
				t.Fatalf("%q: %q holds %q", in, got, c)
			}
		}
	})
}

func problem(err error) string {
	var invalid *gatehouse.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Error()
	}
	if err != nil {
		return "unexpected: " + err.Error()
	}
	return ""
}

func TestCheckUsername(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":              "",
		"abcd":          "",
		"Abcdef123456":  "",
		"abc":           "username: too_short",
		"abcdefghijklm": "username: too_long",
		"ab_cd":         "username: invalid",
		"ab cd":         "username: invalid",
		"äbcd":          "username: invalid",
		"äbc":           "username: too_short",
	} {
		if got := problem(checkUsername(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCheckData(t *testing.T) {
	t.Parallel()
	quoted := func(n int) string { return `"` + strings.Repeat("ä", n-2) + `"` }
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{`{"language":"en"}`, ""},
		{"null", ""},
		{quoted(1024), ""},
		{quoted(1025), "data: too_long"},
		{"{", "data: invalid_format"},
		{"{} {}", "data: invalid_format"},
		{"\"\xff\"", "data: invalid_format"},
		{"\"a\x00\"", "data: invalid_format"},
		{" ", "data: invalid_format"},
	} {
		if got := problem(checkData(tt.in)); got != tt.want {
			t.Errorf("%.20q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestSameNetwork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opened, now string
		want        bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.255.255", true},
		{"192.0.2.1", "192.1.2.1", false},
		{"192.0.2.1", "::ffff:192.0.9.9", true},
		{"::ffff:192.0.2.1", "192.0.9.9", true},
		{"::ffff:192.0.2.1", "::ffff:192.1.2.1", false},
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8::ffff:ffff", true},
		{"2001:db8::1", "2001:db8::1:0:0", false},
		{"2001:db8::1", "192.0.2.1", false},
		{"192.0.2.1", "2001:db8::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"", "", true},
		{"", "192.0.2.1", false},
		{"192.0.2.1", "", false},
		{"garbage", "192.0.2.1", false},
		{"garbage", "", false},
	} {
		now, _ := netip.ParseAddr(tt.now)
		if got := sameNetwork(tt.opened, now); got != tt.want {
			t.Errorf("opened from %q, used from %q: %v, want %v", tt.opened, tt.now, got, tt.want)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"::ffff:192.0.2.1":     "192.0.2.1/32",
		"2001:db8:0:1:2:3:4:5": "2001:db8:0:1::/64",
		"fe80::1%eth0":         "fe80::/64",
		"":                     nowhere,
	} {
		a, _ := netip.ParseAddr(in)
		if got := network(a); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSessionHash(t *testing.T) {
	t.Parallel()
	good := "0123456789abcdef0123456789abcdef"
	hash, ok := sessionHash(gatehouse.NewSecret(good))
	if !ok || len(hash) != 32 {
		t.Errorf("%q: %x, %v", good, hash, ok)
	}
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), " " + good[1:], good[1:] + "g", good[1:] + "\n"} {
		if hash, ok := sessionHash(gatehouse.NewSecret(bad)); ok || hash != nil {
			t.Errorf("%q is an id", bad)
		}
	}
}
