// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rsc.io/qr"

	"github.com/seed14544106/gatehouse"
)

func TestEveryRouteHasLimits(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range table() {
		name := r.method + " " + r.path
		switch {
		case r.limit != noBody && (r.limit <= 0 || r.limit > bodyLimit):
			t.Errorf("%s has no size limit", name)
		case r.timeout <= 0 || r.timeout > time.Minute:
			t.Errorf("%s has no timeout", name)
		case r.auth != open && r.auth != holder && r.auth != judged:
			t.Errorf("%s does not say who may call it", name)
		case r.serve == nil && r.auth != judged:
			t.Errorf("%s has no handler", name)
		case strings.HasPrefix(r.path, "/barong/resource/") != (r.auth == holder):
			t.Errorf("%s: resource routes, and only they, need a holder", name)
		case seen[name]:
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
	}
}

// TestSettleRetry: the answer says when a dependency will be back that knows it; the log is
// not told of each request meanwhile.
func TestSettleRetry(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"1": gatehouse.Unavailable("x", errors.New("gone")), "7": gatehouse.BelowFloor(6001 * time.Millisecond),
	} {
		var log bytes.Buffer
		d := &Door{c: Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		w := httptest.NewRecorder()
		d.settle(w, httptest.NewRequest(http.MethodGet, "/", nil), err).write(w, contentGate)
		if w.Code != http.StatusServiceUnavailable || w.Body.String() != `{"errors":["server.unavailable"]}` || w.Header().Get("Retry-After") != want || (log.Len() > 0) != (want == "1") {
			t.Errorf("%v: %d %s after %q, log %q", err, w.Code, w.Body, w.Header().Get("Retry-After"), &log)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, path, value string
		ok                   bool
	}{
		{"/a/b", "/a/b", "", true}, {"/a/b", "/a", "", false}, {"/a/b", "/a/b/c", "", false},
		{"/a/:kid", "/a/x", "x", true}, {"/a/:kid", "/a/", "", false}, {"/a/:kid", "/a/x/y", "", false},
		{"/a/*", "/a/x/y", "", true}, {"/a/*", "/a/", "", true}, {"/a/*", "/a", "", false}, {"/a/*", "/b/x", "", false},
	} {
		in, ok := match(tt.pattern, tt.path)
		if ok != tt.ok || in["kid"] != tt.value {
			t.Errorf("match(%q, %q) = %v, %v", tt.pattern, tt.path, in, ok)
		}
	}
}

// Every reason has its answer, and none but a refusal.
func TestEveryReasonIsTranslated(t *testing.T) {
	t.Parallel()
	d := Door{c: Config{Window: 5 * time.Second}}
	n := 0
	for r := gatehouse.Reason(0); r == 0 || r.Code() != gatehouse.ReasonUndecided.Code(); r++ {
		n++
		got := d.deny(&gatehouse.Decision{Reason: r}, "1").(*refusal)
		switch {
		case r == gatehouse.ReasonUndecided:
			if got.status != 503 || got.retry == 0 {
				t.Errorf("%v: %+v", r, got)
			}
		case r == gatehouse.ReasonRateLimited:
			if got.status != 429 || got.retry < time.Second {
				t.Errorf("%v: %+v", r, got)
			}
		case got.status != 401 && got.status != 422:
			t.Errorf("%v: %d %v", r, got.status, got.codes)
		}
	}
	if n < 18 {
		t.Errorf("only %d reasons", n)
	}
}

// On purpose: Ruby reads the number at the beginning of any text.
func TestParseNonce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1584524005143": 1584524005143, "1": 1, "999999999999999": 999999999999999,
		"": -1, "0": -1, "01584524005143": -1, "1584524005143abc": -1, "1_584": -1, " 1584524005143": -1, "1584524005143 ": -1,
		"+1584524005143": -1, "-1": -1, "1.5": -1, "1e3": -1, "0x1": -1, "1584524005143000": -1, "١٥٨٤": -1,
	} {
		at, ok := parseNonce(text)
		if ok != (want >= 0) || ok && at.UnixMilli() != want {
			t.Errorf("parseNonce(%q) = %v, %v", text, at, ok)
		}
	}
}

