// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// tenantsPage is all tenants, and the form that makes one.
type tenantsPage struct {
	Tenants            []api.Tenant
	Name, Text, Limits string // as typed
	Problem            string
}

func (v *visit) showTenants() error { return v.tenantsPage(http.StatusOK, "") }

func (v *visit) tenantsPage(status int, problem string) error {
	all, err := v.api.Tenants(v.r.Context())
	if err != nil {
		return err
	}
	return v.show(status, "operate-tenants.html", "Tenants", tenantsPage{
		Tenants: all.Tenants, Problem: problem,
		Name: v.r.PostFormValue("name"), Text: v.r.PostFormValue("text"), Limits: v.r.PostFormValue("limits"),
	})
}

func (v *visit) createTenant() error {
	var t api.Tenant
	limits, err := readLimits(v.r.PostFormValue("limits"))
	if err == nil {
		n := api.NewTenant{Name: strings.TrimSpace(v.r.PostFormValue("name")), Text: v.r.PostFormValue("text"), Limits: limits}
		t, err = v.api.CreateTenant(v.r.Context(), n)
	}
	if status, text := v.refusal(err); text != "" {
		return v.tenantsPage(status, text)
	}
	if err != nil {
		return err
	}
	return v.to(tenantAt(t.Name), "tenant-created")
}

// tenantAt is where the page of a tenant is.
func tenantAt(name string) string { return "/operate/tenants/" + url.PathEscape(name) }

// tenantPage is one tenant.
type tenantPage struct {
	Tenant  api.Tenant
	Text    string // as typed
	Limits  string
	Default bool   // it is the one that is always there
	Confirm string // what was typed to remove it
	Problem string
}

func (v *visit) showTenant() error { return v.tenantPage(http.StatusOK, "") }

func (v *visit) tenantPage(status int, problem string) error {
	t, err := v.api.Tenant(v.r.Context(), v.r.PathValue("name"))
	if err != nil {
		return err
	}
	page := tenantPage{Tenant: t, Text: t.Text, Limits: limitLines(t.Limits), Default: t.Name == gatehouse.DefaultTenant, Confirm: v.r.PostFormValue("confirm"), Problem: problem}
	if v.r.PostForm.Has("limits") {
		page.Text, page.Limits = v.r.PostFormValue("text"), v.r.PostFormValue("limits")
	}
	return v.show(status, "operate-tenant.html", "Tenant", page)
}

func (v *visit) changeTenant() error {
	ctx, name, what := v.r.Context(), v.r.PathValue("name"), v.r.PathValue("what")
	version, err := strconv.ParseInt(v.r.PostFormValue("version"), 10, 64)
	if err != nil || version < 1 {
		return errForm
	}
	switch what {
	case "text":
		var limits []api.Limit
		if limits, err = readLimits(v.r.PostFormValue("limits")); err == nil {
			_, err = v.api.UpdateTenant(ctx, name, version, api.PatchTenant{Text: new(v.r.PostFormValue("text")), Limits: &limits})
		}
	case "disable":
		_, err = v.api.UpdateTenant(ctx, name, version, api.PatchTenant{State: new(string(gatehouse.TenantDisabled))})
	case "enable":
		_, err = v.api.UpdateTenant(ctx, name, version, api.PatchTenant{State: new(string(gatehouse.TenantActive))})
	case "remove":
		if !v.confirms(name) {
			return v.tenantPage(http.StatusUnprocessableEntity, "Type the name of the tenant to remove it. Nothing was done.")
		}
		err = v.api.RemoveTenant(ctx, name)
	default:
		return gatehouse.ErrNotFound
	}
	if isStatus(err, http.StatusPreconditionFailed) {
		return v.tenantPage(http.StatusPreconditionFailed, "Somebody else changed the tenant meanwhile. This is how it is now; nothing was done.")
	}
	if status, text := v.refusal(err); text != "" {
		return v.tenantPage(status, text)
	}
	if err != nil {
		return err
	}
	return v.to(tenantAt(name), "tenant-"+what)
}
