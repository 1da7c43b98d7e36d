// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// vector is a request with the answer of the real Shield.
type vector struct {
	Name, Method, Path string
	Headers            [][2]string
	Authorization      *string
	AuthorizationB64   []byte          `json:"authorization_b64"`
	Body               []byte          `json:"body_b64"`
	ServerStatus       int             `json:"server_status"`
	ServerBody         json.RawMessage `json:"server_body"`
	ContentType        string          `json:"content_type"`
}

func (v *vector) request() *http.Request {
	r := httptest.NewRequest(v.Method, v.Path, bytes.NewReader(v.Body))
	for _, h := range v.Headers {
		r.Header.Add(h[0], h[1])
	}
	if v.AuthorizationB64 != nil {
		r.Header["Authorization"] = []string{string(v.AuthorizationB64)}
	} else if v.Authorization != nil {
		r.Header["Authorization"] = []string{*v.Authorization}
	}
	return r
}

// A refusal is Shield's byte for byte, where Shield has one: its 500 are ours to refuse.
func TestShieldAnswers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../testdata/vectors/shield-hmac.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Headers []vector `json:"malformed_headers"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Headers) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	h := open(t, filepath.Join(t.TempDir(), "data"), embedded.Options{})
	t.Cleanup(func() { _ = h.Close() })
	_, _, err = h.Authority.Adopt(context.Background(), h.Actor(), []gatehouse.Foreign{{
		ID: "5947b62696fc5ba05fe914dcb3992c67", Secret: gatehouse.NewSecret("gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="),
		Principal: owner(t, h), Scheme: shield.Name, Scopes: gatehouse.Scopes{"users-read"},
	}}, false)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(h.Authority, gate.Options{Denials: gate.ShieldDenials})
	if err != nil {
		t.Fatal(err)
	}
	pass := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	refusal := `{"message":"The access token is invalid."}`
	for _, v := range vectors.Headers {
		want, body := v.ServerStatus, string(v.ServerBody)
		if want == http.StatusInternalServerError {
			want, body = http.StatusUnauthorized, refusal
		}
		w := httptest.NewRecorder()
		g.Require("users-read")(pass).ServeHTTP(w, v.request())
		refused := want == http.StatusUnauthorized
		if w.Code != want || refused && (!same(w.Body.Bytes(), body) || w.Body.String() != refusal || w.Header().Get("Content-Type") != v.ContentType) {
			t.Errorf("%s: %d %s, want %d %s", v.Name, w.Code, w.Body, want, body)
		}
		// The filter for another scope: Shield knows no 403.
		w = httptest.NewRecorder()
		g.Require("users-write")(pass).ServeHTTP(w, v.request())
		if w.Code != http.StatusUnauthorized || w.Body.String() != refusal || w.Header().Get("Content-Type") != v.ContentType || len(w.Header()["Www-Authenticate"]) > 0 {
			t.Errorf("%s, another scope: %d %s", v.Name, w.Code, w.Body)
		}
	}
}

// same reports whether two texts are one JSON value.
func same(got []byte, want string) bool {
	var a, b bytes.Buffer
	return json.Compact(&a, got) == nil && json.Compact(&b, []byte(want)) == nil && bytes.Equal(a.Bytes(), b.Bytes())
}
