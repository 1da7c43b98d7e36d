// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/prefixedkey"
	"github.com/seed14544106/gatehouse/scheme/bearer"
)

var _ gatehouse.Adopter = (*bearer.Scheme)(nil)

// portKeys are a key of each port with what the port stores of it.
func portKeys(t *testing.T) map[string]gatehouse.Foreign {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/prefixed.json")
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		Token, Hash string
		APIKey      string `json:"api_key"`
		Key         struct{ Token, LongTokenHash string }
	}
	var v map[string]json.RawMessage
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	found := map[string]gatehouse.Foreign{}
	for _, port := range []string{"js", "elixir", "rust", "go"} {
		var made struct{ Generated []key }
		if err := json.Unmarshal(v[port], &made); err != nil {
			t.Fatal(err)
		}
		for i, k := range made.Generated {
			token := k.Token + k.APIKey + k.Key.Token
			read, err := prefixedkey.Parse(token)
			if err != nil {
				continue // prefixedkey tells which and why
			}
			hash, err := hex.DecodeString(k.Hash + k.Key.LongTokenHash)
			if err != nil {
				t.Fatal(err)
			}
			found[fmt.Sprintf("%s %d: %s", port, i, token)] = gatehouse.Foreign{ID: read.Short, Prefix: read.Prefix, Hash: hash}
		}
	}
	if len(found) < 100 {
		t.Fatalf("%d keys", len(found))
	}
	return found
}

// proves reports whether the token proves itself as the adopted key.
func proves(s *bearer.Scheme, token string, m gatehouse.Minted) bool {
	r := header("Authorization", "Bearer "+token)
	c, p := s.Extract(r)
	k := &gatehouse.Key{ID: m.KeyID, Prefix: m.Prefix}
	return p == gatehouse.CredentialPresent && c.KeyID == m.KeyID && s.Prove(r, c, k, stored(m), nil)
}

func stored(m gatehouse.Minted) *gatehouse.Material {
	return &gatehouse.Material{Version: 1, Kind: gatehouse.MaterialDigest, Ref: m.Ref, Data: m.Digest}
}

// Every key of a port that is readable proves itself after its hash was taken over, and
// no other.
func TestPorts(t *testing.T) {
	t.Parallel()
	s := scheme()
	for name, f := range portKeys(t) {
		_, token, _ := strings.Cut(name, ": ")
		m, err := s.Adopt(&f)
		if err != nil || m.KeyID != f.ID || m.Prefix != f.Prefix || m.Ref != "p1" || !m.Secret.Empty() || !m.Token.Empty() {
			t.Errorf("%s: Adopt: %v", name, err)
			continue
		}
		if !proves(s, token, m) {
			t.Errorf("%s does not prove itself", name)
		}
		if proves(s, token[:len(token)-1]+"_", m) || proves(s, "x"+token, m) || proves(s, strings.ToLower(token), m) {
			t.Errorf("%s: another token proves itself", name)
		}
		if !s.Adopted(&f, stored(m), nil) {
			t.Errorf("%s: not known again", name)
		}
	}
}

