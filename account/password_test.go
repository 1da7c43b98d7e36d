// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// home is where the callers of these tests are.
var home = netip.MustParseAddr("192.0.2.10")

// quick costs next to nothing; what is tested with it does not depend on the cost.
var quick = HasherConfig{MemoryKiB: 64, Time: 1}

// Made with another implementation of Argon2 (JavaScript, @noble/hashes).
var phcVectors = []struct{ password, phc string }{
	{"correct horse", "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$0AuQxA+RjPiJeA19Op7DwrFxnfh9xeTU2T6mFj2wThc"},
	{"", "$argon2id$v=19$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$33SjuV6/zzjSAgU4dA/CwCrhp6Zlln5wL5DZIdWFgJo"},
	{"Grüße", "$argon2id$v=19$m=256,t=3,p=4$EBESExQVFhcYGRobHB0eHw$PKTUTUIWpqZGueNNdm2RrJuOtdmqL/4bAVkm5sjwcMU"},
}

func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{})
	for i, v := range phcVectors {
		ok, rehash, err := h.Verify(t.Context(), home, v.phc, v.password)
		if !ok || err != nil {
			t.Errorf("vector %d: ok %v, error %v", i, ok, err)
		}
		if current := i == 0; rehash == current {
			t.Errorf("vector %d: rehash %v", i, rehash)
		}
		ok, rehash, err = h.Verify(t.Context(), home, v.phc, v.password+"x")
		if ok || rehash || err != nil {
			t.Errorf("vector %d, wrong password: ok %v, rehash %v, error %v", i, ok, rehash, err)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{})
	first, err := h.Hash(t.Context(), home, "Tecohvi0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the defaults give %q", first)
	}
	if cap(h.slots) != runtime.GOMAXPROCS(0) || h.queue != 32 || h.share != 8 {
		t.Errorf("the defaults allow %d runs and %d waiting, %d from a network", cap(h.slots), h.queue, h.share)
	}
	second, err := h.Hash(t.Context(), home, "Tecohvi0")
	if err != nil || first == second {
		t.Errorf("two hashes share a salt (error %v)", err)
	}
	ok, rehash, err := h.Verify(t.Context(), home, second, "Tecohvi0")
	if !ok || rehash || err != nil {
		t.Errorf("ok %v, rehash %v, error %v", ok, rehash, err)
	}
}

func TestRehash(t *testing.T) {
	t.Parallel()
	phc, err := NewHasher(quick).Hash(t.Context(), home, "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []HasherConfig{
		{MemoryKiB: 128, Time: 1}, {MemoryKiB: 64, Time: 2}, {MemoryKiB: 64, Time: 1, Parallelism: 2},
	} {
		ok, rehash, err := NewHasher(c).Verify(t.Context(), home, phc, "secret")
		if !ok || !rehash || err != nil {
			t.Errorf("%+v: ok %v, rehash %v, error %v", c, ok, rehash, err)
		}
	}
}

func TestPasswordTooLong(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{MemoryKiB: 64, Time: 1, Concurrency: 1})
	longest := strings.Repeat("p", MaxPasswordBytes)
	phc, err := h.Hash(t.Context(), home, longest)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Verify(t.Context(), home, phc, longest); !ok || err != nil {
		t.Errorf("the longest password: ok %v, error %v", ok, err)
	}
	h.slots <- struct{}{} // work of any kind would now wait for ever
	if _, err := h.Hash(t.Context(), home, longest+"p"); !errors.Is(err, ErrPasswordTooLong) {
		t.Errorf("Hash: %v", err)
	}
	if ok, _, err := h.Verify(t.Context(), home, phc, longest+"p"); ok || !errors.Is(err, ErrPasswordTooLong) {
		t.Errorf("Verify: %v", err)
	}
	if err := h.VerifyNone(t.Context(), home, longest+"p"); !errors.Is(err, ErrPasswordTooLong) {
		t.Errorf("VerifyNone: %v", err)
	}
}

