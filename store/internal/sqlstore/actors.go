// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"

	"github.com/seed14544106/gatehouse"
)

const actingAccount = "SELECT state, role FROM accounts WHERE place = $1 AND id = $2 AND tenant = $3"

var actingKey = "SELECT " + joined(keyFields) + ", k.materials, a.state, a.role FROM keys k JOIN accounts a ON a.place = k.principal_place " +
	"WHERE k.place = $1 AND k.id = $2 AND k.tenant = $3"

// still refuses changes by a key or an account that may not any more what it could when the
// call was judged: since then it may have been revoked or banned, narrowed or demoted, on any
// node. What is read here is part of the transaction, so of a revocation and a change by the
// revoked key one is first, and never the revocation. gatehouse.ErrForbidden for an account, a
// key, or a secret of it, that may nothing any more, gatehouse.ErrConflict for one that may
// something else.
func still(ctx context.Context, tx Querier, es []*gatehouse.Event) error {
	for i, e := range es {
		a := &e.Actor
		if e.Outcome != gatehouse.OutcomeSucceeded || i > 0 && a.Kind == es[i-1].Actor.Kind && a.ID == es[i-1].Actor.ID {
			continue
		}
		var err error
		switch {
		case a.Kind == gatehouse.ActorAccount && a.Role != "":
			err = stillActs(ctx, tx, a)
		case a.Kind != gatehouse.ActorKey || a.Via == nil:
		case e.Subject == a.Via.ID && e.Verb == "key.revoke": // a key that may nothing may end itself
		default:
			err = stillMay(ctx, tx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func stillActs(ctx context.Context, tx Querier, a *gatehouse.Actor) error {
	may := error(gatehouse.ErrForbidden)
	err := tx.Query(ctx, actingAccount, []any{Place(a.ID), a.ID, a.Tenant}, func(r Row) error {
		c := columnsOf(r)
		switch state, role := parsePrincipalState(c.text()), c.text(); {
		case !state.MayAct():
		case role != a.Role:
			may = gatehouse.ErrConflict
		default:
			may = nil
		}
		return c.done()
	})
	if err != nil {
		return err
	}
	return may
}

func stillMay(ctx context.Context, tx Querier, e *gatehouse.Event) error {
	via, may := e.Actor.Via, error(gatehouse.ErrForbidden)
	err := tx.Query(ctx, actingKey, []any{Place(via.ID), via.ID, via.Tenant}, func(r Row) error {
		var now gatehouse.Key
		c := columnsOf(r)
		c.open()
		c.key(&now)
		c.shut()
		c.materials(&now)
		principal, role := c.text(), c.text()
		proven := slices.IndexFunc(now.Materials, func(m gatehouse.Material) bool { return m.Version == e.Actor.Material })
		switch {
		case now.State != gatehouse.StateActive || principal != string(gatehouse.PrincipalActive):
		case !now.Expires.IsZero() && !e.Time.Before(now.Expires), now.NotBefore.After(e.Time):
		case e.Actor.Material != 0 && (proven < 0 || ended(&now.Materials[proven], e)):
		case e.Actor.Role != "" && role != e.Actor.Role, now.Version != via.Version && !sameBounds(&now, via):
			may = gatehouse.ErrConflict
		default:
			may = nil
		}
		return c.done()
	})
	if err != nil {
		return err
	}
	return may
}

func ended(m *gatehouse.Material, e *gatehouse.Event) bool {
	return !m.NotAfter.IsZero() && !e.Time.Before(m.NotAfter)
}

// sameBounds reports whether two states of a key may the same, as far as a key bounds what
// its holder changes.
func sameBounds(a, b *gatehouse.Key) bool {
	one, err := keyArgs(a)
	other, failed := keyArgs(b)
	if err != nil || failed != nil {
		return false
	}
	const schemes, replay, expires, unused, signed = 5, 9, 13, 18, 21 // places in keyArgs
	return slices.Equal(one[schemes:replay+1], other[schemes:replay+1]) && one[expires] == other[expires] &&
		slices.Equal(one[unused:signed+1], other[unused:signed+1])
}
