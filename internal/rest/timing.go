// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/http"
	"strconv"
	"time"
)

// timed tells in Server-Timing how long a change took to be in force on every node: when it
// is answered, it is.
func timed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next(&timing{ResponseWriter: w, begin: time.Now()}, r)
	}
}

type timing struct {
	http.ResponseWriter
	begin time.Time
	done  bool
}

func (t *timing) WriteHeader(status int) {
	if !t.done && status >= http.StatusOK {
		t.done = true
		if status < http.StatusMultipleChoices {
			ms := float64(time.Since(t.begin).Microseconds()) / 1000
			t.Header().Set("Server-Timing", string(strconv.AppendFloat([]byte("in-force;dur="), ms, 'f', 1, 64)))
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *timing) Write(p []byte) (int, error) {
	if !t.done {
		t.WriteHeader(http.StatusOK)
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (t *timing) Unwrap() http.ResponseWriter { return t.ResponseWriter }