// The other hashes of the Rust port, each under its own name.
func TestAdoptHashes(t *testing.T) {
	t.Parallel()
	const long = "BddpcwWyCT3EkDjHSSTRaSK1dxtuQgbjb"
	const token = "mycompany_CEUsS4psCmc_" + long
	sum224, sum384, sum512 := sha256.Sum224([]byte(long)), sha512.Sum384([]byte(long)), sha512.Sum512([]byte(long))
	sum256, half224, half256 := sha256.Sum256([]byte(long)), sha512.Sum512_224([]byte(long)), sha512.Sum512_256([]byte(long))
	s := scheme()
	rows := map[string][]byte{
		"": sum256[:], "sha-256": sum256[:], "sha-224": sum224[:], "sha-384": sum384[:], "sha-512": sum512[:],
		"sha-512-224": half224[:], "sha-512-256": half256[:],
	}
	for name, hash := range rows {
		f := gatehouse.Foreign{ID: "CEUsS4psCmc", Prefix: "mycompany", Hash: hash, HashName: name}
		m, err := s.Adopt(&f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := "p1/" + name
		if name == "" || name == "sha-256" {
			want = "p1"
		}
		mac := hmac.New(sha256.New, []byte("a pepper of the test"))
		mac.Write(hash)
		if m.Ref != want || !hmac.Equal(m.Digest, mac.Sum(nil)) || !proves(s, token, m) {
			t.Errorf("%s: stored under %s; proves itself: %v", name, m.Ref, proves(s, token, m))
		}
		for _, ref := range []string{"p1", "p1/sha-224", "p1/sha-256", "p1/sha-384", "p1/md5", "p1/", "p2", "p2/" + name, "/" + name, name, ""} {
			other := m
			other.Ref = ref
			if ref != m.Ref && proves(s, token, other) {
				t.Errorf("%s: proves itself under %q", name, ref)
			}
		}
		for again, hash := range rows {
			other := gatehouse.Foreign{ID: f.ID, Prefix: f.Prefix, Hash: hash, HashName: again}
			if same := slices.Equal(hash, f.Hash); s.Adopted(&other, stored(m), nil) != same {
				t.Errorf("%s known again as %s: %v", name, again, !same)
			}
		}
	}
}

func TestAdoptInvalid(t *testing.T) {
	t.Parallel()
	hash := make([]byte, 32)
	x := strings.Repeat
	for name, row := range map[string]struct {
		f     gatehouse.Foreign
		field string
	}{
		"no id":             {gatehouse.Foreign{Prefix: "p", Hash: hash}, "id"},
		"id with _":         {gatehouse.Foreign{ID: "a_b", Prefix: "p", Hash: hash}, "id"},
		"id not ASCII":      {gatehouse.Foreign{ID: "é", Prefix: "p", Hash: hash}, "id"},
		"id too long":       {gatehouse.Foreign{ID: x("a", 65), Prefix: "p", Hash: hash}, "id"},
		"no prefix":         {gatehouse.Foreign{ID: "a", Hash: hash}, "prefix"},
		"prefix with space": {gatehouse.Foreign{ID: "a", Prefix: "my company", Hash: hash}, "prefix"},
		"prefix too long":   {gatehouse.Foreign{ID: "a", Prefix: x("p", 129), Hash: hash}, "prefix"},
		"no hash":           {gatehouse.Foreign{ID: "a", Prefix: "p"}, "secret"},
		"a whole token":     {gatehouse.Foreign{ID: "a", Prefix: "p", Secret: gatehouse.NewSecret("p_a_" + x("b", 30))}, "secret"},
		"a space in secret": {gatehouse.Foreign{ID: "a", Prefix: "p", Secret: gatehouse.NewSecret(x("b", 15) + " " + x("b", 15))}, "secret"},
		"hash too short":    {gatehouse.Foreign{ID: "a", Prefix: "p", Hash: hash[1:]}, "hash"},
		"hash of another":   {gatehouse.Foreign{ID: "a", Prefix: "p", Hash: hash, HashName: "sha-512"}, "hash"},
		"unknown function":  {gatehouse.Foreign{ID: "a", Prefix: "p", Hash: hash, HashName: "md5"}, "hash_name"},
		"upper case":        {gatehouse.Foreign{ID: "a", Prefix: "p", Hash: hash, HashName: "SHA-256"}, "hash_name"},
	} {
		_, err := scheme().Adopt(&row.f)
		var invalid *gatehouse.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != row.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := gatehouse.Foreign{ID: "a", Prefix: "p", Hash: hash}
	m, err := scheme().Adopt(&f)
	if err != nil {
		t.Fatal(err)
	}
	other := f
	other.Hash = append([]byte{1}, hash[1:]...)
	unknown := stored(m)
	unknown.Ref = "p2"
	if scheme().Adopted(&other, stored(m), nil) || scheme().Adopted(&f, unknown, nil) {
		t.Error("another key is known again")
	}
}

// A key that was adopted can have a new token under its old id and prefix.
func TestMintAdopted(t *testing.T) {
	t.Parallel()
	s := scheme()
	for _, row := range []struct{ id, prefix string }{{"BRTRKFsL", "mycompany"}, {"BRTRKFsL", "My_Company-2"}, {"0OIl", "sk_live_"}, {"a", "a"}} {
		m, err := s.Mint(row.id, row.prefix)
		if err != nil || m.KeyID != row.id || m.Prefix != row.prefix || !strings.HasPrefix(m.Token.Reveal(), row.prefix+"_"+row.id+"_") || !proves(s, m.Token.Reveal(), m) {
			t.Errorf("%s_%s: %v", row.prefix, row.id, err)
		}
	}
	for _, row := range []struct{ id, prefix string }{{"a_b", "gh"}, {"", "My"}, {"a", "my company"}, {"a_b", "My"}} {
		if _, err := s.Mint(row.id, row.prefix); err == nil {
			t.Errorf("a token of prefix %q and id %q is made", row.prefix, row.id)
		}
	}
}

// A typing error in a token of ours is found. What a port can have made never counts as
// a typing error, even with the lengths of ours.
func TestLooksOurs(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for _, row := range []struct {
		name, token string
		want        gatehouse.Presence
	}{
		{"ours", "acme_a0Zz1234abcd_" + x("0", 32) + "1PsMMM", gatehouse.CredentialPresent},
		{"ours, one wrong character", "acme_a0Zz1234abce_" + x("0", 32) + "1PsMMM", gatehouse.CredentialMalformed},
		{"ours, another prefix", "acne_a0Zz1234abcd_" + x("0", 32) + "1PsMMM", gatehouse.CredentialMalformed},
		{"base58 of our lengths", "acme_a0Zz1234abcd_" + x("1", 38), gatehouse.CredentialPresent},
		{"another length of short", "acme_a0Zz1234abc_" + x("0", 38), gatehouse.CredentialPresent},
		{"another length of long", "acme_a0Zz1234abcd_" + x("0", 37), gatehouse.CredentialPresent},
		{"another form of prefix", "Acme_a0Zz1234abcd_" + x("0", 38), gatehouse.CredentialPresent},
	} {
		if _, p := scheme().Extract(header("X-Api-Key", row.token)); p != row.want {
			t.Errorf("%s: Extract = %v, want %v", row.name, p, row.want)
		}
	}
	for range 1000 {
		k, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "acme", ShortPrefix: "0OIl", ShortLen: 12, LongLen: 38})
		if err != nil {
			t.Fatal(err)
		}
		if _, p := scheme().Extract(header("X-Api-Key", k.Reveal())); p != gatehouse.CredentialPresent {
			t.Fatal("a port's key of our lengths is refused")
		}
		m, err := scheme().Mint("", "acme")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.ContainsAny(m.Secret.Reveal(), "0OIl") {
			t.Fatal("a token of ours could be a port's")
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("acme_a0Zz1234abcd_" + strings.Repeat("0", 32) + "1PsMMM")
	f.Add("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG")
	f.Add("my_co_a_b")
	f.Fuzz(func(t *testing.T, text string) {
		c, p := scheme().Extract(header("X-Api-Key", text))
		if p == gatehouse.CredentialPresent && c.Prefix+"_"+c.KeyID+"_"+c.Proof != text {
			t.Error("the parts are not the token")
		}
		if p != gatehouse.CredentialPresent && (p != gatehouse.CredentialMalformed || c.KeyID+c.Prefix+c.Proof != "") {
			t.Errorf("Extract = %v with a credential", p)
		}
	})
}
