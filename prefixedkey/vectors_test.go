// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey_test

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

// made is a key that a port made. The ports name its parts differently, and decoding
// takes a name in any case.
type made struct {
	Token, Short, Long, Hash string
	APIKey                   string `json:"api_key"`
	ShortToken               string `json:"short_token"`
	LongToken                string `json:"long_token"`
	Key                      struct{ Token, ShortToken, LongToken, LongTokenHash string }
	Error                    string // the port did not make one
	text, short, long, hash  string
}

// asked is one input with what each port answers.
type asked struct {
	Name, Token string
	Hash        string `json:"stored_hash"`
	JS          struct{ CheckAPIKey struct{ Returns bool } }
	Elixir      struct {
		Prefix, Short string
		Verify2       bool
		Verify3       bool `json:"verify3_with_own_short"`
		Wrong3        bool `json:"verify3_with_wrong_short"`
	}
	Rust struct {
		Check bool `json:"check_hash"`
	}
	Go struct{ Check bool }
}

func (a *asked) answers() [4]bool {
	return [4]bool{a.JS.CheckAPIKey.Returns, a.Elixir.Verify2, a.Rust.Check, a.Go.Check}
}

type vectorFile struct {
	Documented []struct{ Token, Hash string } `json:"documented_examples"`
	FourWay    []asked                        `json:"four_way"`
	JS         struct {
		Generated []made
		Fifty     []struct{ ShortToken, LongToken, LongTokenHash, Token string } `json:"fifty_default_keys"`
	}
	Elixir, Go struct{ Generated []made }
	Rust       struct {
		Generated []made
		SHA512    struct{ Token, Hash string } `json:"sha512_example"`
	}
}

var vectors = sync.OnceValues(func() (*vectorFile, error) {
	text, err := os.ReadFile("../testdata/vectors/prefixed.json")
	if err != nil {
		return nil, err
	}
	v := &vectorFile{}
	return v, json.Unmarshal(text, v)
})

func load(t *testing.T) *vectorFile {
	t.Helper()
	v, err := vectors()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What all four ports accept is accepted, what all four refuse is refused. TestSpec has
// the rest.
func TestFourWay(t *testing.T) {
	t.Parallel()
	var accepted, refused int
	for _, a := range load(t).FourWay {
		got := prefixedkey.Verify(a.Token, a.Hash)
		switch a.answers() {
		case [4]bool{true, true, true, true}:
			accepted++
			k, err := prefixedkey.Parse(a.Token)
			if !got || err != nil || k.Prefix != a.Elixir.Prefix || k.Short != a.Elixir.Short || k.Reveal() != a.Token {
				t.Errorf("%s: verifies: %v; parsed as %v, %v", a.Name, got, k, err)
			}
			if prefixedkey.VerifyShort(a.Token, a.Hash, a.Elixir.Short) != a.Elixir.Verify3 || prefixedkey.VerifyShort(a.Token, a.Hash, "wrong") != a.Elixir.Wrong3 {
				t.Errorf("%s: with the short token it differs from Elixir", a.Name)
			}
		case [4]bool{}:
			refused++
			if got {
				t.Errorf("%s: verifies, and in no port", a.Name)
			}
		}
	}
	if accepted < 10 || refused < 2 {
		t.Errorf("%d rows of agreement, %d of refusal", accepted, refused)
	}
}

// unread are the keys of the ports that are refused, by port and place in the file, with
// how the key begins; docs/spec/prefixed.md says why.
var unread = map[string]string{
	"js 8":    "ünï_",                   // prefix not ASCII
	"js 23":   "mycompany_3_5",          // long token of one character
	"js 24":   "mycompany__",            // empty short token
	"js 25":   "mycompany_QQt7Mpog_",    // empty long token
	"js 26":   "mycompany__",            // empty short token
	"rust 21": "_",                      // empty prefix
	"rust 25": "mycompany_M1Smb_",       // long token of 683 characters
	"rust 26": "mycompany__",            // empty short token
	"rust 27": "mycompany_fQpAFHjaKTb_", // empty long token
	"go 21":   "_",                      // empty prefix
	"go 24":   "mycompany__",            // empty short token
	"go 25":   "mycompany_Vvk7hne5_",    // empty long token
	"go 26":   "mycompany_S_3",          // long token of one character
	"go 29":   "mycompany_\ufffd_",      // short token cut inside a character
}

// Every key that a port made is read as that port meant it, and verifies.
func TestGenerated(t *testing.T) {
	t.Parallel()
	v := load(t)
	left := maps.Clone(unread)
	for port, keys := range map[string][]made{"js": v.JS.Generated, "elixir": v.Elixir.Generated, "rust": v.Rust.Generated, "go": v.Go.Generated} {
		for i, m := range keys {
			m.unite()
			if m.text == "" {
				continue // the port made none
			}
			name := fmt.Sprintf("%s %d", port, i)
			k, err := prefixedkey.Parse(m.text)
			if begin, ok := unread[name]; ok {
				delete(left, name)
				if err != prefixedkey.ErrKey || !strings.HasPrefix(m.text, begin) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if strings.Contains(m.short, "_") {
				m.short = m.short[strings.LastIndexByte(m.short, '_')+1:] // what no reader can know
			}
			if err != nil || k.Short != m.short || k.Reveal() != m.text || !strings.HasSuffix(m.text, "_"+m.long) || k.Hash() != m.hash {
				t.Errorf("%s: read as %v, %v", name, k, err)
			}
			if !prefixedkey.VerifyShort(k, strings.ToUpper(m.hash), m.short) {
				t.Errorf("%s: does not verify", name)
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("not in the file: %v", left)
	}
	for _, m := range v.JS.Fifty {
		if !prefixedkey.VerifyShort(m.Token, m.LongTokenHash, m.ShortToken) {
			t.Errorf("the JS key %s does not verify", m.ShortToken)
		}
	}
}

// unite gathers what the ports name differently.
func (m *made) unite() {
	m.text = m.Token + m.APIKey + m.Key.Token
	m.short = m.Short + m.ShortToken + m.Key.ShortToken
	m.long = m.Long + m.LongToken + m.Key.LongToken
	m.hash = m.Hash + m.Key.LongTokenHash
}

func TestDocumented(t *testing.T) {
	t.Parallel()
	v := load(t)
	for _, d := range v.Documented {
		if !prefixedkey.Verify(d.Token, d.Hash) {
			t.Errorf("a documented key does not verify against %s", d.Hash)
		}
	}
	if len(v.Documented) == 0 || !prefixedkey.VerifyWith(crypto.SHA512, v.Rust.SHA512.Token, v.Rust.SHA512.Hash) {
		t.Error("the documented keys are missing, or Rust's with SHA-512 does not verify")
	}
}
