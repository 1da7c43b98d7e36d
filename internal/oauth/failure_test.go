// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// TestRetryAfter: the answer says when a dependency will be back that knows it; the log is not
// told of each request meanwhile.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"1": gatehouse.Unavailable("x", errors.New("gone")), "7": gatehouse.BelowFloor(6001 * time.Millisecond),
	} {
		var log bytes.Buffer
		d := &Door{c: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		w := httptest.NewRecorder()
		d.refuse(w, httptest.NewRequest(http.MethodPost, pathToken, nil), err)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != want || (log.Len() > 0) != (want == "1") {
			t.Errorf("%v: %d after %q, log %q", err, w.Code, w.Header().Get("Retry-After"), &log)
		}
	}
}
