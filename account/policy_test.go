// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func compile(t testing.TB, p PasswordPolicy) *CompiledPolicy {
	t.Helper()
	c, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckDefaultPolicy(t *testing.T) {
	t.Parallel()
	type problems = []PasswordProblem
	c := compile(t, DefaultPasswordPolicy())
	for _, v := range []struct {
		password string
		want     problems
	}{
		{"Tecohvi0", nil},
		{"ZahSh8ei", nil},
		{"Oo213Wqw", nil},
		{"Mein Paßwort 7", nil},
		{"Пароль1Ъ", nil}, // capitals and small letters of any alphabet
		{"", problems{PasswordRequirements}},
		{"Tecoh0", problems{PasswordRequirements}},     // short
		{"tecohvi0", problems{PasswordRequirements}},   // no capital
		{"TECOHVI0", problems{PasswordRequirements}},   // no small letter
		{"Tecohvio", problems{PasswordRequirements}},   // no digit
		{"Tecohvi0\n", problems{PasswordRequirements}}, // Ruby's $ would let it pass
		{"x\nTecohvi0", problems{PasswordRequirements}},
		{"Tecohvi0\xff", problems{PasswordRequirements}},
		{"Password1", problems{PasswordWeak}},
		{"P@ssw0rd!", problems{PasswordWeak}},
		{"Qwertyuiop1", problems{PasswordWeak}},
		{"Aaaaaaaa1", problems{PasswordWeak}},
		{"password", problems{PasswordRequirements}}, // weak as well, but that is not looked at
		{strings.Repeat("Tecohvi0", 9), nil},         // 72 bytes
		{strings.Repeat("Tecohvi0", 9) + "X", problems{PasswordTooLong}},
		{"Aa1абвгдежзийклмнопрстуфхцчшщъыьэюяѐёђ", problems{PasswordTooLong}}, // 38 characters, 73 bytes
		{strings.Repeat("Tecohvi0", 10) + "X", problems{PasswordTooLong, PasswordRequirements}},
	} {
		if diff := cmp.Diff(v.want, c.Check(v.password)); diff != "" {
			t.Errorf("%q: %s", v.password, diff)
		}
	}
}

func TestCheckReportsWeakBesideTooLong(t *testing.T) {
	t.Parallel()
	c := compile(t, PasswordPolicy{Pattern: ".*", MinEntropy: 1000})
	want := []PasswordProblem{PasswordTooLong, PasswordWeak}
	if diff := cmp.Diff(want, c.Check(strings.Repeat("x", 73))); diff != "" {
		t.Error(diff)
	}
}

func TestCheckWithoutDictionary(t *testing.T) {
	t.Parallel()
	p := DefaultPasswordPolicy()
	p.Dictionary = false
	if problems := compile(t, p).Check("Monkey-Business1"); problems != nil {
		t.Errorf("without the dictionary: %v", problems)
	}
	p.MinEntropy = 0
	if problems := compile(t, p).Check("Aaaaaaaa1"); problems != nil {
		t.Errorf("without a minimum: %v", problems)
	}
}

func TestZeroPolicyDenies(t *testing.T) {
	t.Parallel()
	if _, err := Compile(PasswordPolicy{}); !errors.Is(err, ErrPolicy) {
		t.Errorf("the zero policy: %v", err)
	}
	for _, bits := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := Compile(PasswordPolicy{Pattern: ".*", MinEntropy: bits}); !errors.Is(err, ErrPolicy) {
			t.Errorf("a minimum of %v: %v", bits, err)
		}
	}
	var zero CompiledPolicy
	if diff := cmp.Diff([]PasswordProblem{PasswordRequirements}, zero.Check("Tecohvi0")); diff != "" {
		t.Errorf("the zero compiled policy: %s", diff)
	}
}

func TestRubyPattern(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		DefaultPasswordPolicy().Pattern: `(?-mix:^(?=.*[[:lower:]])(?=.*[[:upper:]])(?=.*[[:digit:]])(?=.*[[:graph:]]).{8,80}$)`,
		`^[a/b]\/.\\/$`:                 `(?-mix:^[a\/b]\/.\\\/$)`,
		`é+`:                            `(?-mix:é+)`,
	} {
		if got := compile(t, PasswordPolicy{Pattern: pattern}).RubyPattern(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
