// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// pass is an answer that lets a request pass, in one piece.
type pass struct {
	response auth.CheckResponse
	http     auth.CheckResponse_OkResponse
	ok       auth.OkHttpResponse
	metadata structpb.Struct
}

// identities is how many fields a verdict yields.
const identities = 8

var statusOK = &status.Status{Code: int32(codes.OK)}

// allowed lets the request pass: with the identity in place of whatever the client claims,
// and without its credential. Envoy keeps no empty field, so those are removed; it removes
// after it has set, so no field is in both lists. The lists are there on the wire only.
func (s *Server) allowed(v *gate.Verdict, q *gatehouse.Request) *auth.CheckResponse {
	p := &pass{}
	ok := make(wire, 0, 4*usual)
	names := make([]string, 0, identities)
	v.Identity(func(name, value string) {
		names = append(names, name)
		if value == "" {
			ok = ok.name(okRemove, name)
			return
		}
		ok = ok.overwrite(okHeaders, name, value)
	})
	for name := range q.Header {
		if s.hides(name) && !slices.Contains(names, name) {
			ok = ok.name(okRemove, name)
		}
	}
	if d := v.Decision; d != nil {
		announced(d, func(name, value string) { ok = ok.overwrite(okResponse, name, value) })
		p.metadata.ProtoReflect().SetUnknown(protoreflect.RawFields(metadata(d)))
		p.response.DynamicMetadata = &p.metadata
	}
	p.ok.ProtoReflect().SetUnknown(protoreflect.RawFields(ok))
	p.http.OkResponse = &p.ok
	p.response.Status, p.response.HttpResponse = statusOK, &p.http
	return &p.response
}

// announced calls set with what a client learns of its limits and of the end of its secret.
func announced(d *gatehouse.Decision, set func(name, value string)) {
	if d.Limit.Name == "" && d.Deprecated.IsZero() && d.Sunset.IsZero() {
		return // nothing, mostly: no map is made for it
	}
	h := http.Header{}
	gate.Announce(h, d)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		set(name, h.Get(name))
	}
}

// grpcCodes are those of the statuses; others are PermissionDenied. Envoy looks at the HTTP
// status alone.
var grpcCodes = map[int]codes.Code{
	http.StatusUnauthorized: codes.Unauthenticated, http.StatusTooManyRequests: codes.ResourceExhausted, http.StatusServiceUnavailable: codes.Unavailable,
}

// denied refuses the request with the answer that every other gate gives.
func denied(d *gate.Denial, decision *gatehouse.Decision, challenge gatehouse.Header) *auth.CheckResponse {
	code, ok := grpcCodes[d.Status]
	if !ok {
		code = codes.PermissionDenied
	}
	no := &auth.DeniedHttpResponse{Status: &envoytype.HttpStatus{Code: envoytype.StatusCode(d.Status)}}
	// Envoy first removes the fields that are to be set and then adds each, so that several
	// of one name stay. One that is to be appended is lost on a denial (ext_authz.cc).
	set := func(name, value string) {
		no.Headers = append(no.Headers, &core.HeaderValueOption{
			Header: &core.HeaderValue{Key: strings.ToLower(name), Value: value}, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	set("Content-Type", api.ProblemType)
	set("Cache-Control", "no-store")
	set("X-Content-Type-Options", "nosniff")
	set("X-Auth-Error", d.Code)
	if d.RetryAfter > 0 {
		set("Retry-After", gate.Seconds(d.RetryAfter))
	}
	if decision != nil {
		announced(decision, set)
	}
	for _, name := range slices.Sorted(maps.Keys(challenge)) {
		for _, value := range challenge[name] {
			set(name, value)
		}
	}
	body, _ := json.Marshal(api.Problem{Status: d.Status, Code: d.Code, Title: d.Title}) // never fails: it has texts and numbers only
	no.Body = string(body)
	return &auth.CheckResponse{
		Status:       &status.Status{Code: int32(code), Message: d.Code},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: no},
	}
}
