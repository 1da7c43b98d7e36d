// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	receiptColumns = "tenant, id, request, verb, subject, sealed_ref, sealed_data, status, answer, created"

	insertReceipt = "INSERT INTO receipts (" + receiptColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant, id) DO "

	insertNewReceipt = insertReceipt + "NOTHING"

	keepAnswer = insertReceipt + "UPDATE SET status = excluded.status, answer = excluded.answer WHERE receipts.status = 0"

	getReceipt = "SELECT " + receiptColumns + " FROM receipts WHERE tenant = $1 AND id = $2"

	forgetSecret = "UPDATE receipts SET sealed_ref = '', sealed_data = NULL WHERE tenant = $1 AND id = $2 AND sealed_ref <> ''"

	// The 5,000th of all receipts, oldest first, is where one call stops.
	purgeReceipts = "DELETE FROM receipts WHERE created < $1 AND " +
		"created <= COALESCE((SELECT created FROM receipts ORDER BY created LIMIT 1 OFFSET 4999), $1)"
)

// once stores the receipts of what events tell of, one for each [gatehouse.Once]. It comes
// first in a transaction, so that a change that was made before is told from one that
// cannot be made. An attempt that failed or was denied leaves no receipt: nothing changed,
// and it may be made again.
func once(ctx context.Context, tx Querier, es []*gatehouse.Event) error {
	stored := map[string]bool{}
	for _, e := range es {
		o := e.Actor.Once
		if o == nil || e.Outcome != gatehouse.OutcomeSucceeded || stored[o.ID] {
			continue
		}
		stored[o.ID] = true
		r := gatehouse.Receipt{Tenant: e.Tenant, ID: o.ID, Request: o.Request, Verb: e.Verb, Subject: e.Subject, Sealed: o.Sealed, Created: e.Time}
		n, err := exec(ctx, tx, insertNewReceipt, receiptArgs(&r)...)
		if err != nil {
			return err
		}
		if n == 0 {
			return gatehouse.ErrRepeated
		}
	}
	return nil
}

// receiptArgs are the values of receiptColumns.
func receiptArgs(r *gatehouse.Receipt) []any {
	return []any{
		r.Tenant, r.ID, blob(r.Request), r.Verb, r.Subject, r.Sealed.Ref, blob(r.Sealed.Data), int64(r.Status), blob(r.Answer), micros(r.Created),
	}
}

// Receipt implements [gatehouse.ReceiptStore].
func (db *DB) Receipt(ctx context.Context, tenant, id string) (gatehouse.Receipt, error) {
	var r gatehouse.Receipt
	err := db.one(ctx, getReceipt, []any{tenant, id}, func(row Row) error {
		c := columnsOf(row)
		r = gatehouse.Receipt{
			Tenant: c.text(), ID: c.text(), Request: c.blob(), Verb: c.text(), Subject: c.text(),
			Sealed: gatehouse.Sealed{Ref: c.text(), Data: c.blob()}, Status: int(c.number()), Answer: c.blob(), Created: c.moment(),
		}
		return c.done()
	})
	if err != nil {
		return gatehouse.Receipt{}, db.fail("read receipt", err)
	}
	return r, nil
}

// KeepAnswer implements [gatehouse.ReceiptStore].
func (db *DB) KeepAnswer(ctx context.Context, r *gatehouse.Receipt) error {
	kept := *r
	kept.Sealed = gatehouse.Sealed{}
	return db.write(ctx, "keep answer", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, keepAnswer, receiptArgs(&kept)...)
		return err
	})
}

// ForgetSecret implements [gatehouse.ReceiptStore].
func (db *DB) ForgetSecret(ctx context.Context, tenant, id string) error {
	return db.write(ctx, "forget secret", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, forgetSecret, tenant, id)
		return err
	})
}

// PurgeReceipts implements [gatehouse.ReceiptStore].
func (db *DB) PurgeReceipts(ctx context.Context, before time.Time) error {
	return db.write(ctx, "purge receipts", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, purgeReceipts, micros(before))
		return err
	})
}
