// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"math"
	"strconv"

	"github.com/seed14544106/gatehouse"
)

// following is the first place after a row's; empty after the last that there can be.
func following(place int64) string {
	if place == math.MaxInt64 {
		return ""
	}
	return strconv.FormatInt(place+1, 10)
}

// sealedKey reads the columns of keysFrom.
func (c *columns) sealedKey() sealedRow {
	place, id, tenant, version := c.number(), c.text(), c.text(), c.number()
	row := sealedRow{place: following(place)}
	materials, err := decodeMaterials(c.blob())
	if err != nil {
		row.secrets = []sealedSecret{{binding: gatehouse.Binding{Tenant: tenant, ID: id}}}
		return row
	}
	var at []int // where the sealed ones are
	for i, m := range materials {
		if m.Kind == gatehouse.MaterialSealed {
			at = append(at, i)
			row.secrets = append(row.secrets, sealedSecret{
				gatehouse.Binding{Tenant: tenant, ID: id, Version: m.Version}, gatehouse.Sealed{Ref: m.Ref, Data: m.Data},
			})
		}
	}
	row.replace = func(fresh []gatehouse.Sealed) (string, []any, error) {
		for j, i := range at {
			materials[i].Ref, materials[i].Data = fresh[j].Ref, fresh[j].Data
		}
		column, err := encodeMaterials(materials)
		return resealKey, []any{column, place, id, version}, err
	}
	return row
}

// sealedAccount reads the columns of accountsFrom.
func (c *columns) sealedAccount() sealedRow {
	place, id, tenant, version := c.number(), c.text(), c.text(), c.number()
	b := gatehouse.Binding{Tenant: tenant, ID: id, Version: c.number()}
	return sealedRow{
		place:   following(place),
		secrets: []sealedSecret{{b, gatehouse.Sealed{Ref: c.text(), Data: c.blob()}}},
		replace: func(fresh []gatehouse.Sealed) (string, []any, error) {
			return resealAccount, []any{fresh[0].Ref, blob(fresh[0].Data), place, id, version}, nil
		},
		follow: func(ctx context.Context, tx Querier) error { return copyOwner(ctx, tx, tenant, id) },
	}
}

// sealedSigningKey reads the columns of signingKeysFrom.
func (c *columns) sealedSigningKey() sealedRow {
	id, tenant := c.text(), c.text()
	old := gatehouse.Sealed{Ref: c.text(), Data: c.blob()}
	return sealedRow{
		place:   id,
		secrets: []sealedSecret{{gatehouse.Binding{Tenant: tenant, ID: id, Version: onlyVersion}, old}},
		replace: func(fresh []gatehouse.Sealed) (string, []any, error) {
			return resealSigningKey, []any{fresh[0].Ref, blob(fresh[0].Data), id, old.Ref, blob(old.Data)}, nil
		},
	}
}

// sealedReceipt reads the columns of receiptsFrom.
func (c *columns) sealedReceipt() sealedRow {
	tenant, id := c.text(), c.text()
	old := gatehouse.Sealed{Ref: c.text(), Data: c.blob()}
	return sealedRow{
		place:   tenant + separator + id,
		secrets: []sealedSecret{{gatehouse.Binding{Tenant: tenant, ID: id, Version: onlyVersion}, old}},
		replace: func(fresh []gatehouse.Sealed) (string, []any, error) {
			return resealReceipt, []any{fresh[0].Ref, blob(fresh[0].Data), tenant, id, old.Ref, blob(old.Data)}, nil
		},
	}
}
