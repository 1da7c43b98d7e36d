// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// entropyRunes is how many characters of a password [Entropy] looks at. It bounds
// the work that a caller without an account can ask for.
const entropyRunes = 1000

// Entropy estimates the bits of a password as Barong does (strong_password 0.0.9):
// the least of the NIST-style bits of these variants:
//
//   - the password, its lower-case form, and that form reversed;
//   - the lower-case form and its reverse with one keyboard run masked: the first
//     occurrence of every piece of six down to three neighbouring keys becomes a '*';
//   - with dictionary, the lower-case form, its two undone-leet forms and its two
//     moved-one-row-down forms (these two only without a bottom-row character), the
//     last four also reversed, each with its first common word, if any, as a '*'.
//
// The bits are 4 for the first character, 2 for each of the next seven, 1.5 for each
// of the next twelve and 1 for the rest, times 0.75 for each earlier occurrence of
// the character. To them come 6 for upper, lower, digit and other together, 5 for
// these without a digit, -2 for digits and others only, -6 for digits only; and -2
// without a space, or 1 for more than three words. So a very short password may have
// less than none.
//
// Characters are code points; upper, lower and digit go by Unicode; other is neither
// ASCII letter or digit nor space. The words are our own list (words.txt) of at least
// four characters; of those that begin at the same place the longest counts. Only the
// first 1000 characters are looked at.
func Entropy(password string, dictionary bool) float64 {
	if runes := []rune(password); len(runes) > entropyRunes {
		password = string(runes[:entropyRunes])
	}
	lower := strings.ToLower(password)
	bits := min(nistBits(password), nistBits(lower))
	for _, form := range []string{lower, reversed(lower)} {
		bits = min(bits, nistBits(form))
		for _, run := range keyboardRuns() {
			if masked := maskRun(form, run); masked != form {
				bits = min(bits, nistBits(masked))
			}
		}
	}
	if dictionary {
		for _, form := range wordForms(lower) {
			bits = min(bits, nistBits(maskWord(form)))
		}
	}
	return bits
}

func nistBits(s string) float64 {
	const repeat = 0.75
	bits, position := 0.0, 0
	worth := make(map[rune]float64)
	for _, r := range s {
		w, seen := worth[r]
		if !seen {
			w = 1
		}
		worth[r] = w * repeat
		switch {
		case position == 0:
			bits += 4
		case position < 8:
			bits += 2 * w
		case position < 20:
			bits += 1.5 * w
		default:
			bits += w
		}
		position++
	}
	return bits + bonusBits(s)
}

func bonusBits(s string) float64 {
	upper := strings.ContainsFunc(s, unicode.IsUpper)
	lower := strings.ContainsFunc(s, unicode.IsLower)
	digit := strings.ContainsFunc(s, unicode.IsDigit)
	other := strings.ContainsFunc(s, func(r rune) bool {
		return r != ' ' && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
	bonus := 0.0
	switch {
	case upper && lower && digit && other:
		bonus = 6
	case upper && lower && other:
		bonus = 5
	case digit && other && !upper && !lower:
		bonus = -2
	case digit && !other && !upper && !lower:
		bonus = -6
	}
	if !strings.Contains(s, " ") {
		bonus -= 2
	} else if len(strings.Fields(s)) > 3 {
		bonus++
	}
	return bonus
}

func reversed(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

// keyRows is the keyboard: a key's column is its index.
var keyRows = []string{"1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"}

// keyboardRuns returns the sequences a lazy hand types: rows; columns leaning left
// (1qaz 2wsx) and right (0okm 9ijn), each whole, without signs, without digits, and
// without both; the columns and rows of a number pad; the alphabet.
var keyboardRuns = sync.OnceValue(func() []string {
	runs := []string{
		"1234567890-", "qwertyuiop", "asdfghjkl;", "zxcvbnm,./",
		"0147258369", "1470258369", "7894561230", "02580", "/*-+", "abcdefghijklmnopqrstuvwxyz",
	}
	var left, right strings.Builder
	for column := range len(keyRows[0]) {
		for row, keys := range keyRows {
			if column < len(keys) {
				left.WriteByte(keys[column])
			}
			if back := len(keyRows[0]) - 1 - column - row; back >= 0 && back < len(keys) {
				right.WriteByte(keys[back])
			}
		}
	}
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	isSign := func(r rune) bool { return !isDigit(r) && !unicode.IsLetter(r) }
	for _, run := range []string{left.String(), right.String()} {
		runs = append(runs, run, without(run, isSign), without(run, isDigit),
			without(without(run, isSign), isDigit))
	}
	return runs
})

func without(s string, drop func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if drop(r) {
			return -1
		}
		return r
	}, s)
}

// maskRun replaces the first occurrence of each piece of run, the long ones first.
func maskRun(s, run string) string {
	for size := 6; size >= 3; size-- {
		for at := 0; at+size <= len(run); at++ {
			s = strings.Replace(s, run[at:at+size], "*", 1)
		}
	}
	return s
}

// leetSigns stand for the letters below them; 1 stands for i or for l.
const (
	leetSigns   = "@!$1234567890"
	leetLetters = "aisizeasgtbgo"
)

// wordForms returns the forms of a lower-case password in which to look for words.
func wordForms(lower string) []string {
	forms := []string{lower}
	add := func(table func(rune) rune) {
		form := strings.Map(table, lower)
		forms = append(forms, form, reversed(form))
	}
	if !strings.ContainsAny(lower, "zxcvbnm,./<>?") {
		add(func(r rune) rune { return keyBelow(r, 0) })
		add(func(r rune) rune { return keyBelow(r, -1) })
	}
	if strings.ContainsAny(lower, leetSigns) {
		leet := func(r rune) rune {
			if i := strings.IndexRune(leetSigns, r); i >= 0 {
				return rune(leetLetters[i])
			}
			return r
		}
		add(leet)
		add(func(r rune) rune {
			if r == '1' {
				return 'l'
			}
			return leet(r)
		})
	}
	return forms
}

// keyBelow returns the letter one row below r's key, shift columns to the side, or r
// itself where there is no letter.
func keyBelow(r rune, shift int) rune {
	for row, keys := range keyRows[:len(keyRows)-1] {
		column := strings.IndexRune(keys, r)
		if column < 0 {
			continue
		}
		below := keyRows[row+1]
		if at := column + shift; at >= 0 && at < len(below) && unicode.IsLetter(rune(below[at])) {
			return rune(below[at])
		}
	}
	return r
}

//go:embed words.txt
var wordsText string

// commonWords returns the words of words.txt and the length of the longest.
var commonWords = sync.OnceValues(func() (words map[string]bool, longest int) {
	words = make(map[string]bool)
	for word := range strings.FieldsSeq(wordsText) {
		words[word] = true
		longest = max(longest, len(word))
	}
	return words, longest
})

const shortestWord = 4

// maskWord replaces the first common word in s, the longest of those that begin at
// the same place.
func maskWord(s string) string {
	words, longest := commonWords()
	for at := 0; at+shortestWord <= len(s); at++ {
		for size := min(longest, len(s)-at); size >= shortestWord; size-- {
			if words[s[at:at+size]] {
				return s[:at] + "*" + s[at+size:]
			}
		}
	}
	return s
}
