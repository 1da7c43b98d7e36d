// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import "context"

// A look-up reads one row: the key's, with a copy of its principal. Finding a second row
// for the principal costs as much again, and twice that where the tables are large and
// rows lie apart. The copy is written by the transaction that writes the principal or the
// key, from the principal's own row, so that no reader sees one without the other. It is
// the fields of a principal as [joined] puts them together, and joins on to the key's.

// ownerAt is the copy of the principal at a place. There is none for a principal that is
// not there; the foreign key then refuses the key.
func ownerAt(place string) string {
	return "coalesce((SELECT " + joined(principalFields) + " FROM accounts a WHERE a.place = " + place + "), '')"
}

// copyOwners is for the keys of an account and of the service accounts it owns.
var copyOwners = "UPDATE keys SET owner = " + ownerAt("keys.principal_place") + " WHERE tenant = $1 AND principal IN " +
	"(SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM accounts WHERE tenant = $1 AND owner = $2 AND owner <> '')"

// copyOwner brings the copies of an account that this transaction has changed up to it,
// and those of its service accounts.
func copyOwner(ctx context.Context, tx Querier, tenant, id string) error {
	_, err := exec(ctx, tx, copyOwners, tenant, id)
	return err
}
