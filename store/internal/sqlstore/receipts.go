// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	receiptColumns = "tenant, id, request, verb, subject, sealed_ref, sealed_data, status, answer, claimed, created"

	insertReceipt = "INSERT INTO receipts (" + receiptColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant, id) DO "

	insertNewReceipt = insertReceipt + "NOTHING"

	keepAnswer = insertReceipt + "UPDATE SET status = excluded.status, answer = excluded.answer WHERE receipts.status = 0"

	getReceipt = "SELECT " + receiptColumns + " FROM receipts WHERE tenant = $1 AND id = $2"

	claimSecret = "UPDATE receipts SET claimed = $4 WHERE tenant = $1 AND id = $2 AND sealed_ref <> '' AND claimed = $3"

	forgetSecret = "UPDATE receipts SET sealed_ref = '', sealed_data = NULL, claimed = 0 WHERE tenant = $1 AND id = $2 AND sealed_ref <> ''"

	// The 5,000th of all receipts, oldest first, is where one call stops.
	purgeReceipts = "DELETE FROM receipts WHERE created < $1 AND " +
		"created <= COALESCE((SELECT created FROM receipts ORDER BY created LIMIT 1 OFFSET 4999), $1)"
)

// once stores the receipts of what events tell of, one for each [gatehouse.Once]. It comes
// first in a transaction, so that a change that was made before is told from one that
// cannot be made. An attempt that failed or was denied leaves no receipt: nothing changed,
// and it may be made again. Then it looks at who acts; see [still].
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
	return still(ctx, tx, es)
}

// receiptArgs are the values of receiptColumns.
func receiptArgs(r *gatehouse.Receipt) []any {
	return []any{
		r.Tenant, r.ID, blob(r.Request), r.Verb, r.Subject, r.Sealed.Ref, blob(r.Sealed.Data), int64(r.Status), blob(r.Answer), micros(r.Claimed),
		micros(r.Created),
	}
}

// Receipt implements [gatehouse.ReceiptStore].
func (db *DB) Receipt(ctx context.Context, tenant, id string) (gatehouse.Receipt, error) {
	var r gatehouse.Receipt
	err := db.one(ctx, getReceipt, []any{tenant, id}, readReceipt(&r))
	if err != nil {
		return gatehouse.Receipt{}, db.fail("read receipt", err)
	}
	return r, nil
}

// readReceipt reads the columns of receiptColumns into r.
func readReceipt(r *gatehouse.Receipt) func(Row) error {
	return func(row Row) error {
		c := columnsOf(row)
		*r = gatehouse.Receipt{
			Tenant: c.text(), ID: c.text(), Request: c.blob(), Verb: c.text(), Subject: c.text(),
			Sealed: gatehouse.Sealed{Ref: c.text(), Data: c.blob()}, Status: int(c.number()), Answer: c.blob(), Claimed: c.moment(), Created: c.moment(),
		}
		return c.done()
	}
}

// KeepAnswer implements [gatehouse.ReceiptStore].
func (db *DB) KeepAnswer(ctx context.Context, r *gatehouse.Receipt) (kept gatehouse.Receipt, err error) {
	asked := *r
	asked.Sealed, asked.Claimed = gatehouse.Sealed{}, time.Time{}
	err = db.write(ctx, "keep answer", func(ctx context.Context, tx Querier) error {
		if _, err := exec(ctx, tx, keepAnswer, receiptArgs(&asked)...); err != nil {
			return err
		}
		return tx.Query(ctx, getReceipt, []any{r.Tenant, r.ID}, readReceipt(&kept))
	})
	if err != nil {
		return gatehouse.Receipt{}, err
	}
	return kept, nil
}

// ClaimSecret implements [gatehouse.ReceiptStore].
func (db *DB) ClaimSecret(ctx context.Context, tenant, id string, seen, at time.Time) (bool, error) {
	var touched int64
	err := db.write(ctx, "claim secret", func(ctx context.Context, tx Querier) (err error) {
		touched, err = exec(ctx, tx, claimSecret, tenant, id, micros(seen), micros(at))
		return err
	})
	return err == nil && touched == 1, err
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
