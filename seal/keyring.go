// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const keySize = 32 // bytes of every key in a keyring, and of a data key

// Keyring holds the keys that must never be in the database. It is made by
// [LoadKeyring], [CreateKeyring] or [LoadOrCreateKeyring]; a [Keeper] changes it while
// the process runs, and all copies of it show the change. It is safe for concurrent use.
// The zero value holds no key, and nothing can be sealed or derived with it. A Keyring
// prints as "[keyring]".
//
// In it are KEKs, which wrap data keys; peppers, which key the digests of bearer
// secrets; and one root key, from which [Keyring.Derive] makes keys for everything
// else. One KEK and one pepper are primary: new things are made with them. The others
// still open and check what was made before.
//
// # File
//
// A keyring is a text file. The first line is "gatehouse-keyring 1". Lines that are
// empty or begin with "#" say nothing; a change of the keyring drops them. Each other
// line is one key, six words:
//
//	kind    id        algorithm     created               rank     key
//	kek     3kq7zt0m  aes-256-gcm   2026-01-31T12:00:00Z  primary  base64 of 32 bytes
//	kek     ...       xchacha20-poly1305  ...             active   file:/run/secrets/kek
//	kek     ...       vault-transit ...                   active   vault:transit/gatehouse
//	pepper  ...       hmac-sha-256  ...                   primary  env:/etc/gatehouse.env#PEPPER
//	root    ...       hkdf-sha-256  ...                   primary  ...
//
// id is 1 to 32 of a-z, 0-9, "-" and "_", and unique in the file. created is a time of
// RFC 3339 in UTC. rank is "primary" or "active". The key is standard base64 with padding
// (RFC 4648 section 4), or says where the key is: "file:" and "env:" name a file by its
// absolute path, which must belong to the same user and be closed to all others like the
// keyring itself. The one holds 32 bytes, raw or in base64; the other lines NAME=base64.
// "vault:" names a mount and a key of the transit engine of a Vault or OpenBao server,
// which never gives it away; it goes with the algorithm vault-transit, and with no other.
// Of each kind exactly one key is primary; there is one root.
type Keyring struct{ ring *ring }

// ring is what the copies of a Keyring share.
type ring struct {
	path    string // of the file; empty: none
	vault   *transit
	turn    sync.Mutex // held by whoever changes the file, or reads it again
	current atomic.Pointer[keys]

	followed time.Time // when it was last read again; guarded by turn
}

// keys are the lines of a keyring file. They are replaced, never changed.
type keys []entry

// entry is one line of the file.
type entry struct {
	kind      string
	id        string
	algorithm string
	created   time.Time // UTC; the file keeps whole seconds
	primary   bool
	source    string // where the key is; empty: in the file
	key       []byte // keySize bytes; nil for one in Vault
}

const (
	kindKEK    = "kek"
	kindPepper = "pepper"
	kindRoot   = "root"
)

// The algorithms of a KEK.
const (
	algorithmAES     = "aes-256-gcm"
	algorithmXChaCha = "xchacha20-poly1305"
	algorithmVault   = "vault-transit"
)

// kinds are the kinds of key in the order in which they are written, each with its
// algorithms, the default first.
var kinds = []struct {
	name       string
	algorithms []string
}{
	{kindKEK, []string{algorithmAES, algorithmXChaCha, algorithmVault}},
	{kindPepper, []string{"hmac-sha-256"}},
	{kindRoot, []string{"hkdf-sha-256"}},
}

// algorithmsOf returns the algorithms of a kind, nil for one that is none.
func algorithmsOf(kind string) []string {
	for _, k := range kinds {
		if k.name == kind {
			return k.algorithms
		}
	}
	return nil
}

// keyringOf is a keyring that is in no file.
func keyringOf(list keys) *Keyring {
	k := &Keyring{&ring{}}
	k.ring.current.Store(&list)
	k.UseVault(Vault{})
	return k
}

// keys returns what the keyring holds now.
func (k *Keyring) keys() keys {
	if k.ring == nil {
		return nil
	}
	return *k.ring.current.Load()
}

// PrimaryPepper returns the pepper that new digests are made with. The caller owns
// key, which is 32 bytes. It panics on a zero Keyring: a digest without a pepper must
// not come about by mistake.
func (k *Keyring) PrimaryPepper() (id string, key []byte) {
	e := k.keys().primary(kindPepper)
	if e == nil {
		panic("seal: PrimaryPepper needs a loaded keyring")
	}
	return e.id, slices.Clone(e.key)
}

// PepperByID returns a copy of the pepper with this id, primary or not; ok is false when there
// is no such pepper, here or in the file.
func (k *Keyring) PepperByID(id string) (key [keySize]byte, ok bool) {
	e := k.keys().byID(kindPepper, id)
	if e == nil && id != "" {
		k.follow()
		e = k.keys().byID(kindPepper, id)
	}
	if e == nil {
		return key, false
	}
	return [keySize]byte(e.key), true
}

// Derive returns a key of 32 bytes for purpose: HKDF-SHA-256 (RFC 5869) of the root
// key, without salt, info "gatehouse/derive/v1/" + purpose. It is the same for as long as
// the root is: a new primary KEK or pepper does not change it. It panics on a zero
// Keyring, whose keys everyone could derive, and on an empty purpose.
func (k *Keyring) Derive(purpose string) []byte {
	root := k.keys().primary(kindRoot)
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

func (l keys) primary(kind string) *entry {
	return l.first(func(e *entry) bool { return e.kind == kind && e.primary })
}

func (l keys) byID(kind, id string) *entry {
	return l.first(func(e *entry) bool { return e.kind == kind && e.id == id })
}

func (l keys) first(is func(*entry) bool) *entry {
	for i := range l {
		if is(&l[i]) {
			return &l[i]
		}
	}
	return nil
}

// newKeys makes one fresh key of each kind.
func newKeys(now time.Time) keys {
	var l keys
	for _, kind := range kinds {
		e := newEntry(kind.name, now)
		e.primary = true
		l = append(l, e)
	}
	return l
}

// newEntry makes a fresh key of the default algorithm.
func newEntry(kind string, now time.Time) entry {
	return entry{
		kind: kind, id: randomID(), algorithm: algorithmsOf(kind)[0], created: now.UTC().Truncate(time.Second), key: randomBytes(keySize),
	}
}

// randomBytes returns n bytes of the system's randomness.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead (Go 1.24)
	return b
}
