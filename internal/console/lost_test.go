// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/console"
)

var errCut = errors.New("the connection is cut")

// cutWrite is a connection that takes no page, and cutFlush one that loses it on the way.
type (
	cutWrite struct{ http.ResponseWriter }
	cutFlush struct{ http.ResponseWriter }
)

func (cutWrite) Write([]byte) (int, error) { return 0, errCut }
func (cutFlush) FlushError() error         { return errCut }

// leaver is an answer of the API during which the browser leaves.
type leaver struct {
	http.ResponseWriter
	leave func()
}

func (l *leaver) WriteHeader(status int) {
	l.leave()
	l.ResponseWriter.WriteHeader(status)
}

func (l *leaver) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// A secret is told until a browser has it: who sends a form again after the connection broke sees
// it, and once.
func TestLostSecretIsShownAgain(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"no page is written":      func(w http.ResponseWriter) http.ResponseWriter { return cutWrite{w} },
		"the page does not leave": func(w http.ResponseWriter) http.ResponseWriter { return cutFlush{w} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			holder, b := h.member("holder@example.com")
			b.get("/keys/new")
			made := []string{"scheme", "bearer", "name", "billing", "expiry", "90", "csrf", b.page.input("csrf"), "once", b.page.input("once")}
			h.sentUntilSeen(t, b, line, "/keys", made, 201, holder.UID)

			all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{Principal: holder.ID})
			if h.must(err); len(all) != 1 {
				t.Fatalf("%d keys", len(all))
			}
			path := "/keys/" + all[0].ID
			b.get(path + "/rotate")
			rotated := []string{"grace", "3600", "csrf", b.page.input("csrf"), "once", b.page.input("once")}
			h.sentUntilSeen(t, b, line, path+"/rotate", rotated, 200, holder.UID)
			if k := h.stored(all[0].ID); len(k.Materials) != 2 {
				t.Errorf("rotated %d times", len(k.Materials)-1)
			}
		})
	}
}

// With a second factor, who sends the form again needs another code, and no other form.
func TestLostSecretTakesAnotherCode(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.protect(h.person("holder@example.com", ""))
	b := h.stranger()
	b.signIn("holder@example.com", password, f.code())
	b.get("/keys/new")
	pairs := []string{"scheme", "bearer", "name", "billing", "expiry", "90", "csrf", b.page.input("csrf"), "once", b.page.input("once"), "code", f.code()}
	b.line = func(w http.ResponseWriter) http.ResponseWriter { return cutWrite{w} }
	b.post("/keys", pairs...)
	b.line = nil
	b.post("/keys", pairs...).expect(t, 403, "The code was used before. Wait for the next one and try again.", `value="billing"`)
	b.post("/keys", "scheme", "bearer", "name", "billing", "expiry", "90", "code", f.code()).expect(t, 201, "Copy it now", `data-copy="token"`)
}

// sentUntilSeen sends a form over a line that loses the answers, then over one that does not,
// and checks that the token is seen there, and is the key's.
func (h *house) sentUntilSeen(t *testing.T, b *browser, line func(http.ResponseWriter) http.ResponseWriter, target string, pairs []string, status int, holder string) {
	t.Helper()
	b.line = line
	b.post(target, pairs...)
	b.post(target, pairs...)
	b.line = nil
	seen := b.post(target, pairs...)
	seen.expect(t, status, "Copy it now")
	token := seen.code("token")
	r := httptest.NewRequest(http.MethodGet, "/v1/self", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	if h.handler.ServeHTTP(w, r); w.Code != 200 || !strings.Contains(w.Body.String(), holder) {
		t.Errorf("with the token of the page: %d %s", w.Code, w.Body)
	}
	again := b.post(target, pairs...)
	again.expect(t, 200, "This was done already")
	if strings.Contains(again.text, token) {
		t.Errorf("shown twice: %v", again)
	}
}

// A browser that left while the key was made has seen nothing, whatever became of the bytes.
func TestSecretOfABrowserThatLeft(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member("holder@example.com")
	b.get("/keys/new")
	pairs := []string{"scheme", "bearer", "expiry", "90", "csrf", b.page.input("csrf"), "once", b.page.input("once")}

	whole, config := h.handler, h.console
	ctx, leave := context.WithCancel(t.Context())
	config.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w = &leaver{w, leave}
		}
		h.console.API.ServeHTTP(w, r)
	})
	pages, err := console.New(config)
	h.must(err)
	mux := http.NewServeMux()
	gate.Mount(mux, pages.Routes())
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r.WithContext(ctx)) })
	b.post("/keys", pairs...)
	if ctx.Err() == nil {
		t.Fatal("the browser is still there")
	}
	h.handler = whole
	b.post("/keys", pairs...).expect(t, 201, "Copy it now", `data-copy="token"`)
	b.post("/keys", pairs...).expect(t, 200, "This was done already")
}
