// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const keySize = 32 // bytes of every key in a keyring, and of a data key

// Keyring holds the keys that must never be in the database. It is made by
// [LoadKeyring], [CreateKeyring] or [LoadOrCreateKeyring] and does not change; it is
// safe for concurrent use. The zero value holds no key, and nothing can be sealed or
// derived with it. A Keyring prints as "[keyring]".
//
// In it are KEKs, which wrap data keys; peppers, which key the digests of bearer
// secrets; and one root key, from which [Keyring.Derive] makes keys for everything
// else. One KEK and one pepper are primary: new things are made with them. The others
// still open and check what was made before.
//
// # File
//
// A keyring is a text file. The first line is "gatehouse-keyring 1". Lines that are
// empty or begin with "#" say nothing. Each other line is one key, six words:
//
//	kind    id        algorithm     created               rank     key
//	kek     3kq7zt0m  aes-256-gcm   2026-01-31T12:00:00Z  primary  base64 of 32 bytes
//	pepper  ...       hmac-sha-256  ...                   primary  ...
//	root    ...       hkdf-sha-256  ...                   primary  ...
//
// id is 1 to 32 of a-z, 0-9, "-" and "_", and unique in the file. created is a time of
// RFC 3339 in UTC. rank is "primary" or "active". The key is standard base64 with padding
// (RFC 4648 section 4). Of each kind exactly one key is primary; there is one root.
type Keyring struct {
	entries []entry
}

// entry is one line of the file.
type entry struct {
	kind    string
	id      string
	created time.Time // UTC; the file keeps whole seconds
	primary bool
	key     []byte // keySize bytes
}

const (
	kindKEK    = "kek"
	kindPepper = "pepper"
	kindRoot   = "root"
)

// kinds are the kinds of key in the order in which they are written, each with its
// only algorithm so far.
var kinds = []struct{ name, algorithm string }{
	{kindKEK, "aes-256-gcm"},
	{kindPepper, "hmac-sha-256"},
	{kindRoot, "hkdf-sha-256"},
}

const (
	fileHeader  = "gatehouse-keyring 1"
	fileWarning = "# Secret. Without this file no sealed secret opens: keep a copy, apart from the database's backups."

	rankPrimary = "primary"
	rankActive  = "active"

	timeLayout = "2006-01-02T15:04:05Z"
)

// PrimaryPepper returns the pepper that new digests are made with. The caller owns
// key, which is 32 bytes. It panics on a zero Keyring: a digest without a pepper must
// not come about by mistake.
func (k *Keyring) PrimaryPepper() (id string, key []byte) {
	e := k.primary(kindPepper)
	if e == nil {
		panic("seal: PrimaryPepper needs a loaded keyring")
	}
	return e.id, slices.Clone(e.key)
}

// PepperByID returns the pepper with this id, primary or not. The caller owns key,
// which is 32 bytes; ok is false when there is no such pepper.
func (k *Keyring) PepperByID(id string) (key []byte, ok bool) {
	e := k.byID(kindPepper, id)
	if e == nil {
		return nil, false
	}
	return slices.Clone(e.key), true
}

// Derive returns a key of 32 bytes for purpose: HKDF-SHA-256 (RFC 5869) of the root
// key, without salt, info "gatehouse/derive/v1/" + purpose. It is the same for as long as
// the root is: a new primary KEK or pepper does not change it. It panics on a zero
// Keyring, whose keys everyone could derive, and on an empty purpose.
func (k *Keyring) Derive(purpose string) []byte {
	root := k.primary(kindRoot)
	if root == nil || purpose == "" {
		panic("seal: Derive needs a loaded keyring and a purpose")
	}
	key, err := hkdf.Key(sha256.New, root.key, nil, "gatehouse/derive/v1/"+purpose, keySize)
	if err != nil {
		panic("seal: derive key: " + err.Error())
	}
	return key
}

// Format writes "[keyring]" for every verb. It implements [fmt.Formatter].
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[keyring]") }

func (k *Keyring) primary(kind string) *entry {
	return k.first(func(e *entry) bool { return e.kind == kind && e.primary })
}

func (k *Keyring) byID(kind, id string) *entry {
	return k.first(func(e *entry) bool { return e.kind == kind && e.id == id })
}

func (k *Keyring) first(is func(*entry) bool) *entry {
	for i := range k.entries {
		if is(&k.entries[i]) {
			return &k.entries[i]
		}
	}
	return nil
}

// newKeyring makes a keyring with one fresh key of each kind.
func newKeyring(now time.Time) *Keyring {
	k := &Keyring{}
	for _, kind := range kinds {
		k.entries = append(k.entries, entry{
			kind:    kind.name,
			id:      strings.ToLower(rand.Text()[:12]), // 60 bits
			created: now.UTC().Truncate(time.Second),
			primary: true,
			key:     randomBytes(keySize),
		})
	}
	return k
}

// text writes the keyring as the file holds it.
func (k *Keyring) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", fileHeader, fileWarning)
	for _, kind := range kinds {
		for _, e := range k.entries {
			if e.kind != kind.name {
				continue
			}
			rank := rankActive
			if e.primary {
				rank = rankPrimary
			}
			fmt.Fprintln(&b, e.kind, e.id, kind.algorithm, e.created.Format(timeLayout), rank, base64.StdEncoding.EncodeToString(e.key))
		}
	}
	return b.Bytes()
}

// parseKeyring reads what text writes. Its errors are one line and name places in the
// file, never what stands there.
func parseKeyring(text []byte) (*Keyring, error) {
	header, rest, _ := strings.Cut(string(text), "\n")
	if strings.TrimSpace(header) != fileHeader {
		return nil, errors.New(`line 1: not "` + fileHeader + `"`)
	}
	k := &Keyring{}
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
		if k.first(func(o *entry) bool { return o.id == e.id }) != nil {
			return nil, fmt.Errorf("line %d: an earlier line has the same id", n)
		}
		k.entries = append(k.entries, e)
	}
	if err := k.complete(); err != nil {
		return nil, err
	}
	return k, nil
}

func parseEntry(line string) (entry, error) {
	words := strings.Fields(line)
	if len(words) != 6 {
		return entry{}, errors.New("not six words: kind, id, algorithm, created, rank, key")
	}
	e := entry{kind: words[0], id: words[1], primary: words[4] == rankPrimary}
	i := slices.IndexFunc(kinds, func(k struct{ name, algorithm string }) bool { return k.name == e.kind })
	if i < 0 {
		return entry{}, errors.New("unknown kind of key")
	}
	if !validID(e.id) {
		return entry{}, errors.New("an id is 1 to 32 of a-z, 0-9, - and _")
	}
	if words[2] != kinds[i].algorithm {
		return entry{}, errors.New("unknown algorithm for this kind of key")
	}
	var err error
	if e.created, err = time.Parse(timeLayout, words[3]); err != nil {
		return entry{}, errors.New("created is not a UTC time such as 2026-01-31T12:00:00Z")
	}
	if !e.primary && words[4] != rankActive {
		return entry{}, errors.New("rank is neither primary nor active")
	}
	if e.key, err = base64.StdEncoding.Strict().DecodeString(words[5]); err != nil || len(e.key) != keySize {
		return entry{}, errors.New("key is not 32 bytes in base64")
	}
	return e, nil
}

// complete reports what the keyring as a whole lacks.
func (k *Keyring) complete() error {
	for _, kind := range kinds {
		all, primary := 0, 0
		for _, e := range k.entries {
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

func validID(id string) bool {
	return id != "" && len(id) <= 32 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// randomBytes returns n bytes of the system's randomness.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead (Go 1.24)
	return b
}
