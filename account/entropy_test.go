// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"strings"
	"testing"
)

// Worked out by hand from the rules: 4, then seven of 2, twelve of 1.5, then 1, a
// repeated character times 0.75, and the bonus.
func TestEntropy(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		password   string
		dictionary bool
		want       float64
	}{
		{"", false, -2},
		{"a", false, 4 - 2},
		{"password", false, 17.5 - 2},
		{"password", true, 4 - 2},               // *
		{"PASSWORD", true, 4 - 2},               // found in lower case
		{"p@$$w0rd", true, 4 - 2},               // leet
		{"we1come", true, 4 - 2},                // 1 for l
		{"f1shing", true, 4 - 2},                // 1 for i
		{"0qww294e", true, 4 - 2},               // password, one row up to the left
		{"e492wwq0", true, 4 - 2},               // and backwards
		{"drowssap", true, 17.5 - 0.5 - 2},      // moved down it reads xdkazzal; only moved and leet forms are reversed
		{"passwordmonkey", true, 4 + 6*2 - 2},   // one word only: *monkey
		{"password123", true, 4 - 2},            // the longest
		{"Tecohvi0", true, 4 + 6*2 + 1.5 - 2},   // tecohvio: a second o
		{"ZahSh8ei", true, 4 + 6*2 + 1.5 - 2},   // a second h
		{"Oo213Wqw", true, 4 + 4*2 + 3*1.5 - 2}, // moved down kkq1waqa: k, q and a again
		{"Xq7#Lm2!vR", false, 4 + 7*2 + 2*1.5 - 2},
		{"ab cd ef gh", false, 4 + 7*2 - 0.5 + 0.84375 + 3 + 1},         // the third space 0.75², and four words
		{"qjxmzkvbpygfwculdrhsnioate", false, 4 + 7*2 + 12*1.5 + 6 - 2}, // every letter once
		// Keyboard runs become '*', and a second '*' is a repeated character.
		{"qwertyuio", false, 4 + 2*0.75 - 2},
		{"oiuytrewq", false, 4 + 2*0.75 - 2},
		{"1234567", false, 4 + 2 - 2 - 2},
		{"zxcvbnm", false, 4 + 2 - 2},
		{"lkjhgfd", false, 4 + 2 - 2},
		{"mnopqrst", false, 4 + 2*2 - 2},                // *st
		{"1qaz2wsx", false, 4 + 2 + 2 + 2*0.75 - 2 - 2}, // 1*2*
		{"0okm9ijn", false, 4 + 2 + 2 + 2*0.75 - 2 - 2}, // 0*9*
		{"qazwsx", false, 4 - 2},
		{"plmokn", false, 4 + 5*2 - 2}, // no run
		{"7894561", false, 4 + 2 - 2 - 2},
		{"жжжж", false, 4 + 1.5 + 1.125 + 0.84375 - 2},
	} {
		if got := Entropy(v.password, v.dictionary); got != v.want {
			t.Errorf("%q: %v, want %v", v.password, got, v.want)
		}
	}
}

func TestBonusBits(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]float64{
		"aB1!":       6 - 2,
		"aB!":        5 - 2,
		"aB1":        -2,
		"a1!":        -2,
		"A1!":        -2,
		"1!":         -2 - 2,
		"12":         -6 - 2,
		"!?":         -2,
		"ab":         -2,
		"aB1! x":     6,
		"1 2":        -6,
		"1 2 3 4":    -6 + 1,
		"a b c d":    1,
		"a b c":      0,
		" a  b c ":   0,
		"a\tb c d e": 1,
		"é":          -2, // a small letter and something other
		"éE1":        6 - 2,
	} {
		if got := bonusBits(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestEntropyLooksAtTheFirstThousand(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ж", 1_000_000)
	if got, want := Entropy(long, true), Entropy(long[:2*entropyRunes], true); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	words := strings.Split(strings.TrimSuffix(wordsText, "\n"), "\n")
	if len(words) < 300 || !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) {
		t.Errorf("%d words, sorted: %v", len(words), slices.IsSorted(words))
	}
	for _, word := range words {
		bare := without(word, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' })
		if len(word) < shortestWord || bare != "" {
			t.Errorf("%q", word)
		}
		if got := Entropy(word, true); got > 4-2 {
			t.Errorf("%q has %v bits", word, got)
		}
	}
}

func FuzzEntropy(f *testing.F) {
	f.Add("Tecohvi0")
	f.Add("P@ssw0rd qwerty\xff ж")
	f.Fuzz(func(t *testing.T, password string) {
		plain, with := Entropy(password, false), Entropy(password, true)
		if with > plain || with < 4-6-2 { // a single digit
			t.Errorf("%q: %v bits, %v with the dictionary", password, plain, with)
		}
	})
}

func BenchmarkEntropy(b *testing.B) {
	for b.Loop() {
		Entropy("correct Horse battery Staple 7", true)
	}
}
