// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	fileHeader  = "gatehouse-keyring 1"
	fileWarning = "# Secret. Without this file no sealed secret opens: keep a copy, apart from the database's backups."

	rankPrimary = "primary"
	rankActive  = "active"

	timeLayout = "2006-01-02T15:04:05Z"
)

// text writes the keys as the file holds them.
func (l keys) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", fileHeader, fileWarning)
	for _, kind := range kinds {
		for i := range l {
			if e := &l[i]; e.kind == kind.name {
				fmt.Fprintln(&b, e.kind, e.id, e.algorithm, e.created.Format(timeLayout), e.rank(), e.word())
			}
		}
	}
	return b.Bytes()
}

func (e *entry) rank() string {
	if e.primary {
		return rankPrimary
	}
	return rankActive
}

// word is the last word of the line.
func (e *entry) word() string {
	if e.source != "" {
		return e.source
	}
	return base64.StdEncoding.EncodeToString(e.key)
}

// parseKeys reads what text writes. It reads no other file: keys that are elsewhere are
// nil. Its errors are one line and name places in the file, never what stands there.
func parseKeys(text []byte) (keys, error) {
	header, rest, _ := strings.Cut(string(text), "\n")
	if strings.TrimSpace(header) != fileHeader {
		return nil, errors.New(`line 1: not "` + fileHeader + `"`)
	}
	var l keys
	n := 1
	for line := range strings.Lines(rest) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := parseEntry(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if l.first(func(o *entry) bool { return o.id == e.id }) != nil {
			return nil, fmt.Errorf("line %d: an earlier line has the same id", n)
		}
		l = append(l, e)
	}
	if err := l.complete(); err != nil {
		return nil, err
	}
	return l, nil
}

func parseEntry(line string) (entry, error) {
	words := strings.Fields(line)
	if len(words) != 6 {
		return entry{}, errors.New("not six words: kind, id, algorithm, created, rank, key")
	}
	e := entry{kind: words[0], id: words[1], algorithm: words[2], primary: words[4] == rankPrimary}
	algorithms := algorithmsOf(e.kind)
	if algorithms == nil {
		return entry{}, errors.New("unknown kind of key")
	}
	if !validID(e.id) {
		return entry{}, errors.New(idForm)
	}
	if !slices.Contains(algorithms, e.algorithm) {
		return entry{}, errors.New("unknown algorithm for this kind of key")
	}
	var err error
	if e.created, err = time.Parse(timeLayout, words[3]); err != nil {
		return entry{}, errors.New("created is not a UTC time such as 2026-01-31T12:00:00Z")
	}
	if !e.primary && words[4] != rankActive {
		return entry{}, errors.New("rank is neither primary nor active")
	}
	if strings.Contains(words[5], ":") { // no base64 has one
		e.source = words[5]
		return e, e.checkSource()
	}
	if e.algorithm == algorithmVault {
		return entry{}, errVaultSource
	}
	if e.key, err = base64.StdEncoding.Strict().DecodeString(words[5]); err != nil || len(e.key) != keySize {
		return entry{}, errors.New("key is not 32 bytes in base64")
	}
	return e, nil
}

// complete reports what the keyring as a whole lacks.
func (l keys) complete() error {
	for _, kind := range kinds {
		all, primary := 0, 0
		for _, e := range l {
			if e.kind == kind.name {
				all++
				if e.primary {
					primary++
				}
			}
		}
		if primary != 1 {
			return fmt.Errorf("%d primary keys of kind %s, not one", primary, kind.name)
		}
		if kind.name == kindRoot && all != 1 {
			return fmt.Errorf("%d root keys, not one", all)
		}
	}
	return nil
}

const idForm = "an id is 1 to 32 of a-z, 0-9, - and _"

func validID(id string) bool {
	return id != "" && len(id) <= 32 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// randomID returns an id of 60 random bits.
func randomID() string { return strings.ToLower(rand.Text()[:12]) }
