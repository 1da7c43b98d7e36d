// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

// sound is a set of claims that verifies at start.
func sound() jwt.MapClaims {
	return jwt.MapClaims{
		"iat": start.Unix(), "exp": start.Unix() + 3600, "sub": "session", "iss": "barong",
		"aud": []string{"peatio", "barong"}, "jti": "0123456789abcdef0123", "uid": "ID0123456789",
	}
}

// signed signs claims with the test's own hands.
func signed(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestVerifyBarongReadsWhatWasMinted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	got, err := k.VerifyBarong(t.Context(), mint(t, h.minter(k, assertion.Barong), keySubject()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ID) != 20 {
		t.Errorf("jti %q", got.ID)
	}
	at := start.Truncate(time.Second)
	want := assertion.BarongClaims{
		UID: "ID0123456789", Username: "alice", Email: "a<b>&c@example.com", Role: "member", Level: 3, State: "active",
		ID: got.ID, IssuedAt: at, Expires: at.Add(time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerifyBarongClaims(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	now := start.Unix()
	for name, tc := range map[string]struct {
		change func(c jwt.MapClaims)
		want   error
	}{
		"sound":                 {func(jwt.MapClaims) {}, nil},
		"aud as one string":     {func(c jwt.MapClaims) { c["aud"] = "barong" }, nil},
		"iat ahead, in leeway":  {func(c jwt.MapClaims) { c["iat"] = now + 5 }, nil},
		"iat ahead":             {func(c jwt.MapClaims) { c["iat"] = now + 6 }, assertion.ErrClaims},
		"no iat":                {func(c jwt.MapClaims) { delete(c, "iat") }, assertion.ErrClaims},
		"nbf past":              {func(c jwt.MapClaims) { c["nbf"] = now }, nil},
		"nbf ahead":             {func(c jwt.MapClaims) { c["nbf"] = now + 6 }, assertion.ErrClaims},
		"exp next second":       {func(c jwt.MapClaims) { c["exp"] = now + 1 }, nil},
		"exp now":               {func(c jwt.MapClaims) { c["exp"] = now }, assertion.ErrExpired},
		"exp long past":         {func(c jwt.MapClaims) { c["exp"] = now - 3600 }, assertion.ErrExpired},
		"expired and otherwise": {func(c jwt.MapClaims) { c["exp"], c["sub"] = now-3600, "reset" }, assertion.ErrExpired},
		"no exp":                {func(c jwt.MapClaims) { delete(c, "exp") }, assertion.ErrClaims},
		"exp is null":           {func(c jwt.MapClaims) { c["exp"] = nil }, assertion.ErrClaims},
		"exp is text":           {func(c jwt.MapClaims) { c["exp"] = "never" }, assertion.ErrSignature}, // nothing that we sign
		"no jti":                {func(c jwt.MapClaims) { delete(c, "jti") }, assertion.ErrClaims},
		"no sub":                {func(c jwt.MapClaims) { delete(c, "sub") }, assertion.ErrClaims},
		"other sub":             {func(c jwt.MapClaims) { c["sub"] = "reset" }, assertion.ErrClaims},
		"no iss":                {func(c jwt.MapClaims) { delete(c, "iss") }, assertion.ErrClaims},
		"other iss":             {func(c jwt.MapClaims) { c["iss"] = "Barong" }, assertion.ErrClaims},
		"no aud":                {func(c jwt.MapClaims) { delete(c, "aud") }, assertion.ErrClaims},
		"other aud":             {func(c jwt.MapClaims) { c["aud"] = []string{"peatio"} }, assertion.ErrClaims},
		"no uid":                {func(c jwt.MapClaims) { delete(c, "uid") }, assertion.ErrClaims},
	} {
		c := sound()
		tc.change(c)
		token := signed(t, jwt.SigningMethodRS256, ourRSA(), c)
		got, err := k.VerifyBarong(t.Context(), token)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if err != nil && (!errors.Is(err, assertion.ErrInvalidToken) || got != assertion.BarongClaims{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestVerifyRefusesForgeries(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	public, err := x509.MarshalPKIXPublicKey(&ourRSA().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := signed(t, jwt.SigningMethodRS256, ourRSA(), sound())
	parts := strings.Split(good, ".")
	other := sound()
	other["uid"] = "ID9999999999"
	otherParts := strings.Split(signed(t, jwt.SigningMethodRS256, ourRSA(), other), ".")
	none := signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, sound())
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	embedded := jwt.NewWithClaims(jwt.SigningMethodRS256, sound())
	jwk := map[string]any{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(otherRSA().N.Bytes())}
	embedded.Header["jwk"] = jwk
	withJWK, err := embedded.SignedString(otherRSA())
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		token string
		want  error
	}{
		"nothing":                    {"", assertion.ErrMalformed},
		"a word":                     {"hello", assertion.ErrMalformed},
		"two segments":               {parts[0] + "." + parts[1], assertion.ErrMalformed},
		"four segments":              {good + "." + parts[2], assertion.ErrMalformed},
		"too long":                   {good + strings.Repeat("A", 8<<10), assertion.ErrMalformed},
		"none":                       {none, assertion.ErrMalformed},
		"none with a signature":      {none + parts[2], assertion.ErrAlgorithm},
		"None with a signature":      {header(`{"alg":"None"}`) + "." + parts[1] + "." + parts[2], assertion.ErrAlgorithm},
		"no alg":                     {header(`{}`) + "." + parts[1] + "." + parts[2], assertion.ErrAlgorithm},
		"null header":                {header(`null`) + "." + parts[1] + "." + parts[2], assertion.ErrAlgorithm},
		"HS256 with the public PEM":  {signed(t, jwt.SigningMethodHS256, publicPEM, sound()), assertion.ErrAlgorithm},
		"HS256 with the public DER":  {signed(t, jwt.SigningMethodHS256, public, sound()), assertion.ErrAlgorithm},
		"ES256":                      {signed(t, jwt.SigningMethodES256, ec, sound()), assertion.ErrAlgorithm},
		"RS512 with our key":         {signed(t, jwt.SigningMethodRS512, ourRSA(), sound()), assertion.ErrAlgorithm},
		"PS256 with our key":         {signed(t, jwt.SigningMethodPS256, ourRSA(), sound()), assertion.ErrAlgorithm},
		"another RSA key":            {signed(t, jwt.SigningMethodRS256, otherRSA(), sound()), assertion.ErrSignature},
		"a key in the header":        {withJWK, assertion.ErrSignature},
		"claims of another token":    {parts[0] + "." + otherParts[1] + "." + parts[2], assertion.ErrSignature},
		"a changed header":           {header(`{"alg":"RS256"} `) + "." + parts[1] + "." + parts[2], assertion.ErrSignature},
		"a cut signature":            {good[:len(good)-1], assertion.ErrSignature},
		"a padded signature":         {good + "==", assertion.ErrSignature},
		"another spelling of it":     {respelled(good), assertion.ErrSignature},
		"a header that is no base64": {"!." + parts[1] + "." + parts[2], assertion.ErrEncoding},
		"a header that is no JSON":   {header(`{`) + "." + parts[1] + "." + parts[2], assertion.ErrEncoding},
		"three letters":              {"a.b.c", assertion.ErrEncoding},
		"only the header":            {parts[0] + ".b.c", assertion.ErrSignature},
		"a header without RS256":     {header(`{"alg":"HS256"}`) + ".b.c", assertion.ErrAlgorithm},
		"claims that are no JSON":    {parts[0] + "." + header(`[`) + "." + parts[2], assertion.ErrSignature},
		"null claims":                {parts[0] + "." + header(`null`) + "." + parts[2], assertion.ErrSignature},
		"white space":                {" " + good, assertion.ErrEncoding},
	} {
		got, err := k.VerifyBarong(t.Context(), tc.token)
		if !errors.Is(err, tc.want) || !errors.Is(err, assertion.ErrInvalidToken) || got != (assertion.BarongClaims{}) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, tc.want)
		}
		for part := range strings.SplitSeq(tc.token, ".") {
			if len(part) > 3 && err != nil && strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error holds a part of the token", name)
			}
		}
	}
	if _, err := k.VerifyBarong(t.Context(), good); err != nil {
		t.Errorf("the token the forgeries are made of: %v", err)
	}
	// Claims that null signed by us makes no one.
	null := jwt.NewWithClaims(jwt.SigningMethodRS256, nil)
	token, err := null.SignedString(ourRSA())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.VerifyBarong(t.Context(), token); !errors.Is(err, assertion.ErrClaims) {
		t.Errorf("null claims signed by us: %v", err)
	}
}

// respelled sets the unused bits of the last base64 character: the same bytes, another
// text.
func respelled(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	i := strings.IndexByte(alphabet, token[last])
	return token[:last] + string(alphabet[i|1])
}

func TestNoRSAKeyVerifiesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	token := signed(t, jwt.SigningMethodRS256, ourRSA(), sound())
	if _, err := k.VerifyBarong(t.Context(), token); !errors.Is(err, assertion.ErrSignature) {
		t.Error(err)
	}
}

func TestPurposeTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	in := assertion.PurposeClaims{Email: "a&b@example.com", UID: "ID0123456789", ResetToken: "00112233445566778899", ID: "ignored"}
	token, _, err := k.SignPurpose(t.Context(), "reset", in, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.VerifyPurpose(t.Context(), "reset", token)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ID) != 20 {
		t.Errorf("jti %q", got.ID)
	}
	want := in
	want.ID = got.ID
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	header, claims := segments(t, token)
	at := int(start.Unix())
	wire := `{"iat":` + strconv.Itoa(at) + `,"exp":` + strconv.Itoa(at+600) + `,"sub":"reset","iss":"barong","aud":["peatio","barong"],"jti":"` + got.ID +
		`","email":"a&b@example.com","uid":"ID0123456789","reset_token":"00112233445566778899"}`
	if header != `{"alg":"RS256"}` || claims != wire {
		t.Errorf("%s %s\nwant %s", header, claims, wire)
	}

	// Without a reset token there is no such claim; the life defaults to an hour.
	confirmation, _, err := k.SignPurpose(t.Context(), "confirmation", assertion.PurposeClaims{Email: "a@example.com", UID: "ID1"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims = segments(t, confirmation); !strings.HasSuffix(claims, `"email":"a@example.com","uid":"ID1"}`) || !strings.Contains(claims, `"exp":`+strconv.Itoa(at+3600)) {
		t.Error(claims)
	}
}

func TestPurposeTokensAreForOnePurpose(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	reset, _, err := k.SignPurpose(t.Context(), "reset", assertion.PurposeClaims{Email: "a@example.com", UID: "ID1"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	session := mint(t, h.minter(k, assertion.Barong), keySubject())
	for name, token := range map[string]string{"reset": reset, "session": session} {
		if got, err := k.VerifyPurpose(t.Context(), "confirmation", token); !errors.Is(err, assertion.ErrClaims) || got != (assertion.PurposeClaims{}) {
			t.Errorf("%s token as confirmation: %+v, %v", name, got, err)
		}
	}
	if _, err := k.VerifyBarong(t.Context(), reset); !errors.Is(err, assertion.ErrClaims) {
		t.Errorf("reset token as session: %v", err)
	}
	h.clock.add(time.Minute - 251*time.Millisecond)
	if _, err := k.VerifyPurpose(t.Context(), "reset", reset); err != nil {
		t.Errorf("in its last millisecond: %v", err)
	}
	h.clock.add(time.Millisecond)
	if _, err := k.VerifyPurpose(t.Context(), "reset", reset); !errors.Is(err, assertion.ErrExpired) {
		t.Errorf("at its end: %v", err)
	}

	for _, purpose := range []string{"", "session"} {
		var invalid *gatehouse.InvalidError
		if _, _, err := k.SignPurpose(t.Context(), purpose, assertion.PurposeClaims{}, 0); !errors.As(err, &invalid) || invalid.Field != "purpose" {
			t.Errorf("sign for %q: %v", purpose, err)
		}
		if _, err := k.VerifyPurpose(t.Context(), purpose, session); !errors.As(err, &invalid) || invalid.Field != "purpose" {
			t.Errorf("verify for %q: %v", purpose, err)
		}
	}
	var invalid *gatehouse.InvalidError
	for _, life := range []time.Duration{-time.Hour, time.Millisecond} {
		if _, _, err := k.SignPurpose(t.Context(), "reset", assertion.PurposeClaims{}, life); !errors.As(err, &invalid) || invalid.Field != "life" {
			t.Errorf("a life of %v: %v", life, err)
		}
	}
}

func FuzzVerifyBarong(f *testing.F) {
	h := newHouse(f)
	k := h.rsaKeys(f)
	good := signed(f, jwt.SigningMethodRS256, ourRSA(), sound())
	f.Add(good)
	f.Add(signed(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, maps.Clone(sound())))
	f.Add("a.b.c")
	f.Add("..")
	f.Add("bnVsbA.bnVsbA.bnVsbA")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := k.VerifyBarong(t.Context(), token)
		if err == nil && token != good {
			t.Fatalf("accepted a token nobody signed: %q", token)
		}
		if err != nil && (!errors.Is(err, assertion.ErrInvalidToken) || got != assertion.BarongClaims{}) {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}
