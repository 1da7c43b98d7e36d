// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/seed14544106/gatehouse"
)

// MaxPasswordBytes is the longest password, in bytes, that [Hasher] works on.
const MaxPasswordBytes = 1024

// Errors of [Hasher], compared with errors.Is. None of them is an answer about a
// password, and none holds a password or a stored hash.
var (
	// ErrBusy: more callers wait for a hash run than the queue allows, in all or from the
	// caller's network. Nothing is known about the password; the caller may try again. It wraps
	// [gatehouse.ErrUnavailable].
	ErrBusy = fmt.Errorf("too many callers wait for password hashing: %w", gatehouse.ErrUnavailable)
	// ErrPasswordTooLong: the password has more than [MaxPasswordBytes] bytes. It
	// was refused before any work.
	ErrPasswordTooLong = errors.New("the password is too long")
	// ErrHashFormat: a stored hash is not an Argon2id text that this package
	// accepts. The stored record is damaged or hostile.
	ErrHashFormat = errors.New("malformed password hash")
)

const (
	saltBytes = 16 // RFC 9106 section 3.1 recommends 128 bits
	tagBytes  = 32

	// What a stored hash may ask for. With the semaphore this bounds the memory
	// that rows of the database can claim to Concurrency times 256 MiB.
	maxMemoryKiB   = 256 * 1024
	maxTime        = 16
	maxParallelism = 16
	// The longest PHC text within the caps above has 100 bytes.
	maxPHCBytes = 128
)

// HasherConfig sets the cost of a password hash and how many run at once. A zero
// field takes its default; the zero value is the configuration to use in service.
type HasherConfig struct {
	MemoryKiB   uint32 // memory of one run in KiB; default 19456 (19 MiB), at most 262144
	Time        uint32 // passes over the memory; default 2, at most 16
	Parallelism uint8  // lanes of one run; default 1, at most 16
	Concurrency int    // runs at once; default GOMAXPROCS
	Queue       int    // callers that may wait for a run; default 32. A quarter of them, at least one, from one network
}

// Validate reports the first field that [NewHasher] refuses, in words. Memory must
// be at least 8 KiB for each lane (RFC 9106 section 3.1).
func (c HasherConfig) Validate() error {
	c = c.withDefaults()
	if err := c.params().check(); err != nil {
		return fmt.Errorf("password hashing: %w", err)
	}
	if c.Concurrency < 1 {
		return errors.New("password hashing: concurrency is negative")
	}
	if c.Queue < 1 {
		return errors.New("password hashing: queue is negative")
	}
	return nil
}

func (c HasherConfig) withDefaults() HasherConfig {
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 19 * 1024
	}
	if c.Time == 0 {
		c.Time = 2
	}
	if c.Parallelism == 0 {
		c.Parallelism = 1
	}
	if c.Concurrency == 0 {
		c.Concurrency = runtime.GOMAXPROCS(0)
	}
	if c.Queue == 0 {
		c.Queue = 32
	}
	return c
}

func (c HasherConfig) params() argonParams {
	return argonParams{memoryKiB: c.MemoryKiB, time: c.Time, lanes: c.Parallelism}
}

// Hasher makes and checks password hashes with Argon2id (RFC 9106). It bounds how
// many runs take memory at once and how many callers wait for one. Make it with
// [NewHasher]; the zero value panics. It is safe for concurrent use.
//
// Its methods take the address that asks: nobody can fill the queue from one network, which is
// an IPv4 address or an IPv6 /64. Callers whose address is not known are a network, too.
//
// A password is the bytes it is given as: no Unicode normalisation, no trimming.
type Hasher struct {
	params argonParams
	decoy  argonHash
	slots  chan struct{} // one element for each run under way
	queue  int           // callers that may wait
	share  int           // of them from one network

	mu      sync.Mutex
	queued  int            // callers that wait
	waiting map[string]int // the same by network; nobody: no entry
}

