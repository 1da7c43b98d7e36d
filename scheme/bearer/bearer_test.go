// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/scheme/bearer"
)

// peppers is a keyring with one pepper.
type peppers struct {
	id  string
	key []byte
}

func (p peppers) PrimaryPepper() (string, []byte) { return p.id, p.key }
func (p peppers) PepperByID(id string) (key [bearer.PepperLen]byte, ok bool) {
	copy(key[:], p.key) // a MAC fills a short key up with zeros itself
	return key, id == p.id
}
func scheme() *bearer.Scheme { return bearer.New(peppers{"p1", []byte("a pepper of the test")}) }
func header(kv ...string) *gatehouse.Request {
	r := &gatehouse.Request{Header: gatehouse.Header{}}
	for i := 0; i < len(kv); i += 2 {
		r.Header[kv[i]] = append(r.Header[kv[i]], kv[i+1])
	}
	return r
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, present := range map[string]gatehousetest.Present{
		"authorization": func(r *gatehouse.Request, m gatehouse.Minted) {
			r.Header["Authorization"] = []string{"Bearer " + m.Token.Reveal()}
		},
		"lower case": func(r *gatehouse.Request, m gatehouse.Minted) {
			r.Header["Authorization"] = []string{"bearer " + m.Token.Reveal()}
		},
		"x-api-key": func(r *gatehouse.Request, m gatehouse.Minted) { r.Header["X-Api-Key"] = []string{m.Token.Reveal()} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gatehousetest.Scheme(t, scheme(), "acme", []string{"Authorization", "X-Api-Key"}, present)
		})
	}
}

var form = regexp.MustCompile(`^acme_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$`)

func TestTokens(t *testing.T) {
	t.Parallel()
	m, err := scheme().Mint("", "acme")
	if err != nil {
		t.Fatal(err)
	}
	token := m.Token.Reveal()
	if !form.MatchString(token) {
		t.Errorf("a token of another form")
	}
	parsed, err := bearer.ParseToken(token)
	if err != nil || parsed.String() != token || parsed.Short != m.KeyID || parsed.Long != m.Secret.Reveal() {
		t.Errorf("ParseToken: %v; parts do not fit", err)
	}
	for i := range token {
		b := []byte(token)
		for _, c := range []byte("a0Z_- ") {
			b[i] = c
			if s := string(b); s != token {
				if _, err := bearer.ParseToken(s); !errors.Is(err, bearer.ErrToken) {
					t.Errorf("one wrong character at %d: error %v", i, err)
				}
			}
		}
	}
	for _, bad := range []string{"", "_", "__", "acme", "acme_x", token + "a", token[1:], " " + token, token + "\n", strings.ToUpper(token), strings.Repeat("a", 300)} {
		if _, err := bearer.ParseToken(bad); !errors.Is(err, bearer.ErrToken) {
			t.Errorf("ParseToken(%d characters) = %v", len(bad), err)
		} else if len(bad) > 10 && strings.Contains(err.Error(), bad) {
			t.Error("the error holds the token")
		}
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]bool{"": true, "gh": true, "a1": true, "abcdefghijklmnop": true, "a": false, "1a": false, "A1": false, "my_co": false, "my-co": false, "abcdefghijklmnopq": false, "é1": false} {
		_, err := scheme().Mint("", prefix)
		var invalid *gatehouse.InvalidError
		if got := err == nil; got != want || (err != nil && (!errors.As(err, &invalid) || invalid.Field != "prefix")) {
			t.Errorf("Mint with prefix %q: %v", prefix, err)
		}
	}
}

// The digest lets bare SHA-256 hashes of other systems in, and is useless without the
// pepper.
func TestDigest(t *testing.T) {
	t.Parallel()
	m, err := scheme().Mint("", "")
	if err != nil {
		t.Fatal(err)
	}
	inner := sha256.Sum256([]byte(m.Secret.Reveal()))
	mac := hmac.New(sha256.New, []byte("a pepper of the test"))
	mac.Write(inner[:])
	if !hmac.Equal(mac.Sum(nil), m.Digest) || m.Ref != "p1" {
		t.Error("the digest is not HMAC-SHA-256(pepper, SHA-256(long)) under the primary pepper")
	}
	r := header("X-Api-Key", m.Token.Reveal())
	c, _ := scheme().Extract(r)
	k := &gatehouse.Key{ID: m.KeyID, Prefix: m.Prefix}
	if scheme().Prove(r, c, k, &gatehouse.Material{Kind: gatehouse.MaterialDigest, Ref: "p2", Data: m.Digest}, nil) {
		t.Error("a digest under an unknown pepper holds")
	}
	k.Prefix = "other"
	if scheme().Prove(r, c, k, &gatehouse.Material{Kind: gatehouse.MaterialDigest, Ref: "p1", Data: m.Digest}, nil) {
		t.Error("a token under another prefix holds")
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	m, err := scheme().Mint("", "")
	if err != nil {
		t.Fatal(err)
	}
	token := m.Token.Reveal()
	for _, row := range []struct {
		name string
		r    *gatehouse.Request
		want gatehouse.Presence
	}{
		{"other scheme", header("Authorization", "Basic abc"), gatehouse.CredentialAbsent},
		{"other scheme and ours", header("Authorization", "Basic abc", "X-Api-Key", token), gatehouse.CredentialPresent},
		{"both fields", header("Authorization", "Bearer "+token, "X-Api-Key", token), gatehouse.CredentialMalformed},
		{"no token", header("Authorization", "Bearer"), gatehouse.CredentialMalformed},
		{"two spaces", header("Authorization", "Bearer  "+token), gatehouse.CredentialMalformed},
		{"junk", header("Authorization", "Bearer junk"), gatehouse.CredentialMalformed},
		{"empty key field", header("X-Api-Key", ""), gatehouse.CredentialMalformed},
	} {
		if _, p := scheme().Extract(row.r); p != row.want {
			t.Errorf("%s: Extract = %v, want %v", row.name, p, row.want)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	m, _ := scheme().Mint("", "acme")
	f.Add(m.Token.Reveal())
	f.Add("a_b_c")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := bearer.ParseToken(text)
		if err == nil && got.String() != text {
			t.Errorf("parse and print differ")
		}
		if err != nil && err != bearer.ErrToken {
			t.Errorf("another error: %v", err)
		}
	})
}
