// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Route is one way into the process, with its limits. A route without a limit does not
// come into being.
type Route struct {
	Pattern string        // as http.ServeMux takes it, with a method: "GET /v1/keys"
	MaxBody int64         // bytes of body at most; a longer one ends reading with an error
	Timeout time.Duration // how long a handler may take; its context ends then
	Handler http.HandlerFunc
}

// Mount adds routes to mux. It panics for a route without a method, limit or handler:
// that is a mistake of ours, found by the first test that starts a server.
func Mount(mux *http.ServeMux, routes []Route) {
	for _, r := range routes {
		if err := r.check(); err != nil {
			panic(err)
		}
		mux.HandleFunc(r.Pattern, r.serve)
	}
}

func (r *Route) check() error {
	if r.MaxBody <= 0 || r.Timeout <= 0 || r.Handler == nil {
		return fmt.Errorf("route %q lacks a body limit, a timeout or a handler", r.Pattern)
	}
	return nil
}

func (r *Route) serve(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), r.Timeout)
	defer cancel()
	req.Body = http.MaxBytesReader(w, req.Body, r.MaxBody)
	r.Handler(w, req.WithContext(ctx))
}
