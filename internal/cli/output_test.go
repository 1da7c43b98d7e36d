// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

// hostile has a character of each kind that changes how others are shown, and some that do
// not.
const hostile = "\x00\x1b[2J\a\t\n\x7f\u0085\u009b2J\u00ad\u061c\u200b\u200f\u2028\u2029\u202e\u2066\ufeff\U0001d173\U000e0041 é\u0300 \\u202e \"<&> \U0001f511 \ufffd"

func TestJSON(t *testing.T) {
	t.Parallel()
	got, err := toJSON(hostile)
	if err != nil {
		t.Fatal(err)
	}
	const want = `"\u0000\u001b[2J\u0007\t\n\u007f\u0085\u009b2J\u00ad\u061c\u200b\u200f\u2028\u2029\u202e\u2066\ufeff\ud834\udd73\udb40\udc41 é` + "\u0300" + ` \\u202e \"\u003c\u0026\u003e 🔑 ` + "\ufffd" + `"`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every text comes through a JSON reader as it was, and moves no cursor.
func FuzzJSON(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.ToValidUTF8(in, "?")
		text, err := toJSON(map[string]string{"k": in, "x" + in: in})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff(map[string]string{"k": in, "x" + in: in}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if strings.ContainsFunc(string(text), unprintable) {
			t.Errorf("%q is not plain", text)
		}
	})
}

// No output has a stranger's characters as they are.
func TestHostileOutput(t *testing.T) {
	t.Parallel()
	raw := func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unprintable(r) })
	}
	text, err := json.Marshal(map[string]any{"attempts": []api.Attempt{{UserAgent: hostile}}})
	if err != nil {
		t.Fatal(err)
	}
	s := stub(t, http.StatusOK, string(text))
	for _, args := range []string{"key attempts", "key attempts --format json", "key attempts --format yaml", "openapi", "openapi --format yaml"} {
		got := command("", withToken, append([]string{"--server", s.URL}, strings.Fields(args)...)...)
		if got.code != exitDone || !strings.Contains(got.out, "é") && !strings.Contains(args, "yaml") || raw(got.out) || got.err != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	text, err = json.Marshal(map[string]string{"title": "t" + hostile, "detail": hostile + "d", "code": hostile, "field": hostile, "ref": hostile})
	if err != nil {
		t.Fatal(err)
	}
	s = stub(t, http.StatusConflict, string(text))
	for _, args := range []string{"key show k", "audit export", "key revoke k --yes", "audit verify"} {
		got := command("", withToken, append([]string{"--server", s.URL}, strings.Fields(args)...)...)
		if got.code != exitFailed || !strings.HasPrefix(got.err, "gatehouse: ") || !strings.Contains(got.err, "é") || raw(got.err) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// As a table key show has all that is known of a key, and elsewhere only what it was told.
func TestKeyShow(t *testing.T) {
	t.Parallel()
	const plain = `{"kid":"k","tenant":"t","owner":"o","schemes":["bearer"],"scopes":[],"state":"active","replay":"strict","created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z","version":1}` + "\n"
	full := strings.Replace(plain, `"strict"`, `"window","networks":["192.0.2.0/24","2001:db8::/32"],"methods":["GET"],"paths":["/a,b/","/c\u202e"],"signed_only":true,
		"limits":[{"name":"calls","count":100,"period_ms":60000,"burst":20},{"name":"plan","count":5,"refill":"day"}],"metadata":{"z":"","team":"a b"},
		"not_before":"2026-01-02T00:00:00Z","expires":"2030-01-01T00:00:00Z","last_used":"2026-01-03T00:00:00Z","unused_s":86400,"rotating_until":"2026-02-01T00:00:00Z"`, 1)
	const head = "FIELD           VALUE\nkid             k\n"
	for answer, want := range map[string]string{plain: `name            -
owner           o
tenant          t
prefix          -
state           active
state-text      -
scheme          bearer
scope           -
network         -
method          -
path            -
limit           -
quota           -
signed-only     no
replay          strict
not-before      -
expires         never
unused          -
ends            never
rotating-until  -
meta            -
created         2026-01-01T00:00:00Z
updated         2026-01-01T00:00:00Z
last-used       never
version         1
`, full: `name            -
owner           o
tenant          t
prefix          -
state           active
state-text      -
scheme          bearer
scope           -
network         192.0.2.0/24
network         2001:db8::/32
method          GET
path            /a,b/
path            /c` + "\ufffd" + `
limit           calls=100/1m+20
quota           plan=5/day
signed-only     yes
replay          window
not-before      2026-01-02T00:00:00Z
expires         2030-01-01T00:00:00Z
unused          1d
ends            2026-01-04T00:00:00Z
rotating-until  2026-02-01T00:00:00Z
meta            team=a b
meta            z=
created         2026-01-01T00:00:00Z
updated         2026-01-01T00:00:00Z
last-used       2026-01-03T00:00:00Z
version         1
`} {
		s := stub(t, http.StatusOK, answer)
		got := command("", withToken, "--server", s.URL, "key", "show", "k")
		if diff := cmp.Diff(head+want, got.out); diff != "" || got.code != exitDone {
			t.Errorf("%d (-want +got):\n%s", got.code, diff)
		}
		if got := command("", withToken, "--server", s.URL, "key", "show", "k", "--format", "json"); got.code != exitDone || strings.Count(got.out, "\n") != 1 || answer == plain && got.out != plain {
			t.Errorf("as JSON: %+v", got)
		}
		// A secret that was made has a line of its own, above what a terminal may wrap.
		made := strings.Replace(answer, "{", `{"secret":"s3","token":"t0",`, 1)
		for _, args := range []string{"key rotate k", "key create --owner o --scheme bearer", "key create --owner o --scheme bearer --count 2"} {
			got := command("", withToken, append([]string{"--server", stub(t, http.StatusOK, made).URL}, strings.Fields(args)...)...)
			want := head + "secret          s3\ntoken           t0\n" + want
			if strings.Contains(args, "--count") {
				want += "\n" + want
			}
			if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
				t.Errorf("%s: %d (-want +got):\n%s", args, got.code, diff)
			}
		}
	}
}

// Who the command line is stands in rows: its scopes are many.
func TestSelfShow(t *testing.T) {
	t.Parallel()
	s := stub(t, http.StatusOK, `{"account":{"uid":"U"},"tenant":"t","everyone":true,"scopes":["keys:read","keys:revoke"]}`)
	const want = "FIELD     VALUE\nkid       -\naccount   U\ntenant    t\neveryone  yes\nscope     keys:read\nscope     keys:revoke\nends      never\n"
	if got := command("", withToken, "--server", s.URL, "self"); got.out != want || got.code != exitDone {
		t.Errorf("%+v", got)
	}
}
