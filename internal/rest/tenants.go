// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) tenantOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/tenants", ID: "createTenant", Tag: "tenants", Summary: "Make a tenant", Status: http.StatusCreated,
			Text:   "It can be used when the answer comes. Its first account is made through the admin socket.",
			limits: small, Scope: gatehouse.ScopeTenants, DefaultTenantOnly: true, again: h.tenantAgain,
		}, h.createTenant),
		does(route{
			Method: http.MethodGet, Path: "/v1/tenants", ID: "listTenants", Tag: "tenants", Summary: "List all tenants", Status: http.StatusOK,
			Text:   "By name, removed ones too.",
			limits: small, Scope: gatehouse.ScopeTenantsRead, DefaultTenantOnly: true,
		}, h.listTenants),
		does(route{
			Method: http.MethodGet, Path: "/v1/tenants/{name}", ID: "getTenant", Tag: "tenants", Summary: "Read a tenant", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeTenantsRead, DefaultTenantOnly: true,
		}, h.getTenant),
		does(route{
			Method: http.MethodPatch, Path: "/v1/tenants/{name}", ID: "updateTenant", Tag: "tenants", Summary: "Change a tenant", Status: http.StatusOK,
			Text:   "No key of a disabled tenant works when the answer comes.",
			limits: small, Scope: gatehouse.ScopeTenants, DefaultTenantOnly: true,
		}, h.updateTenant),
		does(route{
			Method: http.MethodDelete, Path: "/v1/tenants/{name}", ID: "removeTenant", Tag: "tenants", Summary: "End a tenant for good", Status: http.StatusNoContent,
			Text:   "No key of it works when the answer comes. Its name is not given again.",
			limits: small, Scope: gatehouse.ScopeTenants, DefaultTenantOnly: true,
		}, h.removeTenant),
	}
}

// TenantPath names a tenant.
type TenantPath struct {
	Name string `path:"name" maxLength:"63" doc:"name of the tenant"`
}

type tenantOut struct {
	ETag string `header:"ETag"`
	Body api.Tenant
}

type tenantsOut struct{ Body api.Tenants }

func (h *Handler) createTenant(ctx context.Context, c *caller, in *struct{ Body api.NewTenant }) (*tenantOut, error) {
	limits, err := limitsIn(in.Body.Limits)
	if err != nil {
		return nil, err
	}
	t, err := h.tenants.Create(ctx, c.actor, in.Body.Name, in.Body.Text, limits)
	return shownTenant(&t, err)
}

// tenantAgain is the tenant of a change that was made before.
func (h *Handler) tenantAgain(ctx context.Context, c *caller, name string) (any, error) {
	t, err := h.tenants.Get(ctx, c.actor, name)
	return tenantBody(&t), err
}

func (h *Handler) listTenants(ctx context.Context, c *caller, _ *struct{}) (*tenantsOut, error) {
	all, err := h.tenants.List(ctx, c.actor)
	if err != nil {
		return nil, err
	}
	out := &tenantsOut{Body: api.Tenants{Tenants: []api.Tenant{}}}
	for i := range all {
		out.Body.Tenants = append(out.Body.Tenants, tenantBody(&all[i]))
	}
	return out, nil
}

func (h *Handler) getTenant(ctx context.Context, c *caller, in *TenantPath) (*tenantOut, error) {
	t, err := h.tenants.Get(ctx, c.actor, in.Name)
	return shownTenant(&t, err)
}

func (h *Handler) updateTenant(ctx context.Context, c *caller, in *struct {
	TenantPath
	Precondition
	Body api.PatchTenant
}) (*tenantOut, error) {
	p := gatehouse.TenantPatch{Text: in.Body.Text}
	if in.Body.State != nil {
		p.State = new(gatehouse.TenantState(*in.Body.State))
	}
	err := convert(&p.Limits, in.Body.Limits, limitsIn)
	if err == nil {
		p.Version, err = in.version()
	}
	if err != nil {
		return nil, err
	}
	t, err := h.tenants.Update(ctx, c.actor, in.Name, p)
	if errors.Is(err, gatehouse.ErrConflict) && p.Version != 0 {
		if now, err := h.tenants.Get(ctx, c.actor, in.Name); err == nil && now.Version != p.Version {
			return nil, errPrecondition
		}
	}
	return shownTenant(&t, err)
}

// removeTenant finds a tenant that is removed already as it should be.
func (h *Handler) removeTenant(ctx context.Context, c *caller, in *TenantPath) (*struct{}, error) {
	_, err := h.tenants.Update(ctx, c.actor, in.Name, gatehouse.TenantPatch{State: new(gatehouse.TenantRemoved)})
	if errors.Is(err, gatehouse.ErrConflict) {
		if now, err := h.tenants.Get(ctx, c.actor, in.Name); err == nil && now.State == gatehouse.TenantRemoved {
			return &struct{}{}, nil
		}
	}
	return &struct{}{}, err
}

// shownTenant answers with a tenant that a verb returned.
func shownTenant(t *gatehouse.Tenant, err error) (*tenantOut, error) {
	return &tenantOut{ETag: etag(t.Version), Body: tenantBody(t)}, err
}

// tenantBody is a tenant as the wire has it.
func tenantBody(t *gatehouse.Tenant) api.Tenant {
	return api.Tenant{
		Name: t.Name, Text: t.Text, State: string(t.State), Limits: limitsOut(t.Limits), Created: t.Created, Updated: t.Updated, Version: t.Version,
	}
}
