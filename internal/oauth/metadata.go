// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import "net/http"

// metadata is the description of RFC 8414 section 2.
type metadata struct {
	Issuer         string   `json:"issuer"`
	Token          string   `json:"token_endpoint"`
	TokenAuth      []string `json:"token_endpoint_auth_methods_supported"`
	Introspection  string   `json:"introspection_endpoint"`
	IntrospectAuth []string `json:"introspection_endpoint_auth_methods_supported"`
	Revocation     string   `json:"revocation_endpoint"`
	RevocationAuth []string `json:"revocation_endpoint_auth_methods_supported"`
	Keys           string   `json:"jwks_uri"`
	Grants         []string `json:"grant_types_supported"`
	Responses      []string `json:"response_types_supported"` // required, and there are none
	Scopes         []string `json:"scopes_supported,omitempty"`
	Documentation  string   `json:"service_documentation,omitempty"`
}

func (d *Door) describe() metadata {
	pair := []string{"client_secret_basic", "client_secret_post"}
	return metadata{
		Issuer: d.c.Issuer,
		Token:  d.c.Issuer + pathToken, TokenAuth: pair,
		Introspection: d.c.Issuer + pathIntrospect, IntrospectAuth: append(pair[:2:2], "Bearer"),
		Revocation: d.c.Issuer + pathRevoke, RevocationAuth: append(pair[:2:2], "Bearer", "none"),
		Keys: d.c.Issuer + pathKeys, Grants: []string{"client_credentials"}, Responses: []string{},
		Scopes: d.c.Scopes.Strings(), Documentation: d.c.Docs,
	}
}

func (d *Door) showMetadata(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(d.metadata) // the client is gone: nobody is left to tell
}
