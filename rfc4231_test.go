// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	lib "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// Every scheme with a MAC makes those of RFC 4231.
func TestRFC4231(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors/rfc4231.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Cases []struct {
			Case           int
			Key, Data, MAC string
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Cases) != 6 {
		t.Fatalf("%d cases, %v", len(vectors.Cases), err)
	}
	for _, c := range vectors.Cases {
		key, err := hex.DecodeString(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(c.Data)
		if err != nil {
			t.Fatal(err)
		}
		if got := shield.Sign(string(key), data); got != c.MAC {
			t.Errorf("case %d: shield %s", c.Case, got)
		}
		if got := barong.Sign(string(key), string(data), ""); got != c.MAC {
			t.Errorf("case %d: barong %s", c.Case, got)
		}
		checkMAC(t, key)
	}
}

// checkMAC compares a signature of package httpsig with the MAC of its base, which
// barong.Sign makes as RFC 4231 wants it.
func checkMAC(t *testing.T, key []byte) {
	t.Helper()
	k, err := lib.HMACKey(key)
	if len(key) < 16 {
		if err == nil {
			t.Errorf("a secret of %d bytes was taken", len(key))
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m := lib.Message{Method: "GET", Authority: "a.test", Target: "/", Body: lib.BodyNone}
	input, signature, err := (&lib.Signer{KeyID: "k", Key: k}).Sign(&m)
	if err != nil {
		t.Fatal(err)
	}
	m.Header = map[string][]string{"Signature-Input": {input}, "Signature": {signature}}
	s, err := lib.Parse(&m, lib.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	mac, err := hex.DecodeString(barong.Sign(string(key), string(s.Base()), ""))
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString(mac); !strings.Contains(signature, ":"+want+":") {
		t.Errorf("httpsig %s, want %s", signature, want)
	}
}