// NewHasher returns a Hasher. It panics when config does not pass
// [HasherConfig.Validate].
func NewHasher(config HasherConfig) *Hasher {
	if err := config.Validate(); err != nil {
		panic(err)
	}
	config = config.withDefaults()
	h := &Hasher{
		params: config.params(),
		slots:  make(chan struct{}, config.Concurrency),
		queue:  config.Queue, share: max(1, config.Queue/4), waiting: map[string]int{},
	}
	// A random tag is the tag of no password that anyone can find.
	h.decoy.argonParams = h.params
	_, _ = rand.Read(h.decoy.salt[:]) // never fails: it ends the process instead
	_, _ = rand.Read(h.decoy.tag[:])
	return h
}

// Hash returns the PHC text to store for password, with a fresh 16-byte salt and a
// 32-byte tag: $argon2id$v=19$m=19456,t=2,p=1$salt$tag.
//
// Errors: [ErrPasswordTooLong], [ErrBusy], or ctx's error when it ends while the
// caller waits for a run. A run that began is not interrupted.
func (h *Hasher) Hash(ctx context.Context, from netip.Addr, password string) (phc string, err error) {
	fresh := argonHash{argonParams: h.params}
	_, _ = rand.Read(fresh.salt[:])
	if fresh.tag, err = h.derive(ctx, from, fresh, password); err != nil {
		return "", err
	}
	return fresh.String(), nil
}

// Verify reports whether password is the one that phc was made from. rehash is true
// when it is and phc was made with other parameters than this Hasher uses, so that
// the caller should store a new hash.
//
// Errors, with ok and rehash false: [ErrPasswordTooLong], [ErrHashFormat],
// [ErrBusy], or ctx's error when it ends while the caller waits for a run. None of
// them says that the password is wrong.
func (h *Hasher) Verify(ctx context.Context, from netip.Addr, phc, password string) (ok, rehash bool, err error) {
	stored, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	ok, err = h.matches(ctx, from, stored, password)
	return ok, ok && stored.argonParams != h.params, err
}

// VerifyNone does the work of [Hasher.Verify] with the current parameters against
// a hash that no password has. Call it where there is no account, so that the time
// does not tell. It fails as Verify does, except for [ErrHashFormat].
func (h *Hasher) VerifyNone(ctx context.Context, from netip.Addr, password string) error {
	_, err := h.matches(ctx, from, h.decoy, password)
	return err
}

func (h *Hasher) matches(ctx context.Context, from netip.Addr, stored argonHash, password string) (bool, error) {
	tag, err := h.derive(ctx, from, stored, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(tag[:], stored.tag[:]) == 1, nil
}

// derive runs Argon2id over password with the salt and parameters of a.
func (h *Hasher) derive(ctx context.Context, from netip.Addr, a argonHash, password string) (tag [tagBytes]byte, err error) {
	if len(password) > MaxPasswordBytes {
		return tag, ErrPasswordTooLong
	}
	if err := h.acquire(ctx, network(from)); err != nil {
		return tag, err
	}
	defer func() { <-h.slots }()
	copy(tag[:], argon2.IDKey([]byte(password), a.salt[:], a.time, a.memoryKiB, a.lanes, tagBytes))
	return tag, nil
}

// acquire takes a slot for a caller from the network, waiting in the order of arrival for
// at most as long as ctx.
func (h *Hasher) acquire(ctx context.Context, where string) error {
	// select takes any ready case: a caller who has gone must not get a run.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for password hashing: %w", err)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if !h.join(where) {
		return ErrBusy
	}
	defer h.leave(where)
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for password hashing: %w", ctx.Err())
	}
}

// join takes a place in the queue, if there is one for the network.
func (h *Hasher) join(where string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queued == h.queue || h.waiting[where] == h.share {
		return false
	}
	h.queued++
	h.waiting[where]++
	return true
}

// leave gives the place back.
func (h *Hasher) leave(where string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queued--
	if h.waiting[where]--; h.waiting[where] == 0 {
		delete(h.waiting, where)
	}
}
