// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/config"
)

// A flood of made-up key ids and sessions leaves nothing behind (I11). It runs for
// three seconds, or for GATEHOUSE_SOAK (a duration).
func TestMemoryIsFlatUnderUnknownKeys(t *testing.T) {
	span := 3 * time.Second
	if text := os.Getenv("GATEHOUSE_SOAK"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load("", nil, map[string]string{"data": filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := assemble(context.Background(), &c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	h := p.public()
	begin := time.Now()
	flood(t, h, begin.Add(span/3)) // pools and caches fill
	before := held()
	n := flood(t, h, begin.Add(span))
	after := held()
	t.Logf("%d requests; %d KiB held before, %d KiB after", n, before>>10, after>>10)
	if float64(after) > 1.2*float64(before) {
		t.Errorf("memory grew from %d to %d KiB over %d requests with unknown keys", before>>10, after>>10, n)
	}
}

// flood sends requests of unknown keys, sessions and tokens until end.
func flood(t *testing.T, h http.Handler, end time.Time) (n int) {
	t.Helper()
	for ; time.Now().Before(end); n++ {
		r := httptest.NewRequest(http.MethodGet, "/api/v2/auth/api/v2/peatio/account", nil)
		random := strconv.FormatUint(rand.Uint64(), 16)
		switch n % 2 {
		case 0:
			r.Header.Set("X-Auth-Apikey", random)
			r.Header.Set("X-Auth-Nonce", strconv.FormatInt(time.Now().UnixMilli(), 10))
			r.Header.Set("X-Auth-Signature", random)
		case 1:
			r.AddCookie(&http.Cookie{Name: "_barong_session", Value: random + random})
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	return n
}

// held is the memory that the process holds, besides garbage.
func held() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
