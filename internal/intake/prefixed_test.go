// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"

	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
)

// digits is a hash of so many bytes.
func digits(bytes int) string { return strings.Repeat("d7", bytes) }

func sumOf(bytes int) []byte { return []byte(strings.Repeat("\xd7", bytes)) }

// readPrefixed returns what the text yields.
func readPrefixed(t *testing.T, text string) (rows []Row, err error) {
	t.Helper()
	p, err := OpenPrefixed(writeFile(t, 0o600, text))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n, counted := p.Count(t.Context())
	for row, err := range p.Rows(t.Context()) {
		if err != nil {
			if counted == nil || counted.Error() != err.Error() {
				t.Errorf("Count says %v, Rows %v", counted, err)
			}
			return rows, err
		}
		rows = append(rows, row)
	}
	if counted != nil || n != len(rows) {
		t.Errorf("Count says %d, %v; there are %d", n, counted, len(rows))
	}
	return rows, nil
}

func TestPrefixed(t *testing.T) {
	t.Parallel()
	want := []Row{
		{Source: "line 2", Owner: Owner{ExternalID: "alice"}, Name: "Work, \"laptop\"", Prefix: "mycompany", KeyID: "BRTRKFsL", Hash: sumOf(32), HashName: "sha-256",
			Scopes: []string{"users-read", "users-write"}, Created: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Source: "line 3", Owner: Owner{ExternalID: "bob"}, Prefix: "my_co", KeyID: "0OIl", Hash: sumOf(32), HashName: "sha-512-256"},
		{Source: "line 5", Owner: Owner{ExternalID: "bob"}, Prefix: "co", KeyID: "x", Hash: sumOf(64), HashName: "sha-512", Scopes: []string{"*"}},
	}
	csv := "prefix,name,short_token,hash,hash_algorithm,owner,scopes,created,expires\r\n" +
		"mycompany,\"Work, \"\"laptop\"\"\",BRTRKFsL," + strings.ToUpper(digits(32)) + ",,alice,users-read  users-write,2026-03-04T06:06:07+01:00,2027-01-01T00:00:00Z\r\n" +
		"my_co,,0OIl," + digits(32) + ",SHA-512/256,bob,,,\r\n" +
		"\r\n" +
		"co,,x," + digits(64) + ",sha512,bob,*,,\r\n"
	json := "\n" + `{"prefix":"mycompany","short_token":"BRTRKFsL","hash":"` + digits(32) + `","owner":"alice","scopes":["users-read","users-write"],` +
		`"name":"Work, \"laptop\"","created":"2026-03-04T05:06:07Z","expires":"2027-01-01T00:00:00Z"}` + "\r\n" +
		`{"prefix":"my_co","short_token":"0OIl","hash":"` + digits(32) + `","hash_algorithm":"sha512_256","owner":"bob","scopes":[]}` + "\n \n" +
		`{"prefix":"co","short_token":"x","hash":"` + digits(64) + `","owner":"bob","scopes":["*"]}`
	for name, text := range map[string]string{"CSV": csv, "CSV with a mark": "\xef\xbb\xbf" + csv, "JSON Lines": json[1:], "JSON Lines after a blank one": json} {
		rows, err := readPrefixed(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		shift := map[string]string{}
		if name == "JSON Lines" {
			shift = map[string]string{"line 2": "line 1", "line 3": "line 2", "line 5": "line 4"}
		}
		for i, row := range want {
			if to, ok := shift[row.Source]; ok {
				row.Source = to
			}
			if diff := cmp.Diff(row, rows[i], sameSecrets, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", name, diff)
			}
		}
		if len(rows) != len(want) {
			t.Errorf("%s: %d rows", name, len(rows))
		}
	}
}

func TestPrefixedProblems(t *testing.T) {
	t.Parallel()
	good := map[string]string{"prefix": "co", "short_token": "abc", "hash": digits(32), "hash_algorithm": "", "owner": "bob", "scopes": "a", "name": "", "created": "", "expires": ""}
	_, noScope := gatehouse.ParseScopes([]string{""})
	const header = "prefix,short_token,hash,hash_algorithm,owner,scopes,name,created,expires"
	for _, row := range []struct{ column, value, want string }{
		{"owner", "bob", ""},
		{"prefix", "my co", "prefix: not 1 to 128"},
		{"prefix", "é", "prefix: not 1 to 128"},
		{"prefix", "", "prefix: not 1 to 128"},
		{"prefix", strings.Repeat("a", 129), "prefix: not 1 to 128"},
		{"prefix", strings.Repeat("a", 128), ""},
		{"name", strings.Repeat("n", 900_000), "name: longer than 255"},
		{"name", strings.Repeat("ü", 256), "name: longer than 255"},
		{"name", strings.Repeat("ü", 255), ""},
		{"name", "a\x00b", "name: longer than 255 characters, or holds control"},
		{"name", "a\xffb", "name: longer than 255 characters, or holds control"},
		{"owner", strings.Repeat("o", 256), "owner: longer than 255"},
		{"owner", strings.Repeat("o", 255), ""},
		{"short_token", "", "short_token: not 1 to 64"},
		{"short_token", "a_b", "short_token: not 1 to 64"},
		{"short_token", "a-b", "short_token: not 1 to 64"},
		{"short_token", strings.Repeat("a", 65), "short_token: not 1 to 64"},
		{"short_token", strings.Repeat("a", 64), ""},
		{"hash", digits(31) + "zz", "hash: not hexadecimal"},
		{"hash", digits(31) + "d", "hash: not hexadecimal"},
		{"hash", "", "hash: its length is that of no SHA-2"},
		{"hash", digits(20), "hash: its length is that of no SHA-2"},
		{"hash", digits(28), "hash: its length does not tell"},
		{"hash", digits(48), ""},
		{"hash_algorithm", "SHA_256", ""},
		{"hash_algorithm", "sha384", "hash: not of the length"},
		{"hash_algorithm", "sha1", "hash: its algorithm is none"},
		{"hash_algorithm", "-", "hash: its algorithm is none"},
		{"owner", "", "owner: missing"},
		{"scopes", "a \"b\"", noScope.Error()},
		{"created", "yesterday", "created: not a time"},
		{"created", "2026-03-04 05:06:07", "created: not a time"},
		{"expires", "1800000000", "expires: not a time"},
	} {
		var csv []string
		for name := range strings.SplitSeq(header, ",") {
			value := good[name]
			if name == row.column {
				value = row.value
			}
			csv = append(csv, "\""+strings.ReplaceAll(value, "\"", "\"\"")+"\"")
		}
		rows, err := readPrefixed(t, header+"\n"+strings.Join(csv, ","))
		if err != nil || len(rows) != 1 {
			t.Errorf("%s %.40q: %d rows, %v", row.column, row.value, len(rows), err)
		} else if got := rows[0].Problem; (got == "") != (row.want == "") || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s %.40q: problem %q, want %q", row.column, row.value, got, row.want)
		}
	}
}

