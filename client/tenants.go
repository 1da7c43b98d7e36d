// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/seed14544106/gatehouse/api"
)

func tenantPath(name string) string { return "/v1/tenants/" + url.PathEscape(name) }

// CreateTenant makes a tenant.
func (c *Client) CreateTenant(ctx context.Context, n api.NewTenant) (out api.Tenant, err error) {
	err = c.post(ctx, "/v1/tenants", n, &out)
	return out, err
}

// Tenants lists all tenants by name, removed ones too.
func (c *Client) Tenants(ctx context.Context) (out api.Tenants, err error) {
	err = c.read(ctx, "/v1/tenants", &out)
	return out, err
}

// Tenant reads a tenant.
func (c *Client) Tenant(ctx context.Context, name string) (out api.Tenant, err error) {
	err = c.read(ctx, tenantPath(name), &out)
	return out, err
}

// UpdateTenant changes a tenant that has this version; zero: whichever it has.
func (c *Client) UpdateTenant(ctx context.Context, name string, version int64, p api.PatchTenant) (out api.Tenant, err error) {
	err = c.replace(ctx, http.MethodPatch, tenantPath(name), version, p, &out)
	return out, err
}

// RemoveTenant ends a tenant for good. None of its keys works any more when it returns.
func (c *Client) RemoveTenant(ctx context.Context, name string) error {
	return c.do(ctx, &request{method: http.MethodDelete, path: tenantPath(name)}, nil)
}

// Rules reads the tenant's route rules.
func (c *Client) Rules(ctx context.Context) (out api.Rules, err error) {
	err = c.read(ctx, "/v1/rules", &out)
	return out, err
}

// SetRules replaces the tenant's route rules where they have this version; zero: whichever
// they have.
func (c *Client) SetRules(ctx context.Context, version int64, rules map[string]any) (out api.Rules, err error) {
	err = c.write(ctx, ruleChange(http.MethodPut, version), api.Rules{Rules: rules}, &out)
	return out, err
}

// RemoveRules removes the tenant's route rules where they have this version; zero: whichever
// they have. Gates let any valid key pass then.
func (c *Client) RemoveRules(ctx context.Context, version int64) error {
	return c.do(ctx, ruleChange(http.MethodDelete, version), nil)
}

// ruleChange is a change of rules that have this version; zero: whichever they have.
func ruleChange(method string, version int64) *request {
	match := "*"
	if version != 0 {
		match = etag(version)
	}
	return &request{method: method, path: "/v1/rules", header: http.Header{"If-Match": {match}}}
}

// ExplainRule says which rule is for a request.
func (c *Client) ExplainRule(ctx context.Context, q api.Explain) (out api.Explained, err error) {
	err = c.ask(ctx, "/v1/rules/explain", q, &out)
	return out, err
}

// SigningKeys lists the keys that assertions are signed with, newest first.
func (c *Client) SigningKeys(ctx context.Context) (out api.SigningKeys, err error) {
	err = c.read(ctx, "/v1/signing-keys", &out)
	return out, err
}

// RotateSigningKeys publishes the next signing key; it signs after a while, when everybody
// knows it.
func (c *Client) RotateSigningKeys(ctx context.Context) (out api.SigningKeys, err error) {
	err = c.post(ctx, "/v1/signing-keys/rotate", struct{}{}, &out)
	return out, err
}
