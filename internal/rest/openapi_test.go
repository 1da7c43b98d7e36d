// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// reading gets a page that everybody may read.
func (h *house) reading(target string) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.public.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK {
		h.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := open(t).reading("/v1/openapi.json")
	if kind := w.Header().Get("Content-Type"); kind != "application/openapi+json" {
		t.Errorf("the document is %s", kind)
	}
	testenv.Golden(t, "../../docs/openapi.json", w.Body.Bytes())
}

// The page stands by itself: no other host, no script, no style of its own, and no link
// that leads nowhere.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.reading("/v1/docs")
	body := w.Body.String()
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'") {
		t.Errorf("policy %s", policy)
	}
	for _, bad := range []string{"<script", "<style", " style=", "http://", "https://", "&lt;", "ZgotmplZ"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("two elements are named %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` href="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if anchor, here := strings.CutPrefix(m[1], "#"); here {
			if !ids[anchor] {
				t.Errorf("a link leads to %s, which is not there", m[1])
			}
			continue
		}
		h.reading(m[1])
	}
}
