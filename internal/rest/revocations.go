// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

const (
	streamTime = 5 * time.Minute  // after which a stream ends: who follows comes again, with a credential
	beatTime   = 10 * time.Second // between signs of life of a stream
)

// revocationOperations is the route of the list; none where the process has no notices.
func (h *Handler) revocationOperations() []operation {
	if h.c.Notices == nil {
		return nil
	}
	o := does(route{
		Method: http.MethodGet, Path: "/v1/revocations", ID: "listRevocations", Tag: "decisions", Summary: "Follow what was revoked", Status: http.StatusOK,
		Text: "Tells a service that checks JWTs by itself which of them hold no longer. With wait_s the answer waits until there is more than at since, or in If-None-Match. " +
			"With Accept: text/event-stream it is a stream of server-sent events: each is a list, its id is the cursor, and a comment comes every 10 seconds. See docs/spec/api.md.",
		limits: limits{MaxBody: small.MaxBody, Timeout: streamTime}, Scope: gatehouse.ScopeRevocations, Everyone: true, Services: true,
	}, h.listRevocations)
	register := o.register
	o.register = func(h *Handler, op huma.Operation) {
		// Huma does not see what a function writes.
		schema := h.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Revocations](), true, "")
		op.Responses["200"].Content = map[string]*huma.MediaType{"application/json": {Schema: schema}, eventStream: {Schema: &huma.Schema{Type: huma.TypeString}}}
		op.Responses["304"] = &huma.Response{Description: "There is nothing new since If-None-Match"}
		register(h, op)
	}
	return []operation{o}
}

type revocationsIn struct {
	Since  string `query:"since" maxLength:"64" doc:"cursor of the answer before: tells what came since, and may repeat some; absent: all"`
	Wait   int    `query:"wait_s" default:"0" minimum:"0" maximum:"25" doc:"for how long to wait for more"`
	Match  string `header:"If-None-Match" maxLength:"255" doc:"the ETag of the answer before: 304 where there is nothing new"`
	Accept string `header:"Accept" hidden:"true"`
	Last   string `header:"Last-Event-ID" maxLength:"64" doc:"of a stream: since, for who comes again"`
}

type revocationsOut struct {
	ETag string `header:"ETag"`
	Body func(huma.Context)
}

func (h *Handler) listRevocations(ctx context.Context, c *caller, in *revocationsIn) (*revocationsOut, error) {
	asked := time.Now()
	stream := strings.Contains(in.Accept, eventStream)
	text := in.Since
	if stream {
		text = cmp.Or(in.Last, in.Since)
	}
	since, err := parseCursor(text, orderEnds)
	if err != nil {
		return nil, &gatehouse.InvalidError{Field: "since", Problem: "is none of this list: take the cursor of the answer before"}
	}
	if stream {
		return h.stream(ctx, c, asked, since)
	}
	match, known := matched(in.Match)
	at := since
	if in.Since == "" && known {
		at = match
	}
	s, err := h.await(ctx, c, asked, at, time.Duration(in.Wait)*time.Second)
	if err != nil {
		return nil, err
	}
	if _, news := s.after(match); known && !news {
		return &revocationsOut{ETag: tagOf(match), Body: func(c huma.Context) { c.SetStatus(http.StatusNotModified) }}, nil
	}
	body := s.answer(c.actor.Tenant, since)
	return &revocationsOut{ETag: tagOf(s.mark()), Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/json")
		_ = json.NewEncoder(c.BodyWriter()).Encode(body) // the client is gone: nobody is left to tell
	}}, nil
}

// answer is the list for who stands at a place.
func (s *endsRead) answer(tenant string, since cursor) *api.Revocations {
	out := &api.Revocations{Tenant: tenant, Revocations: []api.Revocation{}, Floor: s.floor, Cursor: s.mark().String()}
	list, news := s.after(since)
	for i := 0; news && i < len(list); i++ {
		out.Revocations = append(out.Revocations, list[i].Revocation)
	}
	return out
}

// tagOf is a place as an entity tag: weak, as two lists from one place may repeat different
// ends.
func tagOf(c cursor) string { return `W/"` + c.String() + `"` }

// matched is the place that If-None-Match tells of. What is no single tag of ours matches
// nothing.
func matched(text string) (c cursor, ok bool) {
	inner, err := strconv.Unquote(strings.TrimPrefix(text, "W/"))
	if err != nil || inner == "" {
		return cursor{}, false
	}
	c, err = parseCursor(inner, orderEnds)
	return c, err == nil
}

// await is the list as soon as there is more than at a place, or when wait is over, or the
// process drains.
func (h *Handler) await(ctx context.Context, c *caller, asked time.Time, at cursor, wait time.Duration) (*endsRead, error) {
	s, err := h.ends.read(ctx, c.actor.Tenant, asked)
	if _, news := s.after(at); err != nil || news || wait == 0 {
		return s, err
	}
	leave, err := h.waits.enter(c)
	if err != nil {
		return nil, err
	}
	defer leave()
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		select {
		case <-s.heard:
		case <-over.C:
			return s, nil
		case <-h.drained:
			return s, nil
		case <-ctx.Done(): // the client is gone
			return s, nil
		}
		if s, err = h.ends.read(ctx, c.actor.Tenant, asked); err != nil {
			return nil, err
		}
		if _, news := s.after(at); news {
			return s, nil
		}
	}
}
