// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz

import (
	"net/http"
	"strconv"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/seed14544106/gatehouse"
)

// partialBody is the field in which Envoy says whether it has cut the body that it sends, in
// place of the client's own of that name. Without a body there is none.
const partialBody = "X-Envoy-Auth-Partial-Body"

// body is the client's body where it is surely whole. sent is what the configuration says:
// that Envoy sends bodies (with_request_body), and none that it has cut. That may be a
// mistake, and then none arrives: so a write has no body only where it says so itself, which
// is how whoever reads it after us will take it. A body of a read has no meaning (RFC 9110
// section 9.3.1).
func body(h *auth.AttributeContext_HttpRequest, fields gatehouse.Header, sent bool) gatehouse.Body {
	bytes := h.GetRawBody()
	if len(bytes) == 0 {
		bytes = []byte(h.GetBody())
	}
	length := fields["Content-Length"]
	sized := len(length) == 1 && length[0] == strconv.Itoa(len(bytes))
	whole, partial, _ := fields.One(partialBody)
	said := len(fields[partialBody]) > 0
	switch {
	case !sent, len(length) > 0 && !sized, said && whole != "false":
	case len(bytes) > 0:
		if partial && !strings.ContainsAny(h.GetBody(), lost+"\uFFFD") {
			return gatehouse.Body{State: gatehouse.BodyPresent, Bytes: bytes}
		}
	case sized, isRead(h.GetMethod()) && fields["Upgrade"] == nil && fields["Transfer-Encoding"] == nil:
		return gatehouse.Body{State: gatehouse.BodyPresent}
	}
	return gatehouse.Body{}
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