func TestPrefixedLines(t *testing.T) {
	t.Parallel()
	csv := func(shorts ...string) string {
		text := "prefix,short_token,hash,owner,scopes\n"
		for _, s := range shorts {
			text += "co," + s + "," + digits(32) + ",bob,\n"
		}
		return text
	}
	object := func(short string) string {
		return `{"prefix":"co","short_token":"` + short + `","hash":"` + digits(32) + `","owner":"bob","scopes":[]}` + "\n"
	}
	for _, row := range []struct {
		name, text string
		want       []string // a problem of each row
	}{
		{"a header alone", csv(), nil},
		{"twice", csv("a", "b", "a", "A"), []string{"", "", "short_token: the same as in line 2", ""}},
		{"columns", csv("a", "b,c", "d"), []string{"", "not a record of CSV", ""}},
		{"a quote inside", csv("a", "b\"c", "d"), []string{"", "not a record of CSV", ""}},
		{"an open quote", csv("a", "\"b", "d"), []string{"", "not a record of CSV"}},
		{"twice, JSON", object("a") + object("a"), []string{"", "short_token: the same as in line 1"}},
		{"no scopes at all", strings.Replace(object("a"), `,"scopes":[]`, "", 1), []string{"scopes: missing"}},
		{"unknown field", strings.Replace(object("a"), "owner", "53cret", 1) + object("b"), []string{"not one JSON object", ""}},
		{"broken", object("a") + "{\"hash\":\"53cret\n" + "53cret\n[]\nnull\n" + object("b"), []string{"", "not one JSON object", "not one JSON object", "not one JSON object", "not one JSON object", ""}},
		{"two on a line", strings.TrimSpace(object("a")) + object("b"), []string{"not one JSON object"}},
		{"another type", strings.Replace(object("a"), "[]", "7", 1), []string{"not one JSON object"}},
		{"scopes as a text", object("b") + strings.Replace(object("a"), "[]", "\"a b\"", 1), []string{"", ""}},
	} {
		rows, err := readPrefixed(t, row.text)
		if err != nil || len(rows) != len(row.want) {
			t.Errorf("%s: %d rows, %v", row.name, len(rows), err)
			continue
		}
		for i, want := range row.want {
			got := rows[i].Problem
			if (got == "") != (want == "") || !strings.HasPrefix(got, want) || strings.Contains(got, "53cret") {
				t.Errorf("%s: row %d: problem %q, want %q", row.name, i, got, want)
			}
		}
	}
	rows, err := readPrefixed(t, "prefix,short_token,hash,owner,scopes\n\"c\no\",a,b\n\"c\no\"x,a,b,c,d\nco,a,"+digits(32)+",bob,\n")
	if err != nil || len(rows) != 3 || rows[0].Source != "line 2" || rows[1].Source != "line 4" || rows[2].Source != "line 6" {
		t.Errorf("rows of several lines: %+v, %v", rows, err)
	}
}

func TestPrefixedErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"", "the file is empty"},
		{"\xef\xbb\xbf", "the file is empty"},
		{"\n\n", "header: missing"},
		{"co,BRTRKFsL,53cret,bob,*\n", "header: column 1 is not known"},
		{"prefix,short_token,hash,owner,scopes,53cret\n", "header: column 6 is not known"},
		{"prefix,short_token,hash,owner,scopes,hash\n", "header: column 6 stands twice"},
		{"prefix,short_token,hash,scopes\n", "header: there is no column owner"},
		{"prefix,\"53cret\"x\n", "header: "},
		{"[{}]", "header: column 1 is not known"},
		{"{}\n{\"hash\":\"" + strings.Repeat("5", maxLine) + "\"}\n", "line 2 is longer than 1 MiB"},
	} {
		_, err := readPrefixed(t, row.text)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "53cret") {
			t.Errorf("%.40q: %v, want %s", row.text, err, row.want)
		}
	}
	if _, err := OpenPrefixed(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	folder, err := OpenPrefixed(t.TempDir())
	if err == nil {
		defer folder.Close()
		if _, err = folder.Count(t.Context()); err == nil {
			t.Error("a folder is read")
		}
	}
}

func TestPrefixedStops(t *testing.T) {
	t.Parallel()
	line := `{"prefix":"co","short_token":"a","hash":"00","owner":"bob","scopes":[]}` + "\n"
	p, err := OpenPrefixed(writeFile(t, 0o600, strings.Repeat(line, 10)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range p.Rows(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range p.Rows(ctx) { // from the beginning again
		if n++; n == 3 {
			cancel()
		}
		if (err != nil) != (n == 4) || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("row %d: %v", n, err)
		}
	}
	if n != 4 {
		t.Errorf("%d rows after the context has ended", n)
	}
}

// The hashes that the four libraries print are read as they stand.
func TestReadHash(t *testing.T) {
	t.Parallel()
	if sum, name, err := readHash("d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37", ""); err != nil || name != "sha-256" || len(sum) != 32 {
		t.Errorf("%s, %v", name, err)
	}
	for _, h := range hashes {
		for _, name := range []string{h.name, strings.ToUpper(h.name), strings.NewReplacer("-", "", "/", "_").Replace(h.name)} {
			if _, got, err := readHash(digits(h.size), name); got != h.name || err != nil {
				t.Errorf("%s becomes %q: %v", name, got, err)
			}
		}
	}
}

// memory is a file in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func FuzzPrefixed(f *testing.F) {
	f.Add([]byte("prefix,short_token,hash,owner,scopes\nco,abc," + digits(32) + ",bob,a b\n\"x\n"))
	f.Add([]byte(`{"prefix":"co","short_token":"a","hash":"` + digits(32) + `","owner":"bob","scopes":["a"],"expires":"2026-03-04T05:06:07Z"}` + "\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := &Prefixed{file: memory{bytes.NewReader(text)}}
		lines, n := bytes.Count(text, []byte("\n"))+1, 0
		seen := map[string]bool{}
		for row, err := range p.Rows(t.Context()) {
			if n++; n > lines {
				t.Fatal("more rows than lines")
			}
			if err != nil {
				continue
			}
			hash := hex.EncodeToString(row.Hash)
			switch {
			case row.Problem == "" && (row.KeyID == "" || row.Owner.ExternalID == "" || len(row.Hash) < 28 || row.HashName == "" || row.Prefix == ""):
				t.Errorf("nothing speaks against %+v", row)
			case row.Problem == "" && seen[row.KeyID]:
				t.Errorf("%s passes twice", row.KeyID)
			case hash != "" && strings.Contains(strings.ToLower(row.Problem), hash):
				t.Errorf("the problem holds the hash: %s", row.Problem)
			}
			seen[row.KeyID] = true
		}
	})
}

// An error, like a problem, repeats nothing of what the file holds.
func FuzzPrefixedSecret(f *testing.F) {
	f.Add("prefix,short_token,hash,owner,scopes\nco,abc,%s,bob,a\n")
	f.Add(`{"hash":"%s"}`)
	f.Add("%s,a\n\n")
	f.Fuzz(func(t *testing.T, form string) {
		secret := digits(32)
		p := &Prefixed{file: memory{bytes.NewReader([]byte(strings.ReplaceAll(form, "%s", secret)))}}
		for row, err := range p.Rows(t.Context()) {
			if strings.Contains(row.Problem, secret) || err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("problem %q, error %v", row.Problem, err)
			}
		}
	})
}
