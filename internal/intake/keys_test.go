// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

// sameSecrets compares secrets without printing them.
var sameSecrets = cmp.Comparer(func(a, b gatehouse.Secret) bool { return a.Reveal() == b.Reveal() })

func writeFile(tb testing.TB, mode fs.FileMode, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestLoadKeys(t *testing.T) {
	t.Parallel()
	key := func(text, driver, digest string) EncryptionKey {
		return EncryptionKey{Key: gatehouse.NewSecret(text), Driver: driver, Digest: digest}
	}
	for _, row := range []struct {
		name, text string
		want       EncryptionKeys
		problem    string // in the error
	}{
		{"object", `{"k1": {"key": "hex2bin:00"}, "k_2": {"key": "b", "driver": "Sodium", "digest": "SHA256"}}`,
			EncryptionKeys{"k1": key("hex2bin:00", "", ""), "k_2": key("b", "Sodium", "SHA256")}, ""},
		{"no keys", "{}", EncryptionKeys{}, ""},
		{"environment", "# a comment\nCI_ENVIRONMENT = production\nauthtoken.hmacEncryptionKeys = '{\"k1\":{\"key\":\"a b\"}}'  # the keys\n",
			EncryptionKeys{"k1": key("a b", "", "")}, ""},
		{"environment, double quotes", `authtoken.hmacEncryptionKeys="{\"k1\":{\"key\":\"a\\\\b\"}}"`,
			EncryptionKeys{"k1": key(`a\b`, "", "")}, ""},
		{"environment, bare", "export authtoken.hmacEncryptionKeys={\"k1\":{\"key\":\"a#b\"}} # the keys\r\n",
			EncryptionKeys{"k1": key("a#b", "", "")}, ""},
		{"environment, defaults", "authtoken.hmacEncryptionDefaultDriver=Sodium\nauthtoken.hmacEncryptionDefaultDigest = 'SHA256'\n" +
			"authtoken.hmacEncryptionKeys = '{\"k1\":{\"key\":\"a\"},\"k2\":{\"key\":\"b\",\"driver\":\"OpenSSL\",\"digest\":\"SHA384\"}}'",
			EncryptionKeys{"k1": key("a", "Sodium", "SHA256"), "k2": key("b", "OpenSSL", "SHA384")}, ""},
		{"empty", "", nil, "neither"},
		{"another environment", "database.default.password = 53cret", nil, "neither"},
		{"twice", "authtoken.hmacEncryptionKeys='{}'\nauthtoken.hmacEncryptionKeys='{}'", nil, "stands twice"},
		{"open quote", "authtoken.hmacEncryptionKeys='{}", nil, "does not end"},
		{"empty value", "authtoken.hmacEncryptionKeys=", nil, "not one JSON object"},
		{"a list", "authtoken.hmacEncryptionKeys=['53cret']", nil, "not one JSON object"},
		{"cut off", `{"k1": {"key": "53cret`, nil, "not one JSON object"},
		{"more behind it", `{"k1": {"key": "53cret"}} x`, nil, "not one JSON object"},
		{"unknown field", `{"k1": {"key": "a", "53cret": "SHA256"}}`, nil, "not one JSON object"},
		{"another type", `{"k1": {"key": 53}}`, nil, "not one JSON object"},
		{"a text for an object", `{"k1": "53cret"}`, nil, "not one JSON object"},
		{"no key", `{"k1": {}}`, nil, "has no key"},
		{"bad title", `{"k-1": {"key": "53cret"}}`, nil, "a title"},
		{"large", `{"k1": {"key": "53cret"}}` + strings.Repeat(" ", maxKeysFile), nil, "larger than 1 MiB"},
	} {
		path := writeFile(t, 0o600, row.text)
		got, err := LoadKeys(path)
		if diff := cmp.Diff(row.want, got, sameSecrets); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", row.name, diff)
		}
		switch {
		case (err == nil) != (row.problem == ""), err != nil && !strings.Contains(err.Error(), row.problem):
			t.Errorf("%s: error %v, want %q", row.name, err, row.problem)
		case err != nil && strings.Contains(strings.ReplaceAll(err.Error(), path, ""), "53"): // the path has a number of chance
			t.Errorf("%s: the error holds the content: %v", row.name, err)
		}
	}
}

func TestLoadKeysRefusesFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ path, want string }{
		{writeFile(t, 0o644, "{}"), "chmod 600"},
		{writeFile(t, 0o640, "{}"), "chmod 600"},
		{writeFile(t, 0o602, "{}"), "chmod 600"},
		{t.TempDir(), "not a regular file"},
		{pipe, "not a regular file"},
	} {
		if _, err := LoadKeys(row.path); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", row.path, err, row.want)
		}
	}
	if _, err := LoadKeys(writeFile(t, 0o400, "{}")); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
	if _, err := LoadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("k1", "hex2bin:00", true)
	f.Add("k_2", "a\"b\\c'd", false)
	f.Fuzz(func(t *testing.T, title, key string, quoteOnce bool) {
		object, err := json.Marshal(map[string]map[string]string{title: {"key": key}})
		if err != nil {
			t.Skip() // not for us to say
		}
		quote, text := "\"", string(object)
		if quoteOnce {
			quote = "'"
		}
		text = strings.NewReplacer("\\", "\\\\", quote, "\\"+quote).Replace(text)
		plain, err1 := parseKeys(string(object))
		quoted, err2 := parseKeys(envKeys + " = " + quote + text + quote)
		if (err1 == nil) != (err2 == nil) || (err1 == nil) != isTitle(title) {
			t.Fatalf("%v, %v; a title: %v", err1, err2, isTitle(title))
		}
		if diff := cmp.Diff(plain, quoted, sameSecrets); diff != "" {
			t.Errorf("the two forms differ:\n%s", diff)
		}
		if _, err := parseKeys(key); err != nil && len(key) > 40 && strings.Contains(err.Error(), key) {
			t.Errorf("the error holds the text: %v", err)
		}
	})
}