// The decoy must cost what a real check costs: memory is what can be counted.
func TestVerifyNoneDoesTheWork(t *testing.T) {
	const kib = 8 * 1024
	h := NewHasher(HasherConfig{MemoryKiB: kib, Time: 1})
	phc, err := h.Hash(t.Context(), home, "secret")
	if err != nil {
		t.Fatal(err)
	}
	allocated := func(work func() error) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := work(); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / 1024
	}
	known := allocated(func() error { _, _, err := h.Verify(t.Context(), home, phc, "wrong"); return err })
	unknown := allocated(func() error { return h.VerifyNone(t.Context(), home, "wrong") })
	if known < kib || unknown < kib || max(known, unknown)-min(known, unknown) > 64 {
		t.Errorf("a wrong password takes %d KiB, an unknown account %d KiB", known, unknown)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HasherConfig{MemoryKiB: 64, Time: 1, Concurrency: 1, Queue: 2})
		phc, err := h.Hash(t.Context(), home, "secret")
		if err != nil {
			t.Fatal(err)
		}
		h.slots <- struct{}{} // a run is under way
		results := make(chan error, 2)
		for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
			go func() {
				ok, _, err := h.Verify(t.Context(), netip.MustParseAddr(from), phc, "secret")
				if err == nil && !ok {
					err = errors.New("the right password is refused")
				}
				results <- err
			}()
		}
		synctest.Wait()
		if ok, _, err := h.Verify(t.Context(), home, phc, "secret"); ok || !errors.Is(err, ErrBusy) {
			t.Errorf("Verify with a full queue: ok %v, error %v", ok, err)
		}
		if _, err := h.Hash(t.Context(), home, "secret"); !errors.Is(err, ErrBusy) {
			t.Errorf("Hash with a full queue: %v", err)
		}
		if err := h.VerifyNone(t.Context(), home, "secret"); !errors.Is(err, ErrBusy) {
			t.Errorf("VerifyNone with a full queue: %v", err)
		}
		<-h.slots
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("a caller in the queue: %v", err)
			}
		}
		if h.queued != 0 || len(h.waiting) != 0 || len(h.slots) != 0 {
			t.Errorf("%d wait, %v, and %d run after the end", h.queued, h.waiting, len(h.slots))
		}
	})
}

// One network cannot fill the queue: others still get a place.
func TestQueueIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HasherConfig{MemoryKiB: 64, Time: 1, Concurrency: 1, Queue: 8})
		h.slots <- struct{}{} // a run is under way
		results := make(chan error, 8)
		wait := func(from netip.Addr) {
			go func() { results <- h.VerifyNone(t.Context(), from, "secret") }()
			synctest.Wait()
		}
		for _, row := range []struct{ name, first, second, third string }{
			{"an address", "192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"},
			{"a /64", "2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"},
			{"no address", "", "", ""},
			{"its neighbour", "192.0.2.2", "192.0.2.2", "192.0.2.2"},
		} {
			var at [3]netip.Addr
			for i, text := range []string{row.first, row.second, row.third} {
				at[i], _ = netip.ParseAddr(text)
			}
			wait(at[0])
			wait(at[1])
			if err := h.VerifyNone(t.Context(), at[2], "secret"); !errors.Is(err, ErrBusy) {
				t.Errorf("a third caller of %s: %v", row.name, err)
			}
		}
		if err := h.VerifyNone(t.Context(), netip.MustParseAddr("2001:db8:0:1::1"), "secret"); !errors.Is(err, ErrBusy) {
			t.Errorf("with a full queue: %v", err)
		}
		<-h.slots
		for range 8 {
			if err := <-results; err != nil {
				t.Errorf("a caller in the queue: %v", err)
			}
		}
		if h.queued != 0 || len(h.waiting) != 0 {
			t.Errorf("%d wait, %v", h.queued, h.waiting)
		}
	})
}

func TestQueueHonoursContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HasherConfig{MemoryKiB: 64, Time: 1, Concurrency: 1, Queue: 1})
		ctx, cancel := context.WithCancel(t.Context())
		h.slots <- struct{}{}
		result := make(chan error, 1)
		go func() { result <- h.VerifyNone(ctx, home, "secret") }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("while waiting: %v", err)
		}
		<-h.slots
		if _, err := h.Hash(ctx, home, "secret"); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
		if err := h.VerifyNone(t.Context(), home, "secret"); err != nil {
			t.Errorf("the place in the queue is not free again: %v", err)
		}
	})
}

func TestHasherConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []HasherConfig{
		{MemoryKiB: 7}, {MemoryKiB: 31, Parallelism: 4}, {MemoryKiB: maxMemoryKiB + 1},
		{Time: maxTime + 1}, {Parallelism: maxParallelism + 1}, {Concurrency: -1}, {Queue: -1},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewHasher(%+v) does not panic", c)
				}
			}()
			NewHasher(c)
		}()
	}
	// What may be configured may be read back.
	most := HasherConfig{MemoryKiB: maxMemoryKiB, Time: maxTime, Parallelism: maxParallelism}
	if err := most.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := parsePHC(argonHash{argonParams: most.params()}.String()); err != nil {
		t.Error(err)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	t.Parallel()
	const salt, tag = "AAECAwQFBgcICQoLDA0ODw", "0AuQxA+RjPiJeA19Op7DwrFxnfh9xeTU2T6mFj2wThc"
	const good = "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + tag
	if _, err := parsePHC(good); err != nil {
		t.Fatal(err)
	}
	h := NewHasher(quick)
	for name, phc := range map[string]string{
		"empty":                 "",
		"bcrypt":                "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"other variant":         strings.Replace(good, "argon2id", "argon2i", 1),
		"other version":         strings.Replace(good, "v=19", "v=16", 1),
		"no version":            strings.Replace(good, "$v=19", "", 1),
		"space before":          " " + good,
		"newline after":         good + "\n",
		"a field more":          good + "$",
		"a field less":          strings.TrimSuffix(good, "$"+tag),
		"memory above the cap":  strings.Replace(good, "m=64", "m=262145", 1),
		"memory overflows":      strings.Replace(good, "m=64", "m=4294967360", 1),
		"memory below the lane": strings.Replace(good, "m=64", "m=7", 1),
		"memory zero":           strings.Replace(good, "m=64", "m=0", 1),
		"time above the cap":    strings.Replace(good, "t=1", "t=17", 1),
		"time zero":             strings.Replace(good, "t=1", "t=0", 1),
		"lanes above the cap":   strings.Replace(good, "p=1", "p=17", 1),
		"lanes overflow":        strings.Replace(good, "p=1", "p=257", 1),
		"lanes zero":            strings.Replace(good, "p=1", "p=0", 1),
		"leading zero":          strings.Replace(good, "m=64", "m=064", 1),
		"sign":                  strings.Replace(good, "m=64", "m=+64", 1),
		"other order":           strings.Replace(good, "m=64,t=1", "t=1,m=64", 1),
		"a parameter more":      strings.Replace(good, "p=1", "p=1,keyid=x", 1),
		"short salt":            strings.Replace(good, salt, salt[1:], 1),
		"short tag":             strings.Replace(good, tag, tag[1:], 1),
		"padded tag":            good + "=",
		"URL alphabet":          strings.Replace(good, "+", "-", 1),
		"stray bits":            strings.TrimSuffix(good, "c") + "d",
		"line break in salt":    strings.Replace(good, salt, salt[:20]+"\n"+salt[21:], 1),
		"long":                  strings.Repeat("$argon2id$v=19$", 1000),
	} {
		ok, rehash, err := h.Verify(t.Context(), home, phc, "secret")
		if ok || rehash || !errors.Is(err, ErrHashFormat) {
			t.Errorf("%s: ok %v, rehash %v, error %v", name, ok, rehash, err)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	for _, v := range phcVectors {
		f.Add(v.phc)
	}
	f.Add("$argon2id$v=19$m=0,t=0,p=0$$")
	f.Fuzz(func(t *testing.T, phc string) {
		a, err := parsePHC(phc)
		if err != nil {
			if !errors.Is(err, ErrHashFormat) || a != (argonHash{}) {
				t.Errorf("%q: %v", phc, err)
			}
			if len(phc) > 40 && strings.Contains(err.Error(), phc[len(phc)-40:]) {
				t.Errorf("the error holds the hash: %v", err)
			}
			return
		}
		if a.String() != phc {
			t.Errorf("%q is read as %q", phc, a)
		}
		if a.memoryKiB > maxMemoryKiB || a.time > maxTime || a.lanes > maxParallelism {
			t.Errorf("%q passes the caps", phc)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h := NewHasher(HasherConfig{})
	b.ReportAllocs()
	for b.Loop() {
		if ok, _, err := h.Verify(b.Context(), home, phcVectors[0].phc, phcVectors[0].password); !ok {
			b.Fatal(err)
		}
	}
}
