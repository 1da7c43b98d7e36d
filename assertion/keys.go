// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The algorithms a signing key can have, by their JWS names (RFC 7518 section 3.1).
const (
	ES256 = "ES256" // ECDSA on P-256
	RS256 = "RS256" // RSASSA-PKCS1-v1_5, 2048 bits where the key is made here
)

const (
	// refreshEvery is how often the stored keys are read again, so that a key another
	// node made or imported is published here too.
	refreshEvery = time.Minute
	// missEvery is how often at most a signature that no known key made may cause a
	// read of the store.
	missEvery = time.Second
	// storeTimeout bounds the background work's use of the store.
	storeTimeout = 10 * time.Second
)

// KeysConfig says where signing keys live.
type KeysConfig struct {
	Store  gatehouse.SigningKeyStore // required
	Sealer gatehouse.Sealer          // required
	Tenant string                    // whose keys; empty: gatehouse.DefaultTenant

	// Algorithms are made sure of at the start. Empty: ES256 and RS256. A key of
	// another algorithm is made when it is first needed.
	Algorithms []string

	// ImportRSA is an RSA private key to sign RS256 with, as PEM (PKCS #1 or PKCS #8,
	// not encrypted, at least 2048 bits). It is stored where it is not yet, and is the
	// active RS256 key for as long as it is configured. Empty: none.
	ImportRSA []byte

	// Every is how long a key signs until the next takes its place, an hour at least.
	// Zero: until somebody calls [Keys.Rotate].
	Every time.Duration

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: silent
}

// Keys is a tenant's signing keys, one of them active for each algorithm. It is safe
// for concurrent use.
type Keys struct {
	store  gatehouse.SigningKeyStore
	sealer gatehouse.Sealer
	tenant string
	now    func() time.Time
	log    *slog.Logger
	every  time.Duration
	prefer string // id of the imported key; empty: the newest is active

	set atomic.Pointer[keySet]

	loading  chan struct{} // holds one token while a load runs; guards the two below
	loadedAt time.Time
	loadErr  error

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	rotating sync.Mutex // held while next keys are made

	mu      sync.Mutex // guards the rest
	making  map[string]*making
	hearing bool                  // Hear has something to do, and has not begun
	pending map[string]privateKey // made, but not stored yet, by algorithm
}

// making is one attempt to make a signing key. key and err are set before done closes.
type making struct {
	done chan struct{}
	key  *signingKey
	err  error
}

// OpenKeys loads the stored keys, stores an import, and starts to make what is
// missing without waiting for it: whoever needs a key before it is made waits. The
// caller must call [Keys.Close].
//
// An algorithm that is not known, or an import that cannot be used, is a
// *[gatehouse.InvalidError] with field "algorithms" or "import_rsa", and a time between
// rotations that is too short one with field "every". A store or sealer that fails, and a stored key that does not open, gives an error that wraps
// [gatehouse.ErrUnavailable].
func OpenKeys(ctx context.Context, c KeysConfig) (*Keys, error) {
	k := &Keys{
		store: c.Store, sealer: c.Sealer, tenant: c.Tenant, now: c.Now, log: c.Logger, every: c.Every,
		loading: make(chan struct{}, 1),
		making:  make(map[string]*making),
		pending: make(map[string]privateKey),
	}
	if k.tenant == "" {
		k.tenant = gatehouse.DefaultTenant
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	k.set.Store(&keySet{})
	algorithms := c.Algorithms
	if len(algorithms) == 0 {
		algorithms = []string{ES256, RS256}
	}
	for _, alg := range algorithms {
		if !known(alg) {
			return nil, &gatehouse.InvalidError{Field: "algorithms", Problem: "only ES256 and RS256 are known"}
		}
	}
	if c.Every != 0 && c.Every < leastEvery {
		return nil, &gatehouse.InvalidError{Field: "every", Problem: "shorter than an hour"}
	}
	if err := k.load(ctx, 0); err != nil {
		return nil, err
	}
	if len(c.ImportRSA) > 0 {
		if err := k.importRSA(ctx, c.ImportRSA); err != nil {
			return nil, err
		}
	}
	k.start(algorithms)
	return k, nil
}

// start begins the background work. ES256 goes first: it takes no time.
func (k *Keys) start(algorithms []string) {
	k.ctx, k.cancel = context.WithCancel(context.Background())
	for _, alg := range []string{ES256, RS256} {
		if slices.Contains(algorithms, alg) && k.active(alg) == nil {
			k.begin(alg)
		}
	}
	k.wg.Go(k.refresh)
}

// Close ends the background work and returns when it has ended, which takes as long as
// an RSA key that is being made. Keys that are loaded go on working; none is made any
// more.
func (k *Keys) Close() {
	k.mu.Lock() // nobody begins between the two
	k.cancel()
	k.mu.Unlock()
	k.wg.Wait()
}

// JWKS returns the public keys as a JWK set (RFC 7517) with use, alg and kid, newest
// first, and a strong entity tag for it (RFC 9110 section 8.8.3), quotes included. It
// lists the keys there are: one that is being made follows when it is stored, the next one
// is there before it signs, one that has retired stays for a day. Consumers may keep it for
// [MaxAge]. The bytes are shared and must not be changed.
func (k *Keys) JWKS() (set []byte, etag string) {
	s := k.set.Load()
	return s.jwks, s.etag
}

// active returns the key that signs for an algorithm now; nil: there is none.
func (k *Keys) active(alg string) *signingKey {
	return k.set.Load().active(alg, k.prefer, k.now())
}

// signer returns the active key of an algorithm and waits for it, at most until ctx
// ends, where it is still being made. Its errors wrap gatehouse.ErrUnavailable.
func (k *Keys) signer(ctx context.Context, alg string) (*signingKey, error) {
	if sk := k.active(alg); sk != nil {
		return sk, nil
	}
	m := k.begin(alg)
	if m == nil {
		return nil, gatehouse.Unavailable("make signing key", errors.New("closed"))
	}
	select {
	case <-m.done:
		return m.key, m.err
	case <-ctx.Done():
		return nil, gatehouse.Unavailable("wait for "+alg+" signing key", ctx.Err())
	}
}

// begin starts to make a key, or joins whoever does already. It returns nil after
// Close. No caller's context reaches the work, so that none can spoil it for others.
func (k *Keys) begin(alg string) *making {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil {
		return nil
	}
	if m := k.making[alg]; m != nil {
		return m
	}
	m := &making{done: make(chan struct{})}
	k.making[alg] = m
	k.wg.Go(func() {
		m.key, m.err = k.make(k.ctx, alg)
		// What Close broke off is no news.
		if m.err != nil && k.ctx.Err() == nil {
			k.log.Warn("no signing key yet", "algorithm", alg, "error", m.err)
		}
		k.mu.Lock()
		delete(k.making, alg)
		k.mu.Unlock()
		close(m.done)
	})
	return m
}

func (k *Keys) refresh() {
	t := time.NewTicker(refreshEvery)
	defer t.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(k.ctx, storeTimeout)
		err := k.load(ctx, 0)
		if err == nil {
			err = k.tend(ctx)
		}
		if err != nil && k.ctx.Err() == nil {
			k.log.Warn("signing keys not refreshed", "error", err)
		}
		cancel()
	}
}
