// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

const (
	waitsMost    = 1024 // requests that wait at the same time
	waitsMostOne = 256  // of one caller
)

var errWaits = &refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Title: "Too many requests wait already; ask again without waiting"}

// waits counts the requests that wait.
type waits struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by caller
}

// enter counts a request, until leave is called. errWaits: there are too many.
func (w *waits) enter(c *caller) (leave func(), err error) {
	who := c.actor.Tenant + "/" + c.actor.Kind.String() + "/" + c.actor.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= waitsMost || w.of[who] >= waitsMostOne {
		return nil, errWaits
	}
	if w.of == nil {
		w.of = map[string]int{}
	}
	w.all++
	w.of[who]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all--
		if w.of[who]--; w.of[who] == 0 {
			delete(w.of, who)
		}
	}, nil
}

// Drain ends all waiting, now and from now on: who waits is answered at once, and streams
// end. It may be called once.
func (h *Handler) Drain() { close(h.drained) }

// stream answers with server-sent events. What fails before the first is a problem; later
// the stream ends, and who follows comes again.
func (h *Handler) stream(ctx context.Context, c *caller, asked time.Time, since cursor) (*revocationsOut, error) {
	leave, err := h.waits.enter(c)
	if err != nil {
		return nil, err
	}
	s, err := h.ends.read(ctx, c.actor.Tenant, asked)
	if err != nil {
		leave()
		return nil, err
	}
	return &revocationsOut{Body: func(hc huma.Context) {
		defer leave()
		w, _ := hc.BodyWriter().(http.ResponseWriter) // humago's is one
		hc.SetHeader("Content-Type", eventStream)
		hc.SetHeader("X-Accel-Buffering", "no") // nginx would hold events back
		hc.SetStatus(http.StatusOK)
		h.events(ctx, c, w, s, since)
	}}, nil
}

// events writes the list from a place on, and what comes to it, until the list names the
// caller itself, the process drains, or ctx ends.
func (h *Handler) events(ctx context.Context, c *caller, w http.ResponseWriter, s *endsRead, at cursor) {
	flush := http.NewResponseController(w)
	beat := time.NewTicker(beatTime)
	defer beat.Stop()
	for first := true; ; first = false {
		body := s.answer(c.actor.Tenant, at)
		err := event(w, body, first || len(body.Revocations) > 0)
		if err == nil {
			err = flush.Flush()
		}
		if err != nil || !first && c.endedBy(body.Revocations) {
			return
		}
		at = s.mark()
		asked := time.Now()
		select {
		case <-s.heard:
		case <-beat.C: // a sign of life says that there is nothing new: it is looked up
		case <-h.drained:
			return
		case <-ctx.Done():
			return
		}
		if s, err = h.ends.read(ctx, c.actor.Tenant, asked); err != nil {
			return
		}
	}
}

// event writes one event, or a comment where there is nothing to tell.
func event(w io.Writer, body *api.Revocations, news bool) error {
	if !news {
		_, err := io.WriteString(w, ": nothing new\n\n")
		return err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %s\ndata: %s\n\n", body.Cursor, data)
	return err
}

// endedBy reports whether the caller may be one of those that ended.
func (c *caller) endedBy(list []api.Revocation) bool {
	for _, r := range list {
		switch {
		case r.Kind == gatehouse.NoticeTenant.String(), r.Kind == gatehouse.NoticeAll.String():
			return true
		case c.decision != nil && (r.ID == c.decision.Key.ID || r.ID == c.decision.Principal.UID):
			return true
		case c.account != nil && r.ID == c.account.UID:
			return true
		}
	}
	return false
}
