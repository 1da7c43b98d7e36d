// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// in is an environment with this standard input.
func in(text string) *env { return &env{Streams: Streams{In: strings.NewReader(text)}} }

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		"90d":                       "2026-05-01T11:00:00Z",
		"1d":                        "2026-02-01T11:00:00Z",
		"36500d":                    "2126-01-07T11:00:00Z",
		"8w":                        "2026-03-28T11:00:00Z",
		"12h":                       "2026-01-31T23:00:00Z",
		"1h30m":                     "2026-01-31T12:30:00Z",
		"1.5s":                      "2026-01-31T11:00:01.5Z",
		"2027-01-31T00:00:00Z":      "2027-01-31T00:00:00Z",
		"2027-01-31T00:00:00+02:00": "2027-01-30T22:00:00Z",
	} {
		if got, err := parseTime("expires", text, now, 1); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"0d", "-1d", "1.5d", "d", "36501d", "99999999999999999999d", "0h", "-5m", "90", "1w2d", "5218w", "0w", "never", "2027-01-31", "2027-01-31T00:00:00", "1000000000h", " 1d", "2027-13-01T00:00:00Z",
	} {
		if got, err := parseTime("expires", text, now, 1); !isUsage(err) || !got.IsZero() {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"":                            "-",
		"plain name":                  "plain name",
		"caf\u00e9 \u4e16 \U0001f511": "caf\u00e9 \u4e16 \U0001f511",
		"a\nb\tc\rd":                  "a\uFFFDb\uFFFDc\uFFFDd",
		"\x1b[2Jx":                    "\uFFFD[2Jx",
		"\x00\x7f\u009b":              "\uFFFD\uFFFD\uFFFD",
		"a\u202eb\u2066c\u200fd":      "a\uFFFDb\uFFFDc\uFFFDd",
		"a\u200bb\ufeffc\u00add":      "a\uFFFDb\uFFFDc\uFFFDd",
		"a\u2028b\u2029c":             "a\uFFFDb\uFFFDc",
		"\xff":                        "\uFFFD",
	} {
		if got := printable(cell); got != want {
			t.Errorf("%q is printed as %q, want %q", cell, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\u202eb\x1b[0m")
	f.Fuzz(func(t *testing.T, cell string) {
		got := printable(cell)
		if got == "" || printable(got) != got || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) }) {
			t.Errorf("%q is printed as %q", cell, got)
		}
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	type pair struct{ A, B string }
	records := []pair{{"one\ttwo", ""}, {"x", "\x1b[31m"}}
	for kind, want := range map[string]string{
		"table": "A        BB\none\uFFFDtwo  -\nx        \uFFFD[31m\n",
		"yaml":  "---\nA: \"one\\ttwo\"\nB: \"\"\n---\nA: x\nB: \"\\x1b[31m\"\n",
		"json":  "{\"A\":\"one\\ttwo\",\"B\":\"\"}\n{\"A\":\"x\",\"B\":\"\\u001b[31m\"}\n",
	} {
		var out strings.Builder
		e := &env{Streams: Streams{Out: &out}, format: kind}
		if err := print(e, records, []string{"A", "BB"}, func(p *pair) []string { return []string{p.A, p.B} }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no device that is always full")
	}
	defer func() { _ = full.Close() }()
	for _, kind := range []string{"table", "json", "yaml"} {
		if err := print(&env{Streams: Streams{Out: full}, format: kind}, records, nil, func(p *pair) []string { return []string{p.A} }); err == nil {
			t.Errorf("%s: output that could not be written is no error", kind)
		}
	}
}

func TestReadSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", "\n\nsecret\n\n": "secret", " a b \n": " a b ",
	} {
		if got, err := in(text).readSecret("the password"); err != nil || got != want {
			t.Errorf("%q reads as %q, %v", text, got, err)
		}
	}
	longest := strings.Repeat("x", maxInput)
	if got, err := in(longest).readSecret("it"); err != nil || got != longest {
		t.Errorf("the longest input: %d characters, %v", len(got), err)
	}
	for _, text := range []string{"", "\n\r\n", "hunter2\nhunter2", longest + "x", strings.Repeat("\n", maxInput) + "hunter2"} {
		if got, err := in(text).readSecret("the password"); !isUsage(err) || got != "" || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%.20q reads as %.20q, %v", text, got, err)
		}
	}
}

func TestReadCredential(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string][]string{
		"gh_a_b\n":            {"Authorization": {"Bearer gh_a_b"}},
		" gh_a_b \r\n":        {"Authorization": {"Bearer gh_a_b"}},
		"X-Api-Key: gh_a_b\n": {"X-Api-Key": {"gh_a_b"}},
		"X-Auth-Apikey:1\r\n\r\nX-Auth-Nonce: 2 \n": {"X-Auth-Apikey": {"1"}, "X-Auth-Nonce": {"2"}},
		"a: 1\na: 2\n": {"a": {"1", "2"}}, // sent twice stays twice
		"a: b: c":      {"a": {"b: c"}},
	} {
		got, err := in(text).readCredential()
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "\n", "hunter2\nhunter2\n", "a: 1\nhunter2", strings.Repeat("a: 1\n", maxInput/5+1)} {
		if got, err := in(text).readCredential(); !isUsage(err) || got != nil || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%.20q reads as %v, %v", text, got, err)
		}
	}
}
