// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// TenantState is the state of a tenant, as text. In any but [TenantActive], the empty one
// included, no key of the tenant works.
type TenantState string

// The states of a tenant. Removed is final; the name is not given again.
const (
	TenantActive   TenantState = "active"
	TenantDisabled TenantState = "disabled"
	TenantRemoved  TenantState = "removed"
)

// TenantBrief is what a decision needs to know of a tenant.
type TenantBrief struct {
	State  TenantState
	Limits []Limit // of all its keys together; empty: none
}

// Tenant is an isolated set of keys, accounts and rules.
type Tenant struct {
	Name string // 1 to 63 of a-z, 0-9 and "-", beginning with a letter
	Text string // for people; at most 255 characters, no control characters
	TenantBrief
	Created time.Time // UTC
	Updated time.Time // UTC
	Version int64     // grows by one with every change; guards updates
}

// TenantStore keeps tenants. The default one is there from the start. Implementations pass
// gatehousetest.TenantStore.
type TenantStore interface {
	// Tenant reads a tenant. ErrNotFound.
	Tenant(ctx context.Context, name string) (Tenant, error)

	// ListTenants reads all tenants by name, removed ones too.
	ListTenants(ctx context.Context) ([]Tenant, error)

	// InsertTenant adds a tenant with Version 1. ErrExists when the name is taken, by a
	// removed one too.
	InsertTenant(ctx context.Context, t *Tenant, e *Event) error

	// UpdateTenant replaces the tenant where the stored Version equals t.Version, and
	// stores it with Version+1. A removed tenant stays removed. It is in force for every
	// Lookup when it returns. ErrNotFound, ErrConflict.
	UpdateTenant(ctx context.Context, t *Tenant, e *Event) error
}

// TenantPatch is a change of a tenant. Nil fields stay as they are.
type TenantPatch struct {
	Text    *string
	State   *TenantState
	Limits  *[]Limit
	Version int64 // the version that the change was made for; zero: whichever
}

// Tenants are the verbs on tenants. Make it with [NewTenants]. They are for actors of the
// default tenant that may manage others; to all others they are [ErrForbidden]. Every change
// leaves its event with the default tenant.
type Tenants struct {
	store TenantStore
	clock clock
}

// NewTenants makes the verbs on tenants. now is the clock; nil means time.Now.
func NewTenants(s TenantStore, now func() time.Time) *Tenants {
	if now == nil {
		now = time.Now
	}
	return &Tenants{store: s, clock: clock{read: now}}
}

func mayTenants(a *Actor) error {
	if a.Tenant != DefaultTenant || !a.everyone() {
		return ErrForbidden
	}
	return nil
}

// Get reads a tenant. [ErrNotFound], [ErrForbidden].
func (ts *Tenants) Get(ctx context.Context, actor Actor, name string) (Tenant, error) {
	if err := mayTenants(&actor); err != nil {
		return Tenant{}, err
	}
	return ts.store.Tenant(ctx, name)
}

// List reads all tenants. [ErrForbidden].
func (ts *Tenants) List(ctx context.Context, actor Actor) ([]Tenant, error) {
	if err := mayTenants(&actor); err != nil {
		return nil, err
	}
	return ts.store.ListTenants(ctx)
}

// Create makes a tenant. It can be used when Create returns. *[InvalidError] with field
// "name", "text" or "limits"; [ErrExists], [ErrForbidden].
func (ts *Tenants) Create(ctx context.Context, actor Actor, name, text string, limits []Limit) (Tenant, error) {
	if err := mayTenants(&actor); err != nil {
		return Tenant{}, err
	}
	if err := CheckTenantName(name); err != nil {
		return Tenant{}, err
	}
	now := ts.clock.now()
	t := Tenant{Name: name, Text: text, TenantBrief: TenantBrief{State: TenantActive, Limits: limits}, Created: now, Updated: now, Version: 1}
	if err := t.check(); err != nil {
		return Tenant{}, err
	}
	err := ts.store.InsertTenant(ctx, &t, NewEvent(actor, now, "tenant.create", name, OutcomeSucceeded, t.describe(nil)...))
	if err != nil {
		return Tenant{}, fmt.Errorf("insert tenant: %w", err)
	}
	return t, nil
}

