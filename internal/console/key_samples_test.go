// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool is the path of a program that samples are for.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed, and CI is set", name)
		}
		t.Skipf("%s is not installed: samples for it are not run", name)
	}
	return path
}

// pair is a key pair in PEM; the empty name has none.
func pair(t *testing.T, name string) (public, private string) {
	t.Helper()
	var half crypto.PublicKey
	var whole crypto.PrivateKey
	switch name {
	case "":
		return "", ""
	case "ed25519":
		half, whole, _ = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		half, whole = &key.PublicKey, key
	}
	a, err := x509.MarshalPKIXPublicKey(half)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: a})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

// command is the program gatehouse.
func command(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	build := exec.CommandContext(t.Context(), tool(t, "go"), "build", "-o", filepath.Join(folder, "gatehouse"), "../../cmd/gatehouse")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// What the page of a new key shows works as it stands: it is run against a server.
func TestSamplesRun(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member("holder@example.com")
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	programs := command(t)
	here, err := os.Getwd()
	h.must(err)
	for _, row := range []struct{ scheme, pair string }{{"bearer", ""}, {"barong", ""}, {"shield", ""}, {"httpsig", ""}, {"httpsig", "ed25519"}, {"httpsig", "ecdsa"}} {
		public, private := pair(t, row.pair)
		b.get("/keys/new")
		p := b.post("/keys", "scheme", row.scheme, "scopes", "orders:read", "expiry", "30", "public_key", public)
		p.expect(t, 201, "Try it")
		dir := t.TempDir()
		h.must(os.WriteFile(filepath.Join(dir, "private.pem"), []byte(private), 0o600))
		kid := p.code("kid")
		if row.scheme == "bearer" {
			kid = strings.Split(p.code("token"), "_")[1]
		}
		for suffix, run := range map[string][]string{"sh": {"bash"}, "mjs": {"node"}, "py": {"python3"}, "go": {"go", "run"}} {
			text := p.code("sample-" + row.scheme + suffix)
			if (text == "") != (row.pair != "" && suffix == "py") {
				t.Errorf("%s %s %s: sample %q", row.scheme, row.pair, suffix, text)
			}
			if text == "" {
				continue
			}
			if strings.Count(text, site) < 1 {
				t.Errorf("%s %s: not for %s: %s", row.scheme, suffix, site, text)
			}
			file := filepath.Join(dir, "key."+suffix)
			h.must(os.WriteFile(file, []byte(strings.ReplaceAll(text, site, server.URL)), 0o600))
			t.Run(row.scheme+row.pair+"/"+suffix, func(t *testing.T) {
				t.Parallel()
				c := exec.CommandContext(t.Context(), tool(t, run[0]), append(run[1:], file)...)
				c.Dir = dir
				if suffix == "go" { // in this module, for its packages
					text := strings.ReplaceAll(text, `"private.pem"`, `"`+filepath.Join(dir, "private.pem")+`"`)
					h.must(os.WriteFile(file, []byte(strings.ReplaceAll(text, site, server.URL)), 0o600))
					c.Dir = here
				}
				c.Env = append(os.Environ(), "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"))
				out, err := c.CombinedOutput()
				if err != nil || !strings.Contains(string(out), `"kid":"`+kid+`"`) {
					t.Errorf("%v\n%s\n%s", err, out, text)
				}
			})
		}
	}
}

// Texts of a key that came from elsewhere stay texts in every language.
func TestSamplesOfOddKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	h.adopt(holder, `o'dd"$(exit9)\`)
	b.get("/keys/" + `o%27dd%22$%28exit9%29%5C` + "/rotate")
	p := b.post("/keys/"+`o%27dd%22$%28exit9%29%5C`+"/rotate", "grace", "0")
	p.expect(t, 200, "Try it")
	dir := t.TempDir()
	for suffix, line := range map[string]string{"sh": `printf %s "$KID"`, "mjs": "process.stdout.write(kid)", "py": `print(kid, end="")`} {
		text := p.code("sample-shield" + suffix)
		head, _, _ := strings.Cut(text, "SECRET=")
		if suffix != "sh" {
			_, rest, _ := strings.Cut(text, "const kid")
			if suffix == "py" {
				_, rest, _ = strings.Cut(text, "kid =")
				rest = " =" + rest
			}
			head, _, _ = strings.Cut(rest, "\n")
			head = map[string]string{"mjs": "const kid", "py": "kid"}[suffix] + head + "\n"
		}
		file := filepath.Join(dir, "key."+suffix)
		h.must(os.WriteFile(file, []byte(head+line+"\n"), 0o600))
		out, err := exec.CommandContext(t.Context(), tool(t, map[string]string{"sh": "bash", "mjs": "node", "py": "python3"}[suffix]), file).Output()
		if err != nil || string(out) != `o'dd"$(exit9)\` {
			t.Errorf("%s: %q, %v\n%s", suffix, out, err, head)
		}
	}
}
