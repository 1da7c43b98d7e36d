// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	listDataKeys = "SELECT id, tenant, purpose, kek, wrapped, created FROM data_keys ORDER BY created DESC, id DESC"

	insertDataKey = "INSERT INTO data_keys (id, tenant, purpose, kek, wrapped, created) VALUES ($1, $2, $3, $4, $5, $6)"

	rewrapDataKey = "UPDATE data_keys SET kek = $3, wrapped = $4 WHERE id = $1 AND tenant = $2 AND kek = $5"

	listSigningKeys = "SELECT id, tenant, algorithm, private_ref, private_data, public, created, signs, retires " +
		"FROM signing_keys WHERE tenant = $1 ORDER BY created DESC, id DESC"

	insertSigningKey = "INSERT INTO signing_keys (id, tenant, algorithm, private_ref, private_data, public, created, signs, retires) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"

	retireSigningKey = "UPDATE signing_keys SET retires = $3 WHERE tenant = $1 AND id = $2"

	deleteSigningKey = "DELETE FROM signing_keys WHERE tenant = $1 AND id = $2"
)

// DataKeys implements [gatehouse.DataKeyStore].
func (db *DB) DataKeys(ctx context.Context) ([]gatehouse.DataKey, error) {
	var keys []gatehouse.DataKey
	err := db.read(ctx, listDataKeys, nil, func(r Row) error {
		c := columnsOf(r)
		keys = append(keys, gatehouse.DataKey{
			ID: c.text(), Tenant: c.text(), Purpose: c.text(), KEK: c.text(), Wrapped: c.blob(), Created: c.moment(),
		})
		return c.done()
	})
	if err != nil {
		return nil, db.fail("read data keys", err)
	}
	return keys, nil
}

// InsertDataKey implements [gatehouse.DataKeyStore].
func (db *DB) InsertDataKey(ctx context.Context, k *gatehouse.DataKey, e *gatehouse.Event) error {
	return db.change(ctx, "insert data key", e, func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, insertDataKey, k.ID, k.Tenant, k.Purpose, k.KEK, blob(k.Wrapped), micros(k.Created))
		return err
	})
}

// RewrapDataKey implements [gatehouse.DataKeyStore].
func (db *DB) RewrapDataKey(ctx context.Context, k *gatehouse.DataKey, oldKEK string, e *gatehouse.Event) error {
	return db.change(ctx, "rewrap data key", e, func(ctx context.Context, tx Querier) error {
		n, err := exec(ctx, tx, rewrapDataKey, k.ID, k.Tenant, k.KEK, blob(k.Wrapped), oldKEK)
		return found(n, err)
	})
}

// SigningKeys implements [gatehouse.SigningKeyStore].
func (db *DB) SigningKeys(ctx context.Context, tenant string) ([]gatehouse.SigningKey, error) {
	var keys []gatehouse.SigningKey
	err := db.read(ctx, listSigningKeys, []any{tenant}, func(r Row) error {
		c := columnsOf(r)
		keys = append(keys, gatehouse.SigningKey{
			ID: c.text(), Tenant: c.text(), Algorithm: c.text(),
			Private: gatehouse.Sealed{Ref: c.text(), Data: c.blob()},
			Public:  c.blob(), Created: c.moment(), Signs: c.moment(), Retires: c.moment(),
		})
		return c.done()
	})
	if err != nil {
		return nil, db.fail("read signing keys", err)
	}
	return keys, nil
}

// InsertSigningKey implements [gatehouse.SigningKeyStore].
func (db *DB) InsertSigningKey(ctx context.Context, k *gatehouse.SigningKey, e *gatehouse.Event) error {
	return db.told(ctx, "insert signing key", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		_, err := exec(ctx, tx, insertSigningKey, k.ID, k.Tenant, k.Algorithm,
			k.Private.Ref, blob(k.Private.Data), blob(k.Public), micros(k.Created), micros(k.Signs), micros(k.Retires))
		return notice(gatehouse.NoticeSigning, k.Tenant, "", false), err
	})
}

// RetireSigningKey implements [gatehouse.SigningKeyStore].
func (db *DB) RetireSigningKey(ctx context.Context, tenant, id string, retires time.Time, e *gatehouse.Event) error {
	return db.told(ctx, "retire signing key", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		n, err := exec(ctx, tx, retireSigningKey, tenant, id, micros(retires))
		return notice(gatehouse.NoticeSigning, tenant, "", false), found(n, err)
	})
}

// DeleteSigningKey implements [gatehouse.SigningKeyStore].
func (db *DB) DeleteSigningKey(ctx context.Context, tenant, id string, e *gatehouse.Event) error {
	return db.told(ctx, "delete signing key", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		n, err := exec(ctx, tx, deleteSigningKey, tenant, id)
		return notice(gatehouse.NoticeSigning, tenant, "", false), found(n, err)
	})
}

// found turns a change of no row into gatehouse.ErrNotFound.
func found(n int64, err error) error {
	if err == nil && n == 0 {
		return gatehouse.ErrNotFound
	}
	return err
}
