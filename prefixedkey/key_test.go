// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

const (
	long = "51FwqftsmMDHHbJAMEXXHCgG"
	text = "mycompany_BRTRKFsL_" + long
	hash = "d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37"
)

func TestParse(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for _, row := range []struct {
		name, text    string
		prefix, short string // empty: refused
	}{
		{"good", text, "mycompany", "BRTRKFsL"},
		{"prefix of one underscore", "__abc_" + long, "_", "abc"},
		{"prefix with underscores", "sk_live__abc_" + long, "sk_live_", "abc"},
		{"prefix of printable ASCII", "!\"-.~_abc_" + long, "!\"-.~", "abc"},
		{"longest", x("p", 128) + "_" + x("s", 64) + "_" + x("l", 512), x("p", 128), x("s", 64)},
		{"shortest", "p_s_" + x("l", 16), "p", "s"},
		{"prefix too long", x("p", 129) + "_s_" + long, "", ""},
		{"short token too long", "p_" + x("s", 65) + "_" + long, "", ""},
		{"long token too long", "p_s_" + x("l", 513), "", ""},
		{"long token too short", "p_s_" + x("l", 15), "", ""},
		{"nothing", "", "", ""},
		{"underscores", "__", "", ""},
		{"long token alone", long, "", ""},
		{"two parts", "abc_" + long, "", ""},
		{"empty prefix", "_abc_" + long, "", ""},
		{"empty short token", "p__" + long, "", ""},
		{"empty long token", "p_s_", "", ""},
		{"space before", " " + text, "", ""},
		{"space in the prefix", "my company_abc_" + long, "", ""},
		{"newline after", text + "\n", "", ""},
		{"control character in the prefix", "p\x7f_abc_" + long, "", ""},
		{"prefix not ASCII", "ü_abc_" + long, "", ""},
		{"short token not alphanumeric", "p_a-b_" + long, "", ""},
		{"long token not alphanumeric", "p_s_" + long + "-", "", ""},
		{"NUL in the long token", "p_s_" + long + "\x00", "", ""},
	} {
		k, err := prefixedkey.Parse(row.text)
		if k.Prefix != row.prefix || k.Short != row.short || (err == nil) != (row.prefix != "") || (err != nil && err != prefixedkey.ErrKey) {
			t.Errorf("%s: read as %q, %q, %v", row.name, k.Prefix, k.Short, err)
		}
	}
}

// A Key whose parts were changed is checked as a text is.
func TestParseKey(t *testing.T) {
	t.Parallel()
	good, err := prefixedkey.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := prefixedkey.Parse(good); err != nil || again.Reveal() != text {
		t.Errorf("parsed again: %v, %v", again, err)
	}
	bad := good
	bad.Short = "a_b"
	for name, k := range map[string]prefixedkey.Key{"the zero Key": {}, "changed": bad, "without a long token": {Prefix: "p", Short: "s"}} {
		if _, err := prefixedkey.Parse(k); err != prefixedkey.ErrKey {
			t.Errorf("%s: %v", name, err)
		}
		if prefixedkey.Verify(k, k.Hash()) {
			t.Errorf("%s verifies", name)
		}
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		hash string
		want bool
	}{
		"lower case":      {hash, true},
		"upper case":      {strings.ToUpper(hash), true},
		"mixed case":      {strings.ToUpper(hash[:9]) + hash[9:], true},
		"one digit more":  {hash + "a", false},
		"one byte more":   {hash + "aa", false},
		"one digit less":  {hash[:63], false},
		"one byte less":   {hash[:62], false},
		"twice":           {hash + hash, false},
		"empty":           {"", false},
		"another":         {"e" + hash[1:], false},
		"another end":     {hash[:63] + "8", false},
		"not hex":         {"g" + hash[1:], false},
		"space after":     {hash + " ", false},
		"trailing letter": {hash[:63] + "x", false},
	} {
		if got := prefixedkey.Verify(text, row.hash); got != row.want {
			t.Errorf("%s: Verify = %v", name, got)
		}
		if got := prefixedkey.VerifyShort(text, row.hash, "BRTRKFsL"); got != row.want {
			t.Errorf("%s: VerifyShort = %v", name, got)
		}
	}
	for _, short := range []string{"", "BRTRKFs", "BRTRKFsLx", "brtrkfsl"} {
		if prefixedkey.VerifyShort(text, hash, short) {
			t.Errorf("verifies with short token %q", short)
		}
	}
}

func TestSecrecy(t *testing.T) {
	t.Parallel()
	k, err := prefixedkey.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct{ k prefixedkey.Key }
	type shown struct{ K prefixedkey.Key }
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%T"} {
		for _, v := range []any{k, &k, hidden{k}, &hidden{k}, shown{k}, []prefixedkey.Key{k}, map[string]hidden{"k": {k}}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("seen", "key", k, "at", &k, "in", shown{k}, "under", hidden{k})
	}
	for _, v := range []any{k, &k, shown{k}, hidden{k}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	for _, secret := range []string{long, fmt.Sprintf("%x", long), fmt.Sprintf("%X", long), fmt.Sprint([]byte(long))} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("printed: %s", out.String())
		}
	}
	if fmt.Sprint(k) != "mycompany_BRTRKFsL_[secret]" || fmt.Sprintf("%#v", k) != k.String() {
		t.Errorf("prints as %v", k)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(text)
	f.Add("sk_live__abc_" + long)
	f.Add("p__" + long)
	f.Add(text + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := prefixedkey.Parse(text)
		if err == nil && k.Reveal() != text {
			t.Errorf("parse and print differ")
		}
		if err != nil && (err != prefixedkey.ErrKey || k.Reveal() != "__") {
			t.Errorf("another error, or not the zero Key: %v, %v", k, err)
		}
		if err == nil && (!prefixedkey.Verify(text, k.Hash()) || k.String() != text[:strings.LastIndexByte(text, '_')+1]+"[secret]") {
			t.Errorf("it does not verify, or prints: %v", k)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !prefixedkey.Verify(text, hash) {
			b.Fatal("the key does not verify")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := prefixedkey.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
