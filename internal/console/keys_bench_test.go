// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A page of 50 keys, with all that the API and the store do for it, in less than 5 ms.
func BenchmarkKeysPage(b *testing.B) {
	h := open(b)
	holder := h.person("holder@example.com", "")
	for i := range 60 {
		h.key(holder, fmt.Sprintf("program number %d", i), "bearer")
	}
	who := h.signIn("holder@example.com", password)
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/keys", nil)
		for name, value := range who.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		r.Header.Set("X-Forwarded-For", who.address)
		r.Header.Set("User-Agent", who.agent)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if n := strings.Count(w.Body.String(), "program number"); w.Code != http.StatusOK || n != 50 {
			b.Fatalf("status %d, %d keys", w.Code, n)
		}
	}
	if each := b.Elapsed() / time.Duration(b.N); each > 5*time.Millisecond {
		b.Errorf("%v a page, more than 5 ms", each)
	}
}
