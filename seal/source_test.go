// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSourceForms(t *testing.T) {
	t.Parallel()
	for source, algorithms := range map[string]string{
		"file:/run/secrets/kek":              "aes xchacha",
		"env:/etc/gatehouse.env#KEK":         "aes xchacha",
		"env:/etc/a#b/c.env#KEK_2":           "aes xchacha",
		"vault:transit/gatehouse":            "vault",
		"vault:team/a-b.c/gatehouse_1":       "vault",
		"":                                   "",
		":":                                  "",
		"file:":                              "",
		"file:kek":                           "",
		"file:./kek":                         "",
		"file:/run/a kek":                    "",
		"file:/run/kek\n":                    "",
		"env:/etc/gatehouse.env":             "",
		"env:/etc/gatehouse.env#":            "",
		"env:/etc/gatehouse.env#A-B":         "",
		"env:gatehouse.env#KEK":              "",
		"vault:gatehouse":                    "",
		"vault:/gatehouse":                   "",
		"vault:transit/":                     "",
		"vault:transit/../sys/raw":           "",
		"vault:transit/./x":                  "",
		"vault:transit//x":                   "",
		"vault:transit/gate house":           "",
		"vault:transit/gatehouse?a=b":        "",
		"vault:transit/gatehouse%2f..":       "",
		"https://vault.example.com/v1/x":     "",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGB": "",
	} {
		for name, algorithm := range map[string]string{"aes": algorithmAES, "xchacha": algorithmXChaCha, "vault": algorithmVault} {
			e := entry{kind: kindKEK, algorithm: algorithm, source: source}
			if err := e.checkSource(); (err == nil) != strings.Contains(algorithms, name) {
				t.Errorf("%q with %s: %v", source, algorithm, err)
			}
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name string, mode fs.FileMode, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	word := base64.StdEncoding.EncodeToString(key)
	env := put("env", 0o600, []byte("# comment\nOTHER=x\nKEK="+word+"\nexport QUOTED=\""+word+"\"\nSHORT=AAAA\nTWICE="+word+"\n TWICE = "+word+"\n"))
	for _, row := range []struct{ source, want string }{ // want: in the error; empty: none
		{"file:" + put("raw", 0o600, key), ""},
		{"file:" + put("base64", 0o400, []byte("\n"+word+"\n")), ""},
		{"file:" + put("short", 0o600, key[1:]), "not 32 bytes, nor their base64"},
		{"file:" + put("long", 0o600, append(key, '\n')), "not 32 bytes, nor their base64"},
		{"file:" + put("none", 0o600, nil), "not 32 bytes, nor their base64"},
		{"file:" + put("open", 0o644, key), "chmod 600"},
		{"file:" + filepath.Join(dir, "absent"), "no such file"},
		{"file:" + dir, "not a regular file"},
		{"env:" + env + "#KEK", ""},
		{"env:" + env + "#QUOTED", ""},
		{"env:" + env + "#SHORT", "not 32 bytes"},
		{"env:" + env + "#TWICE", "twice"},
		{"env:" + env + "#ABSENT", "the name is not there"},
		{"env:" + put("open-env", 0o640, []byte("KEK="+word)) + "#KEK", "chmod 600"},
	} {
		// Each stands in a keyring in place of the KEK.
		text := strings.Replace(vectorKeyring, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", row.source, 1)
		path := put("keyring", 0o600, []byte(text))
		k, err := LoadKeyring(path)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.source, err)
		case row.want == "":
			if kek := k.keys().primary(kindKEK); !bytes.Equal(kek.key, key) || !bytes.Contains(k.keys().text(), []byte(" "+row.source+"\n")) || bytes.Contains(k.keys().text(), []byte(word)) {
				t.Errorf("%s: another key, or the file would hold it", row.source)
			}
		case err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), row.source) || strings.Contains(err.Error(), word[:20]) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %v, want one line with %q", row.source, err, row.want)
		}
	}
}
