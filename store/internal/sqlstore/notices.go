// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	noticeColumns = "id, at, tenant, kind, subject, ends"

	insertNotice = "INSERT INTO notices (" + noticeColumns + ", fresh) VALUES ($1, $2, $3, $4, $5, $6, $7)"

	listNotices = "SELECT " + noticeColumns + " FROM notices WHERE tenant = $1 AND at >= $2 " +
		"UNION ALL SELECT " + noticeColumns + " FROM notices WHERE tenant = '' AND at >= $2 AND $1 <> '' ORDER BY 2, 1"

	// An old one is fresh where no node polls. Where one does, it may be of this moment, by a
	// clock that is far behind.
	purgeNotices = "DELETE FROM notices WHERE fresh IN (0, 1) AND at < $1 AND (fresh = 0 OR NOT EXISTS (SELECT 1 FROM nodes WHERE id > ''))"

	// Acknowledgements that came after their notice was retired. Who acknowledges has read the
	// notice, so whoever sees the one sees the other.
	purgeAcks = "DELETE FROM acks WHERE (notice, node) IN (SELECT a.notice, a.node FROM acks a " +
		"WHERE NOT EXISTS (SELECT 1 FROM notices n WHERE n.id = a.notice) ORDER BY a.notice, a.node LIMIT $1)"
)

// notice is one notice of a change that is being made. Its time is set when it is stored.
func notice(kind gatehouse.NoticeKind, tenant, subject string, ends bool) []gatehouse.Notice {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return []gatehouse.Notice{{ID: hex.EncodeToString(b[:]), Kind: kind, Tenant: tenant, Subject: subject, Ends: ends}}
}

// commit runs apply in one transaction and stores the notices that it returns. Before anyone
// is told what became of it, nothing that was kept of what they are about answers here; and
// where it was committed, on no node.
func (db *DB) commit(ctx context.Context, chain string, apply telling) error {
	var notices []gatehouse.Notice
	err := db.engine.Write(ctx, chain, func(ctx context.Context, tx Querier) (err error) {
		if notices, err = apply(ctx, tx); err != nil {
			notices = nil // it is rolled back
			return err
		}
		return db.insertNotices(ctx, tx, notices)
	})
	if len(notices) == 0 {
		return err
	}
	if db.cache != nil {
		db.cache.changed(notices, err == nil)
	}
	db.bell.ring()
	if db.shared() && err == nil {
		db.cache.keeper.Settle(notices)
	}
	return err
}

func (db *DB) insertNotices(ctx context.Context, tx Querier, notices []gatehouse.Notice) error {
	now := time.Now()
	for i := range notices {
		n := &notices[i]
		n.Time = asStored(now)
		if _, err := exec(ctx, tx, insertNotice, n.ID, micros(n.Time), n.Tenant, n.Kind.String(), n.Subject, flag(n.Ends), flag(db.shared())); err != nil {
			return err
		}
	}
	return nil
}

// purgeAcks deletes acknowledgements of notices that are gone, some thousands at most. A
// serializable transaction that reads all notices would be in the way of every change.
func (db *DB) purgeAcks(ctx context.Context) error {
	if !db.shared() {
		return nil
	}
	for range purgeWrites {
		n, err := board{db.engine}.exec(ctx, purgeAcks, int64(purgeRows))
		if err != nil {
			return db.fail("purge acknowledgements", err)
		}
		if n < purgeRows {
			break
		}
	}
	return nil
}

// InForce implements [gatehouse.Settler].
func (db *DB) InForce(ctx context.Context, tenant string, subjects ...string) error {
	if !db.shared() {
		return nil
	}
	err := db.cache.keeper.InForce(ctx, func(n *gatehouse.Notice) bool {
		return (n.Tenant == tenant || n.Tenant == "") && (n.Kind != gatehouse.NoticeKey || slices.Contains(subjects, n.Subject))
	})
	return db.fail("wait for changes to be in force", err)
}

// Notices implements [gatehouse.NoticeStore].
func (db *DB) Notices(ctx context.Context, tenant string, since time.Time) ([]gatehouse.Notice, error) {
	var notices []gatehouse.Notice
	err := db.read(ctx, listNotices, []any{tenant, micros(since)}, func(r Row) error {
		c := columnsOf(r)
		notices = append(notices, c.notice())
		return c.done()
	})
	if err != nil {
		return nil, db.fail("read notices", err)
	}
	return notices, nil
}

// notice reads noticeColumns. A kind of a newer version is about anything.
func (c *columns) notice() gatehouse.Notice {
	n := gatehouse.Notice{ID: c.text(), Time: c.moment(), Tenant: c.text()}
	if n.Kind = gatehouse.ParseNoticeKind(c.text()); n.Kind == gatehouse.NoticeInvalid {
		n.Kind = gatehouse.NoticeAll
	}
	n.Subject, n.Ends = c.text(), c.flag()
	return n
}

// Noticed implements [gatehouse.NoticeStore].
func (db *DB) Noticed() <-chan struct{} { return db.bell.next() }

// bell wakes all who wait for notices.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
