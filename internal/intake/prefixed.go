// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"
)

// Prefixed is a file of prefixed API keys (prefix_short_long), as its four libraries
// leave it to an application to keep them: the long token is known by its hash only.
//
// It is CSV with a header, or JSON Lines if it begins with "{": one object a line. The
// columns prefix, short_token, hash (hexadecimal), owner and scopes (separated by
// spaces, in JSON a list) must be there; name, hash_algorithm, created and expires
// (RFC 3339) may be. Without hash_algorithm the length of the hash tells SHA-256,
// SHA-384 and SHA-512; SHA-224 and the truncated forms of SHA-512 have to be named.
//
// [OpenPrefixed] makes it; the zero value is not usable. One goroutine at a time.
type Prefixed struct{ file io.ReadSeekCloser }

// OpenPrefixed opens a file for reading. *fs.PathError.
func OpenPrefixed(path string) (*Prefixed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &Prefixed{file: f}, nil
}

// Close closes the file.
func (p *Prefixed) Close() error { return p.file.Close() }

// Count returns how many rows [Prefixed.Rows] yields. It reads the whole file.
func (p *Prefixed) Count(ctx context.Context) (int, error) {
	n := 0
	for _, err := range p.Rows(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Rows yields the keys in the order of the file, from its beginning. An error, as for a
// header with an unknown column, ends it and comes with a zero row.
func (p *Prefixed) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		next, err := p.open()
		seen := map[string]int{}
		for err == nil {
			if err = ctx.Err(); err != nil {
				break
			}
			var e entry
			if err = next(&e); err == nil && !yield(e.row(seen), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(Row{}, fmt.Errorf("read keys: %w", err))
		}
	}
}

// open goes to the beginning of the file and returns what reads its entries, until
// io.EOF.
func (p *Prefixed) open() (next func(*entry) error, err error) {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, isJSON, err := peek(p.file)
	if err != nil {
		return nil, err
	}
	if isJSON {
		return jsonLines(text), nil
	}
	return csvLines(text)
}

// entry is one key as the file has it. Fields that are not there are empty.
type entry struct {
	Prefix        string    `json:"prefix"`
	ShortToken    string    `json:"short_token"`
	Hash          string    `json:"hash"`
	HashAlgorithm string    `json:"hash_algorithm"`
	Owner         string    `json:"owner"`
	Scopes        scopeList `json:"scopes"` // nil: not there
	Name          string    `json:"name"`
	Created       string    `json:"created"`
	Expires       string    `json:"expires"`

	line    int    // where it begins, from 1
	problem string // why it could not be read; the fields are empty then
}

// row checks an entry; seen holds the lines of the short tokens before it.
func (e *entry) row(seen map[string]int) Row {
	row := Row{
		Source: fmt.Sprintf("line %d", e.line), Owner: Owner{ExternalID: e.Owner},
		Name: e.Name, Prefix: e.Prefix, KeyID: e.ShortToken, Scopes: e.Scopes, Problem: e.problem,
	}
	if e.problem != "" {
		return row
	}
	var found problems
	found.owner(&row.Owner)
	found.name(e.Name)
	if len(e.Prefix) > maxID || !isPrintable(e.Prefix) {
		found.add("prefix", "not 1 to 128 printable ASCII characters without space")
	}
	if first, twice := seen[e.ShortToken]; !isShort(e.ShortToken) {
		found.add("short_token", "not 1 to 64 letters and digits")
	} else if twice {
		found.add("short_token", fmt.Sprintf("the same as in line %d", first))
	} else {
		seen[e.ShortToken] = e.line
	}
	if e.Owner == "" {
		found.err("owner", errMissing)
	}
	if e.Scopes == nil {
		found.err("scopes", errMissing)
	}
	found.scopes(e.Scopes)
	var err error
	row.Hash, row.HashName, err = readHash(e.Hash, e.HashAlgorithm)
	found.err("hash", err)
	row.Created, err = readTime(e.Created)
	found.err("created", err)
	row.Expires, err = readTime(e.Expires)
	found.err("expires", err)
	row.Problem = found.String()
	return row
}

// hashes are the functions of FIPS 180-4 from SHA-224 on, and their sizes in bytes.
var hashes = []struct {
	name    string
	size    int
	implied bool // by the size
}{
	{"sha-224", 28, false},
	{"sha-256", 32, true},
	{"sha-384", 48, true},
	{"sha-512", 64, true},
	{"sha-512-224", 28, false},
	{"sha-512-256", 32, false},
}

// plainName takes case and separators from the name of a hash: SHA512_256, sha-512/256.
func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "", "/", "").Replace(strings.ToLower(name))
}

// readHash decodes a hash. Without an algorithm its size tells which it is of.
func readHash(digits, algorithm string) (sum []byte, name string, err error) {
	sum, err = hex.DecodeString(digits)
	if err != nil {
		return nil, "", errors.New("not hexadecimal") // the decoder's error quotes the text
	}
	known := false
	for _, h := range hashes {
		asked := algorithm != "" && plainName(algorithm) == plainName(h.name)
		known = known || asked
		if h.size == len(sum) && (asked || algorithm == "" && h.implied) {
			return sum, h.name, nil
		}
	}
	switch {
	case known:
		return nil, "", errors.New("not of the length of its algorithm")
	case algorithm != "":
		return nil, "", errors.New("its algorithm is none of SHA-2")
	case len(sum) == 28:
		return nil, "", errors.New("its length does not tell SHA-224 from SHA-512/224: hash_algorithm has to")
	}
	return nil, "", errors.New("its length is that of no SHA-2")
}

func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("not a time of RFC 3339")
	}
	return t.UTC(), nil
}

// isShort reports whether a text can be a short token. An underscore would be taken for
// the end of it.
func isShort(s string) bool { return len(s) <= 64 && isTitle(s) && !strings.Contains(s, "_") }

func isPrintable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// scopeList is scopes as a list, or as one text in which spaces part them.
type scopeList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *scopeList) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*l = append(scopeList{}, strings.Fields(text)...)
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return errors.New("scopes are neither a list nor a text")
	}
	*l = list
	return nil
}
