// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"

	"github.com/seed14544106/gatehouse"
)

var actingKey = "SELECT " + joined(keyFields) + ", k.materials, a.state FROM keys k JOIN accounts a ON a.place = k.principal_place " +
	"WHERE k.place = $1 AND k.id = $2 AND k.tenant = $3"

// still refuses changes that a key makes which may not any more what it could when the call
// was judged: since then it may have been revoked or narrowed, on any node. What is read here
// is part of the transaction, so of a revocation and a change by the revoked key one is first,
// and never the revocation. gatehouse.ErrForbidden for a key, or a secret of it, that may
// nothing any more, gatehouse.ErrConflict for one that may something else.
func still(ctx context.Context, tx Querier, es []*gatehouse.Event) error {
	for i, e := range es {
		via := e.Actor.Via
		switch {
		case via == nil || e.Actor.Kind != gatehouse.ActorKey || e.Outcome != gatehouse.OutcomeSucceeded:
		case i > 0 && via == es[i-1].Actor.Via:
		case e.Subject == via.ID && e.Verb == "key.revoke": // a key that may nothing may end itself
		default:
			if err := stillMay(ctx, tx, e); err != nil {
				return err
			}
		}
	}
	return nil
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
		principal := c.text()
		proven := slices.IndexFunc(now.Materials, func(m gatehouse.Material) bool { return m.Version == e.Actor.Material })
		switch {
		case now.State != gatehouse.StateActive || principal != string(gatehouse.PrincipalActive):
		case !now.Expires.IsZero() && !e.Time.Before(now.Expires):
		case e.Actor.Material != 0 && (proven < 0 || ended(&now.Materials[proven], e)):
		case now.Version != via.Version && !sameBounds(&now, via):
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
