// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
)

// A gate in front of a verifier afar says what the server says of a next attempt.
func TestVerifierTellsWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		header string
		want   time.Duration
	}{{"7", 7 * time.Second}, {"", 0}} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			if row.header != "" {
				w.Header().Set("Retry-After", row.header)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":"unavailable","title":"T"}`))
		}))
		t.Cleanup(s.Close)
		c, err := client.New(client.Options{Server: s.URL, Token: gatehouse.NewSecret("t")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.NewVerifier(c, client.VerifierOptions{}).Verify(t.Context(), &gatehouse.Request{Method: "GET", Target: "/"})
		if !errors.Is(err, gatehouse.ErrUnavailable) || gatehouse.RetryAfter(err) != row.want {
			t.Errorf("Retry-After %q: %v, after %v; want %v", row.header, err, gatehouse.RetryAfter(err), row.want)
		}
	}
}