func TestBarcode(t *testing.T) {
	t.Parallel()
	const uri = "otpauth://totp/Gatehouse:holder@example.com?algorithm=SHA1&digits=6&issuer=Gatehouse&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	text, err := barcode(uri)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if b := picture.Bounds(); b.Dx() != 300 || b.Dy() != 300 {
		t.Fatalf("size %v", b)
	}
	code, err := qr.Encode(uri, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	scale := 300 / (code.Size + 8)
	margin := (300 - scale*code.Size) / 2
	if margin < 4*scale {
		t.Errorf("a margin of %d pixels is less than four modules of %d", margin, scale)
	}
	for y := range 300 {
		for x := range 300 {
			inside := x >= margin && y >= margin
			black := inside && code.Black((x-margin)/scale, (y-margin)/scale)
			if r, _, _, _ := picture.At(x, y).RGBA(); (r == 0) != black {
				t.Fatalf("pixel %d,%d: black is %v", x, y, r == 0)
			}
		}
	}
	if _, err := barcode(strings.Repeat("x", 4000)); err == nil {
		t.Error("a text that fits no code was drawn")
	}
	if _, err := barcode(strings.Repeat("x", 2331)); err != nil {
		t.Errorf("the largest code (177 modules) fits 300 pixels: %v", err)
	}
}

func TestPostman(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPostman(slog.New(slog.DiscardHandler))
		var done atomic.Int64
		slow := func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				done.Add(1)
				return errors.New("told to the log only")
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for range 2 * mailWorkers {
			if err := p.take(slow); err != nil {
				t.Fatal(err)
			}
		}
		p.close()
		if got := done.Load(); got != 2*mailWorkers {
			t.Errorf("%d jobs were done before the end, want %d", got, 2*mailWorkers)
		}
		if err := p.take(slow); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPostman(slog.New(slog.DiscardHandler))
		stuck := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for range mailWorkers {
			if err := p.take(stuck); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // the workers have them
		for range mailQueue {
			if err := p.take(stuck); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.take(stuck); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("full: %v", err)
		}
		begin := time.Now()
		p.close()
		if took := time.Since(begin); took != mailDrain {
			t.Errorf("the end took %v, want %v", took, mailDrain)
		}
	})
}

// No work is done while whoever asked may still feel it, nor at a time that can be foreseen.
func TestPostmanWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, asked := newPostman(slog.New(slog.DiscardHandler)), time.Now()
		began := make(chan time.Duration, mailQueue)
		note := func(context.Context) error { began <- time.Since(asked); return nil }
		seen := map[time.Duration]bool{}
		for range mailQueue {
			if err := p.take(note); err != nil {
				t.Fatal(err)
			}
		}
		for range mailQueue {
			after := <-began
			if seen[after] = true; after < mailSoonest || after > mailLatest {
				t.Errorf("work begins %v after it was asked for", after)
			}
		}
		if len(seen) < 2 {
			t.Errorf("work always begins %v after it was asked for", seen)
		}
		if err := p.take(note); err != nil {
			t.Fatal(err)
		}
		asked = time.Now()
		p.close()
		if after := <-began; after != 0 {
			t.Errorf("the end waits for %v", after)
		}
	})
}

func TestReadPatch(t *testing.T) {
	t.Parallel()
	if p, err := readPatch(values{}); err != nil || p.Scopes != nil || p.State != nil || p.StateText != nil {
		t.Errorf("nothing sent changes something: %+v, %v", p, err)
	}
	for text, want := range map[string]gatehouse.State{
		"active": gatehouse.StateActive, "disabled": gatehouse.StateDisabled, "inactive": gatehouse.StateDisabled, "Active": gatehouse.StateDisabled,
		"an own word, with ümlaut": gatehouse.StateDisabled, strings.Repeat("ü", 255): gatehouse.StateDisabled,
	} {
		p, err := readPatch(values{"state": text})
		shown := text
		if want == gatehouse.StateActive {
			shown = ""
		}
		if err != nil || *p.State != want || *p.StateText != shown {
			t.Errorf("state %q: %+v, %v", text, p, err)
		}
	}
	for _, v := range []values{{"state": strings.Repeat("x", 256)}, {"state": "a\nb"}, {"state": "a\x00"}, {"scope": "a b"}} {
		if _, err := readPatch(v); err == nil {
			t.Errorf("%v: accepted", v)
		}
	}
	p, err := readPatch(values{"scope": "trade, read,,read"})
	if err != nil || strings.Join(p.Scopes.Strings(), "|") != "trade|read" {
		t.Errorf("scopes %v, %v", p.Scopes, err)
	}
}