// Update changes a tenant. With another state than active no key of it works when Update
// returns. [TenantRemoved] is final. The default tenant stays active. Changing nothing leaves
// no event. *[InvalidError]; [ErrNotFound]; [ErrConflict] for a removed tenant, or one that
// changed since p.Version; [ErrForbidden].
func (ts *Tenants) Update(ctx context.Context, actor Actor, name string, p TenantPatch) (Tenant, error) {
	if err := mayTenants(&actor); err != nil {
		return Tenant{}, err
	}
	for range updateTries {
		old, err := ts.store.Tenant(ctx, name)
		if err != nil {
			return Tenant{}, err
		}
		t := old
		set(&t.Text, p.Text)
		set(&t.State, p.State)
		set(&t.Limits, p.Limits)
		if err := t.check(); err != nil {
			return Tenant{}, err
		}
		changes := t.describe(&old)
		if old.State == TenantRemoved || p.Version != 0 && p.Version != old.Version {
			return Tenant{}, ErrConflict
		}
		if len(changes) == 0 {
			return old, InForce(ctx, ts.store, name)
		}
		t.Updated = ts.clock.now()
		err = ts.store.UpdateTenant(ctx, &t, NewEvent(actor, t.Updated, "tenant.update", name, OutcomeSucceeded, changes...))
		if err == nil {
			t.Version++
			return t, nil
		}
		if !errors.Is(err, ErrConflict) {
			return Tenant{}, fmt.Errorf("update tenant: %w", err)
		}
	}
	return Tenant{}, fmt.Errorf("update tenant: %w", ErrConflict)
}

// CheckTenantName checks a tenant's name. *[InvalidError] with field "name".
func CheckTenantName(name string) error {
	if name == "" || len(name) > 63 || name[0] < 'a' || name[0] > 'z' || !lower(name) {
		return &InvalidError{Field: "name", Problem: "is not 1 to 63 of a-z, 0-9 and -, beginning with a letter"}
	}
	return nil
}

func lower(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func (t *Tenant) check() error {
	if err := checkName(t.Text); err != nil {
		return &InvalidError{Field: "text", Problem: "longer than 255 characters, or holds control characters"}
	}
	switch t.State {
	case TenantActive, TenantDisabled, TenantRemoved:
	default:
		return &InvalidError{Field: "state", Problem: "is none of active, disabled, removed"}
	}
	if t.Name == DefaultTenant && t.State != TenantActive {
		return &InvalidError{Field: "state", Problem: "of the default tenant is always active"}
	}
	return CheckLimits(t.Limits)
}

// describe lists what differs from old; nil: everything that is set.
func (t *Tenant) describe(old *Tenant) []Change {
	before := &Tenant{}
	if old != nil {
		before = old
	}
	return differences([]Change{
		{"text", before.Text, t.Text}, {"state", string(before.State), string(t.State)},
		{"limits", joinLimits(before.Limits), joinLimits(t.Limits)},
	})
}

// differences keeps the changes that change something.
func differences(all []Change) []Change {
	var out []Change
	for _, c := range all {
		if c.Before != c.After {
			out = append(out, c)
		}
	}
	return out
}

// joinLimits is limits as text for the audit log.
func joinLimits(ls []Limit) string {
	var b []byte
	for i, l := range ls {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, l.Name...), '=')
		b = append(strconv.AppendInt(b, l.Count, 10), '/')
		if l.Refill != RefillNone {
			b = append(b, l.Refill.String()...)
			continue
		}
		b = append(append(b, l.Period.String()...), '+')
		b = strconv.AppendInt(b, l.Burst, 10)
	}
	return string(b)
}
