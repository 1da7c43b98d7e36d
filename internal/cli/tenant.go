// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type tenantCommand struct {
	Create tenantCreate `cmd:"" help:"Make a tenant."`
	List   tenantList   `cmd:"" help:"List tenants, removed ones too."`
	Show   tenantShow   `cmd:"" help:"Show one tenant."`
	Update tenantUpdate `cmd:"" help:"Change a tenant's text, state or limits."`
	Remove tenantRemove `cmd:"" help:"End a tenant and all its keys, for good. Its name is not given again."`
}

type tenantCreate struct {
	limitFlags
	Name string `arg:"" help:"Its name: 1 to 63 of a-z, 0-9 and -, beginning with a letter."`
	Text string `help:"What it is, for people."`
}

func (c *tenantCreate) Run(e *env, cl *client.Client) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	t, err := cl.CreateTenant(e.ctx, api.NewTenant{Name: c.Name, Text: c.Text, Limits: limits})
	return e.tenants([]api.Tenant{t}, err)
}

type tenantList struct{}

func (c *tenantList) Run(e *env, cl *client.Client) error {
	all, err := cl.Tenants(e.ctx)
	return e.tenants(all.Tenants, err)
}

type tenantShow struct {
	Name string `arg:"" help:"Name."`
}

func (c *tenantShow) Run(e *env, cl *client.Client) error {
	t, err := cl.Tenant(e.ctx, c.Name)
	return e.tenants([]api.Tenant{t}, err)
}

type tenantUpdate struct {
	limitFlags
	Name    string   `arg:"" help:"Name."`
	Text    *string  `help:"What it is, for people."`
	State   string   `help:"active, or disabled: none of its keys works." enum:"active,disabled," default:"" placeholder:"STATE"`
	Clear   []string `help:"What to take away: limits." enum:"limits"`
	Version int64    `name:"if-version" help:"Change the tenant only while it has this version." placeholder:"N"`
}

func (c *tenantUpdate) Run(e *env, cl *client.Client) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	p := api.PatchTenant{Text: c.Text, Limits: changed(limits, c.Clear, "limits")}
	if c.State != "" {
		p.State = &c.State
	}
	t, err := cl.UpdateTenant(e.ctx, c.Name, c.Version, p)
	return e.tenants([]api.Tenant{t}, err)
}

type tenantRemove struct {
	sure
	Name string `arg:"" help:"Name."`
}

func (c *tenantRemove) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "End the tenant "+printable(c.Name)+" and all its keys?"); err != nil {
		return err
	}
	return cl.RemoveTenant(e.ctx, c.Name)
}

// tenants prints tenants.
func (e *env) tenants(all []api.Tenant, err error) error {
	if err != nil {
		return err
	}
	return print(e, all, []string{"NAME", "STATE", "TEXT", "LIMITS", "CREATED", "VERSION"}, func(t *api.Tenant) []string {
		return []string{t.Name, t.State, t.Text, limitsText(t.Limits), moment(&t.Created), number64(t.Version)}
	})
}
