// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
)

// TestOtherSigners lets two signers of RFC 9421 that are not ours send requests through
// Node, and then changes what they signed. They are in testdata/interop; "make deps"
// installs them.
func TestOtherSigners(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is not installed, and CI is set")
		}
		t.Skip("node is not installed: signers that are not ours are not tried")
	}
	if _, err := os.Stat("testdata/interop/node_modules"); err != nil {
		t.Fatal("testdata/interop/node_modules is missing: run make deps")
	}
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	owner, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: "you@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	create := func(publicKey string) gatehouse.Created {
		c, err := house.Authority.Create(ctx, house.Actor(), gatehouse.NewKey{Principal: owner.ID, Schemes: []string{"httpsig"}, PublicKey: publicKey})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	mac, edwards := create(""), create(pemOf(t, "PUBLIC KEY", x509.MarshalPKIXPublicKey, any(public)))
	g, err := gate.New(house.Authority, gate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})))
	t.Cleanup(server.Close)
	for _, library := range []string{"http-message-signatures", "http-message-sig"} {
		for algorithm, key := range map[string]map[string]string{
			"hmac-sha256": {"keyid": mac.Key.ID, "secret": mac.Secret.Reveal()},
			"ed25519":     {"keyid": edwards.Key.ID, "privateKey": pemOf(t, "PRIVATE KEY", x509.MarshalPKCS8PrivateKey, any(private))},
		} {
			for _, q := range []map[string]string{
				{"method": "GET", "url": server.URL + "/orders/7?expand=a%20b&x=1"},
				{"method": "POST", "url": server.URL + "/orders?x=1", "body": `{"amount":1}`},
			} {
				t.Run(library+" "+algorithm+" "+q["method"], func(t *testing.T) {
					t.Parallel()
					q["library"], q["algorithm"] = library, algorithm
					for name, value := range key {
						q[name] = value
					}
					checkSigner(t, node, q)
				})
			}
		}
	}
}

// checkSigner lets a signer send a request, and sends changed and repeated ones after it.
func checkSigner(t *testing.T, node string, q map[string]string) {
	t.Helper()
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), node, "sign.mjs")
	c.Dir, c.Stdin, c.Stderr = "testdata/interop", bytes.NewReader(in), os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Status  int
		Body    string
		Headers map[string]string
	}
	if err := json.Unmarshal(out, &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Status != http.StatusOK || sent.Body != q["body"] {
		t.Fatalf("%d %s", sent.Status, sent.Body)
	}
	for name, change := range map[string]func(q, headers map[string]string){
		"replay": func(_, _ map[string]string) {},
		"method": func(q, _ map[string]string) { q["method"] = "PUT" },
		"path":   func(q, _ map[string]string) { q["url"] = strings.Replace(q["url"], "/orders", "/admin", 1) },
		"query":  func(q, _ map[string]string) { q["url"] = strings.Replace(q["url"], "x=1", "x=2", 1) },
		"body":   func(q, _ map[string]string) { q["body"] += " " },
		"header": func(_, h map[string]string) { h["x-tenant"] = "b" },
		"created": func(_, h map[string]string) {
			h["signature-input"] = strings.Replace(h["signature-input"], "created=1", "created=2", 1)
		},
		"covered": func(_, h map[string]string) {
			h["signature-input"] = strings.Replace(h["signature-input"], ` "@query"`, "", 1)
		},
	} {
		changed, headers := map[string]string{}, map[string]string{}
		for k, v := range q {
			changed[k] = v
		}
		for k, v := range sent.Headers {
			headers[strings.ToLower(k)] = v
		}
		change(changed, headers)
		want := map[string]string{"replay": "replayed", "covered": "insufficient_coverage"}[name]
		if name == "body" && q["body"] == "" {
			want = "insufficient_coverage"
		}
		if want == "" {
			want = "invalid_credential"
		}
		if got := send(t, changed, headers); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// send sends a request and returns the code of the denial, or "granted".
func send(t *testing.T, q, headers map[string]string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), q["method"], q["url"], strings.NewReader(q["body"]))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusOK {
		return "granted"
	}
	if answer.StatusCode == http.StatusUnauthorized && len(answer.Header["Accept-Signature"]) == 0 {
		t.Error("a 401 without Accept-Signature")
	}
	var problem struct{ Code string }
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	return problem.Code
}

func pemOf(t *testing.T, kind string, marshal func(any) ([]byte, error), key any) string {
	t.Helper()
	der, err := marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
