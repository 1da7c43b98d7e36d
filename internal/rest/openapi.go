// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// config is how huma makes this API: JSON and nothing else, nothing unknown taken, and
// problems of ours.
func (h *Handler) config() huma.Config {
	json := huma.Format{
		Marshal:   huma.DefaultJSONFormat.Marshal,
		Unmarshal: huma.DefaultJSONFormat.Unmarshal,
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Gatehouse", Version: "1",
				Description: "The management API. Its conventions, such as problems, Idempotency-Key, ETag and cursors, are in docs/spec/api.md.",
				License:     &huma.License{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Tags:    tags,
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: securitySchemes,
			},
		},
		Formats:                      map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{h.reshape},
	}
}

var tags = []*huma.Tag{
	{Name: "self", Description: "Who the caller is"},
	{Name: "keys", Description: "API keys and their life"},
	{Name: "rotation", Description: "New secrets for keys, without an outage"},
	{Name: "decisions", Description: "Decisions about requests"},
	{Name: "accounts", Description: "Accounts and service accounts"},
	{Name: "tenants", Description: "Isolated sets of keys, accounts and rules"},
	{Name: "rules", Description: "What the routes of a tenant's services demand"},
	{Name: "usage", Description: "What came to pass"},
	{Name: "audit", Description: "Who changed what"},
	{Name: "signing", Description: "The keys that assertions are signed with"},
	{Name: "cluster", Description: "The processes that share the database, and what they rest on"},
	{Name: "keyring", Description: "The keys that secrets are sealed with; changed through the admin socket only"},
	{Name: "reference", Description: "What this API is"},
}

// The names of the ways in which a caller shows who it is.
const (
	securityBearer  = "bearer"
	securityKey     = "apiKey"
	securitySession = "session"
)

var securitySchemes = map[string]*huma.SecurityScheme{
	securityBearer:  {Type: "http", Scheme: "bearer", Description: "A key's token. Keys of schemes that sign are taken too, with their own header fields."},
	securityKey:     {Type: "apiKey", In: "header", Name: "X-Api-Key", Description: "A key's token"},
	securitySession: {Type: "apiKey", In: "cookie", Name: "_barong_session", Description: "A session of the console"},
}

// document is what huma is told of the route.
func (o *operation) document() huma.Operation {
	op := huma.Operation{
		Method: o.Method, Path: o.Path, OperationID: o.ID, Summary: o.Summary, Description: o.text(), Tags: []string{o.Tag},
		DefaultStatus: o.Status, MaxBodyBytes: -1, BodyReadTimeout: -1, Extensions: map[string]any{},
		Responses: map[string]*huma.Response{
			strconv.Itoa(o.Status): {Description: http.StatusText(o.Status)},
			"default": {Description: "A problem", Content: map[string]*huma.MediaType{
				api.ProblemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}, Examples: o.examples()},
			}},
		},
	}
	if o.Kind != "" {
		op.Responses[strconv.Itoa(o.Status)].Content = map[string]*huma.MediaType{o.Kind: {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	switch {
	case o.Public:
		op.Security = []map[string][]string{{}}
	case !o.SocketOnly:
		op.Security = []map[string][]string{{securityBearer: {}}, {securityKey: {}}, {securitySession: {}}}
	}
	if o.Scope != "" {
		op.Extensions["x-scope"] = string(o.Scope)
	}
	if o.Method == http.MethodPost && o.Repeat != repeatFresh && !o.Public {
		one, most := 1, 255
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: onceField, In: "header", Description: "the same request under the same name happens once; see docs/spec/api.md",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &most},
		})
	}
	return op
}

// text is what the operation's description says: what it does, and who may.
func (o *operation) text() string {
	text := o.Text
	if text != "" {
		text += "\n\n"
	}
	switch {
	case o.Public:
		text += "For everybody."
	case o.SocketOnly:
		text += "Through the admin socket only."
	case o.AnyCaller:
		text += "For every caller."
	default:
		text += "Takes the scope `" + string(o.Scope) + "`."
	}
	if o.DefaultTenantOnly && !o.SocketOnly {
		text += " For superadministrators of the default tenant."
	} else if o.Services {
		text += " For service accounts, and callers with the role admin or superadmin."
	} else if o.Everyone {
		text += " For callers with the role admin or superadmin."
	}
	return text
}

// examples are problems that the operation can answer with.
func (o *operation) examples() map[string]*huma.Example {
	out := map[string]*huma.Example{}
	add := func(err error) {
		p := problem(err)
		out[p.Code] = &huma.Example{Summary: strconv.Itoa(p.Status) + " " + p.Title, Value: p}
	}
	if !o.Public {
		add(&refusal{Status: http.StatusUnauthorized, Code: gatehouse.ReasonInvalidCredential.Code(), Title: "invalid credential"})
	}
	if o.Scope != "" {
		add(&refusal{Status: http.StatusForbidden, Code: gatehouse.ReasonInsufficientScope.Code(), Title: "insufficient scope"})
	}
	if o.Method != http.MethodGet {
		add(&gatehouse.InvalidError{Field: "limits[0].count", Problem: "is too small"})
	}
	return out
}

// document is the OpenAPI document, without what huma adds of its own errors.
func (h *Handler) document() ([]byte, error) {
	schemas := h.api.OpenAPI().Components.Schemas
	schemas.Schema(reflect.TypeFor[api.Problem](), true, "")
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	raw, err := json.Marshal(h.api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("make OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("make OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
