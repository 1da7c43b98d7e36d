// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"

	"github.com/seed14544106/gatehouse"
)

const (
	tenantFields = "t.state, t.limits"

	tenantColumns = "t.name, t.text, t.state, t.limits, t.created, t.updated, t.version"

	getTenant = "SELECT " + tenantColumns + " FROM tenants t WHERE t.name = $1"

	listTenants = "SELECT " + tenantColumns + " FROM tenants t ORDER BY t.name"

	insertTenant = "INSERT INTO tenants (name, text, state, limits, created, updated, version) VALUES ($1, $2, $3, $4, $5, $6, 1)"

	updateTenant = "UPDATE tenants SET text = $2, state = $3, limits = $4, created = $5, updated = $6, version = version + 1 " +
		"WHERE name = $1 AND version = $7 AND (state <> 'removed' OR state = $3)"

	hasTenant = "SELECT 1 FROM tenants WHERE name = $1 AND name = $2"
)

// tenantOfKey is the fields of a key's tenant, joined: empty ones where there is no row.
var tenantOfKey = "coalesce((SELECT " + joined(tenantFields) + " FROM tenants t WHERE t.name = k.tenant), '" + separator + "')"

// Tenant implements [gatehouse.TenantStore].
func (db *DB) Tenant(ctx context.Context, name string) (gatehouse.Tenant, error) {
	var out gatehouse.Tenant
	err := db.one(ctx, getTenant, []any{name}, func(r Row) error {
		c := columnsOf(r)
		c.tenant(&out)
		return c.done()
	})
	if err != nil {
		return gatehouse.Tenant{}, db.fail("read tenant", err)
	}
	return out, nil
}

// ListTenants implements [gatehouse.TenantStore].
func (db *DB) ListTenants(ctx context.Context) ([]gatehouse.Tenant, error) {
	var tenants []gatehouse.Tenant
	err := db.read(ctx, listTenants, nil, func(r Row) error {
		c := columnsOf(r)
		var t gatehouse.Tenant
		c.tenant(&t)
		tenants = append(tenants, t)
		return c.done()
	})
	if err != nil {
		return nil, db.fail("list tenants", err)
	}
	return tenants, nil
}

// InsertTenant implements [gatehouse.TenantStore]. Keys of the tenant may have been looked up
// while it was not there.
func (db *DB) InsertTenant(ctx context.Context, t *gatehouse.Tenant, e *gatehouse.Event) error {
	args, err := tenantArgs(t)
	if err != nil {
		return db.fail("insert tenant", err)
	}
	return db.told(ctx, "insert tenant", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		_, err := exec(ctx, tx, insertTenant, args...)
		return notice(gatehouse.NoticeTenant, t.Name, "", false), err
	})
}

// UpdateTenant implements [gatehouse.TenantStore]. An update that would bring a removed
// tenant back is an ErrConflict.
func (db *DB) UpdateTenant(ctx context.Context, t *gatehouse.Tenant, e *gatehouse.Event) error {
	args, err := tenantArgs(t)
	if err != nil {
		return db.fail("update tenant", err)
	}
	args = append(args, t.Version)
	return db.told(ctx, "update tenant", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		n, err := exec(ctx, tx, updateTenant, args...)
		if err == nil && n == 0 {
			err = missed(ctx, tx, hasTenant, t.Name, t.Name)
		}
		return notice(gatehouse.NoticeTenant, t.Name, "", e.Ends()), err
	})
}

// tenant reads tenantColumns.
func (c *columns) tenant(t *gatehouse.Tenant) {
	t.Name, t.Text = c.text(), c.text()
	t.State = enum(c, parseTenantState)
	t.Limits = c.limits()
	t.Created, t.Updated = c.moment(), c.moment()
	t.Version = c.number()
}

// tenantArgs are the arguments $1 to $6 of insertTenant and updateTenant.
func tenantArgs(t *gatehouse.Tenant) ([]any, error) {
	if parseTenantState(string(t.State)) == "" {
		return nil, &gatehouse.InvalidError{Field: "state", Problem: "is none"}
	}
	limits, err := limitList(t.Limits)
	if err != nil {
		return nil, err
	}
	return []any{t.Name, t.Text, string(t.State), limits, micros(t.Created), micros(t.Updated)}, nil
}

// parseTenantState returns the empty state for an unknown word.
func parseTenantState(text string) gatehouse.TenantState {
	switch s := gatehouse.TenantState(text); s {
	case gatehouse.TenantActive, gatehouse.TenantDisabled, gatehouse.TenantRemoved:
		return s
	}
	return ""
}
