// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

const holderSecret = "hunter2-hunter2-hunter2"

// file writes a file in a new folder and returns its path.
func file(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyFile holds a key of these schemes.
func keyFile(t *testing.T, scheme string) string {
	return file(t, 0o600, `{"kid":"k1","schemes":["`+scheme+`"],"secret":"`+holderSecret+`","token":"gh_k1_`+holderSecret+`"}`)
}

// echo answers with the status in the path, and with the request as it came.
func echo(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		status := http.StatusOK
		if _, err := fmt.Sscanf(r.URL.Path, "/status/%d", &status); err == nil && status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
		_ = r.Header.Write(w)
		_, _ = fmt.Fprintf(w, "\n%s", body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Each scheme's fields arrive, and its MAC is that of the real scheme.
func TestCurlSchemes(t *testing.T) {
	t.Parallel()
	url := echo(t)
	for scheme, want := range map[string]string{
		"bearer":  "Authorization: Bearer gh_k1_" + holderSecret + "\r\n",
		"barong":  "X-Auth-Apikey: k1\r\n",
		"shield":  "Authorization: " + shield.Header("k1", shield.Sign(holderSecret, []byte("a=1"))) + "\r\n",
		"httpsig": `keyid="k1"`,
	} {
		got := command("", nil, "curl", "--key", keyFile(t, scheme), "-d", "a=1", url+"/x")
		if got.code != exitDone || got.err != "" || !strings.Contains(got.out, want) || !strings.HasPrefix(got.out, "POST /x\n") || !strings.HasSuffix(got.out, "\na=1") {
			t.Errorf("%s: %+v", scheme, got)
		}
		if scheme != "bearer" && strings.Contains(got.out, holderSecret) {
			t.Errorf("%s: the secret was sent", scheme)
		}
	}
}

func TestCurlRequests(t *testing.T) {
	t.Parallel()
	url, body := echo(t), file(t, 0o644, "from\na file\n")
	for _, row := range []struct {
		args string
		in   string
		code int
		out  []string
		err  string
	}{
		{"URL", "", exitDone, []string{"GET /\n", "Authorization: Bearer "}, ""},
		{"-X PUT URL/a?b", "", exitDone, []string{"PUT /a?b\n"}, ""},
		{"-d a=1 URL", "", exitDone, []string{"POST /\n", "Content-Type: application/x-www-form-urlencoded\r\n", "Content-Length: 3\r\n", "\na=1"}, ""},
		{"-d {} -X PATCH -H Content-Type:application/json URL", "", exitDone, []string{"PATCH /\n", "Content-Type: application/json\r\n", "\n{}"}, ""},
		{"-d @" + body + " URL", "", exitDone, []string{"POST /\n", "\nfrom\na file\n"}, ""},
		{"-d @- URL", "from stdin", exitDone, []string{"POST /\n", "\nfrom stdin"}, ""},
		{"-H X-A:1,2 -H x-a:3 URL", "", exitDone, []string{"X-A: 1,2\r\nX-A: 3\r\n"}, ""},
		{"-i URL/status/201", "", exitDone, []string{"HTTP/1.1 201 Created\r\n", "Content-Length: ", "\r\n\r\nGET /status/201"}, ""},
		{"-i URL/status/302", "", exitDone, []string{"302 Found", "Location: /elsewhere"}, ""},
		{"URL/status/401", "", exitDenied, []string{"GET /status/401"}, "gatehouse: the answer is 401 Unauthorized\n"},
		{"URL/status/403", "", exitDenied, []string{"GET /status/403"}, "gatehouse: the answer is 403 Forbidden\n"},
		{"URL/status/404", "", exitFailed, []string{"GET /status/404"}, "gatehouse: the answer is 404 Not Found\n"},
		{"URL/status/503", "", exitFailed, []string{"GET /status/503"}, "gatehouse: the answer is 503 Service Unavailable\n"},
		{"http://127.0.0.1:1/", "", exitFailed, nil, "gatehouse: send request: "},
		{"-d @" + body + "-absent URL", "", exitFailed, nil, "gatehouse: read body: "},
	} {
		args := append([]string{"curl", "--key", keyFile(t, "bearer")}, strings.Fields(strings.ReplaceAll(row.args, "URL", url))...)
		got := command(row.in, nil, args...)
		if got.code != row.code || !strings.HasPrefix(got.err, row.err) || (got.err == "") != (row.err == "") {
			t.Errorf("%s: %+v", row.args, got)
		}
		for _, want := range row.out {
			if !strings.Contains(got.out, want) {
				t.Errorf("%s: the output lacks %q:\n%s", row.args, want, got.out)
			}
		}
	}
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hangs.Close)
	if got := command("", nil, "curl", "--key", keyFile(t, "bearer"), "--max-time", "0.05", hangs.URL); got.code != exitFailed || !strings.Contains(got.err, "deadline exceeded") {
		t.Errorf("a server that hangs: %+v", got)
	}
}

// What could show a credential on a command line, and what would be sent in clear, is
// wrong use; nothing of it is repeated.
func TestSignMisuse(t *testing.T) {
	t.Parallel()
	key := keyFile(t, "barong")
	for _, row := range []struct{ args, err string }{
		{"--secret hunter2 https://a.example", "unknown flag --secret"},
		{"--secret=hunter2 https://a.example", "unknown flag --secret"},
		{"--token=hunter2 https://a.example", "unknown flag --token"},
		{"-u hunter2 https://a.example", "unknown flag -u"},
		{"https://a.example hunter2", "unexpected argument"},
		{"-H Authorization:hunter2 https://a.example", "--header Authorization: the scheme or the URL decides it"},
		{"-H x-api-key:hunter2 https://a.example", "--header X-Api-Key:"},
		{"-H X-Auth-Signature:hunter2 https://a.example", "--header X-Auth-Signature:"},
		{"-H host:hunter2 https://a.example", "--header Host:"},
		{"-H hunter2 https://a.example", "a --header is not of the form"},
		{"-H A(b:hunter2 https://a.example", "a --header is not of the form"},
		{"-H A:hunter2\x00 https://a.example", "a --header is not of the form"},
		{"https://u:hunter2@a.example", "the URL is not of the form"},
		{"hunter2", "the URL is not of the form"},
		{"ftp://a.example/hunter2", "origin: is not of the form"},
		{"http://a.example/hunter2", "--plain-http allows it"},
		{"-X hunter2( https://a.example", "invalid method"},
		{"--scheme smoke https://a.example", "--scheme is none of"},
		{"--scheme smoke=hunter2 https://a.example", "--scheme is none of"},
	} {
		for _, verb := range []string{"sign", "curl"} {
			got := command("", nil, append([]string{verb, "--key", key}, strings.Split(row.args, " ")...)...)
			if got.code != exitUsage || !strings.Contains(got.err, row.err) || got.out != "" {
				t.Errorf("%s %s: %+v", verb, row.args, got)
			}
			if strings.Contains(got.err, "hunter2") && !strings.HasPrefix(row.args, "-X") {
				t.Errorf("%s: repeated: %s", row.args, got.err)
			}
		}
	}
	if got := command("", nil, "curl", "--key", key, "--max-time", "0", "https://a.example"); got.code != exitUsage {
		t.Errorf("no time: %+v", got)
	}
	if got := command("", nil, "sign", "--key", key, "--plain-http", "http://a.example"); got.code != exitDone {
		t.Errorf("--plain-http: %+v", got)
	}
}

// What is signed must be what another program sends: for another spelling of the URL
// there is no signature.
func TestSignPrints(t *testing.T) {
	t.Parallel()
	got := command("", nil, "sign", "--key", keyFile(t, "shield"), "-H", "accept: text/plain", "-d", "a=1", "https://a.example/x?y")
	want := "Accept: text/plain\nAuthorization: " + shield.Header("k1", shield.Sign(holderSecret, []byte("a=1"))) + "\n"
	if diff := cmp.Diff(result{exitDone, want, ""}, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for url, want := range map[string]string{
		"https://a.example":           "",
		"https://a.example?q":         "",
		"https://a.example/a/b?q#f":   "",
		"https://A.example:443/a":     "",
		"https://a.example/a/../b":    "write https://a.example/b",
		"https://a.example/%7e":       "write https://a.example/~",
		"https://a.example/caf\u00e9": "write https://a.example/caf%C3%A9",
	} {
		got := command("", nil, "sign", "--key", keyFile(t, "httpsig"), url)
		if (got.code == exitDone) != (want == "") || !strings.Contains(got.err, want) || (got.out == "") != (want != "") {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

// The forms of a key, and where it may come from.
func TestHolderKeys(t *testing.T) {
	t.Parallel()
	lines := "# a key\n\nscheme = barong\nkey_id=k1\nsecret = \"" + holderSecret + "\"\r\n"
	own := []string{"GATEHOUSE_KEY_ID=k1", "GATEHOUSE_KEY_SECRET=" + holderSecret, "GATEHOUSE_KEY_TOKEN=gh_t"}
	for _, row := range []struct {
		name    string
		key     string
		environ []string
		args    []string
		kid     string // that signs; empty: a bearer token
	}{
		{"lines", lines, nil, nil, "k1"},
		{"JSON", `{"kid":"k1","schemes":["barong"],"secret":"` + holderSecret + `","more":1}` + "\n", nil, nil, "k1"},
		{"Barong's JSON", `{"algorithm":"HS256","kid":"k1","secret":{"data":{"value":"` + holderSecret + `"}}}`, nil, []string{"--scheme", "barong"}, "k1"},
		{"the file before the environment", lines, []string{"GATEHOUSE_KEY_ID=k2", "GATEHOUSE_KEY_SECRET=other"}, nil, "k1"},
		{"--key-id before the file", lines, nil, []string{"--key-id", "k3"}, "k3"},
		{"environment", "", own, []string{"--scheme", "barong"}, "k1"},
		{"environment, bearer", "", own, []string{"--scheme", "bearer"}, ""},
	} {
		args := append([]string{"sign", "https://a.example/"}, row.args...)
		if row.key != "" {
			args = append(args, "--key", file(t, 0o600, row.key))
		}
		got := command("", row.environ, args...)
		h := map[string]string{}
		for line := range strings.Lines(got.out) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			h[name] = value
		}
		nonce := h["X-Auth-Nonce"]
		want := map[string]string{"X-Auth-Apikey": row.kid, "X-Auth-Nonce": nonce, "X-Auth-Signature": barong.Sign(holderSecret, nonce, row.kid)}
		if row.kid == "" {
			want = map[string]string{"Authorization": "Bearer gh_t"}
		}
		if diff := cmp.Diff(want, h); got.code != exitDone || diff != "" {
			t.Errorf("%s: %+v (-want +got):\n%s", row.name, got, diff)
		}
	}
}

func TestUnusableHolderKeys(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, key string
		mode      os.FileMode
		scheme    string
		code      int
		err       string
	}{
		{"others may read it", "secret = hunter2", 0o640, "barong", exitFailed, "others may read it; run: chmod 600"},
		{"unknown line", "key_id = k\nhunter2 = hunter2", 0o600, "barong", exitFailed, "line 2 is not one of"},
		{"no line", "key_id = k\nhunter2", 0o600, "barong", exitFailed, "line 2 is not one of"},
		{"twice", "secret = hunter2\nsecret = hunter2", 0o600, "barong", exitFailed, "line 2 is not one of"},
		{"broken JSON", `{"secret":"hunter2`, 0o600, "barong", exitFailed, "is not the JSON of one key"},
		{"two keys", `{"secret":"hunter2"}` + "\n{}", 0o600, "barong", exitFailed, "is not the JSON of one key"},
		{"a secret of another kind", `{"secret":["hunter2"]}`, 0o600, "barong", exitFailed, "is not the JSON of one key"},
		{"long", strings.Repeat("#", maxInput+1), 0o600, "barong", exitFailed, "is longer than 64 KiB"},
		{"no token", "key_id = k\nsecret = hunter2", 0o600, "bearer", exitUsage, "the token is missing"},
		{"no key id", "secret = hunter2", 0o600, "shield", exitUsage, "the key id is missing"},
		{"no secret", "key_id = k\ntoken = hunter2", 0o600, "barong", exitUsage, "the secret is missing"},
		{"no scheme", "key_id = k\nsecret = hunter2", 0o600, "", exitUsage, "--scheme is needed"},
		{"two schemes", `{"kid":"k","secret":"hunter2","schemes":["barong","shield"]}`, 0o600, "", exitUsage, "--scheme is needed"},
		{"short secret", "key_id = k\nsecret = hunter2", 0o600, "httpsig", exitFailed, "at least 16 bytes"},
		{"blank in a secret", "key_id = k\nsecret = hunter2 hunter2", 0o600, "barong", exitFailed, "empty or not printable"},
	} {
		args := []string{"sign", "https://a.example/", "--key", file(t, row.mode, row.key)}
		if row.scheme != "" {
			args = append(args, "--scheme", row.scheme)
		}
		if got := command("", nil, args...); got.code != row.code || !strings.Contains(got.err, row.err) || got.out != "" || strings.Contains(got.err, "hunter2") {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
	if got := command("", nil, "sign", "https://a.example/", "--key", filepath.Join(t.TempDir(), "absent")); got.code != exitFailed {
		t.Errorf("no file: %+v", got)
	}
	if got := command("", nil, "sign", "https://a.example/", "--scheme", "barong"); got.code != exitUsage {
		t.Errorf("no key at all: %+v", got)
	}
}

// A private key in a file signs; the key file may name it, by a path from where it is.
func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	_, edwards, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	for _, row := range []struct {
		name, text string
		mode       os.FileMode
		public     any
		err        string
	}{
		{"ed25519", encoded(edwards), 0o600, edwards.Public(), ""},
		{"P-256", encoded(p256), 0o400, p256.Public(), ""},
		{"P-384", encoded(p384), 0o600, nil, "not on the curve P-256"},
		{"RSA", encoded(other), 0o600, nil, "neither an ed25519 nor a P-256 key"},
		{"others may read it", encoded(edwards), 0o644, nil, "others may read it"},
		{"two", encoded(edwards) + encoded(edwards), 0o600, nil, "is not one PEM block PRIVATE KEY"},
		{"no PEM", "hunter2", 0o600, nil, "is not one PEM block PRIVATE KEY"},
		{"no key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")})), 0o600, nil, "neither an ed25519 nor a P-256 key"},
	} {
		path := file(t, row.mode, row.text)
		beside := filepath.Join(filepath.Dir(path), "key.json")
		if err := os.WriteFile(beside, []byte(`{"kid":"k1","schemes":["httpsig"],"secret":"","private_key":"key"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		byVariable := command("", []string{"GATEHOUSE_PRIVATE_KEY_FILE=" + path}, "sign", "--scheme", "httpsig", "--key-id", "k1", "https://a.example/x")
		for how, got := range map[string]result{"variable": byVariable, "file": command("", nil, "sign", "--key", beside, "https://a.example/x")} {
			if row.err != "" {
				if got.code != exitFailed || !strings.Contains(got.err, row.err) || got.out != "" {
					t.Errorf("%s by %s: %+v", row.name, how, got)
				}
				continue
			}
			if err := holds(got.out, row.public); err != nil {
				t.Errorf("%s by %s: %v; %+v", row.name, how, err, got)
			}
		}
	}
}

// holds verifies the header that sign printed for https://a.example/x.
func holds(header string, public any) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	key, err := httpsig.ParsePublicDER(der)
	if err != nil {
		return err
	}
	m := httpsig.Message{Method: "GET", Authority: "a.example", Target: "/x", Header: http.Header{}, Body: httpsig.BodyNone}
	for line := range strings.Lines(header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		m.Header[name] = []string{value}
	}
	s, err := httpsig.Parse(&m, httpsig.Policy{})
	if err != nil {
		return err
	}
	return s.Verify(key)
}
