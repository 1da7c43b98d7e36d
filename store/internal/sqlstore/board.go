// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/lease"
)

const (
	insertNode = "INSERT INTO nodes (id, name, version, shares, lease, started, seen, beat) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)"

	beatNode = "UPDATE nodes SET beat = beat + 1, seen = $2 WHERE id = $1"

	listNodes = "SELECT id, name, version, shares, lease, started, seen, beat FROM nodes ORDER BY started, id"

	removeNode = "DELETE FROM nodes WHERE id = $1 AND (beat = $2 OR $2 < 0)"

	freshNotices = "SELECT " + noticeColumns + " FROM notices WHERE fresh = 1 AND at >= $1 ORDER BY at LIMIT $2"

	retireNotices = "UPDATE notices SET fresh = 0 WHERE fresh = 1 AND id IN ("

	dropAcks = "DELETE FROM acks WHERE notice IN ("

	listAcks = "SELECT notice, node FROM acks WHERE notice IN ("

	insertAcks = "INSERT INTO acks (notice, node) VALUES "
)

const boardChunk = 200 // rows of one statement

// board is the tables of the protocol between nodes: [lease.Board].
type board struct{ engine Engine }

func (b board) exec(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = b.engine.Note(ctx, func(ctx context.Context, tx Querier) error {
		n, err = exec(ctx, tx, text, args...)
		return err
	})
	return n, err
}

func (b board) Register(ctx context.Context, n *lease.Node) error {
	_, err := b.exec(ctx, insertNode, n.ID, asText(n.Name), asText(n.Version), asText(n.Shares), int64(n.Lease), micros(n.Started), micros(n.Seen))
	return err
}

func (b board) Beat(ctx context.Context, id string, seen time.Time) (bool, error) {
	n, err := b.exec(ctx, beatNode, id, micros(seen))
	return n > 0, err
}

func (b board) Remove(ctx context.Context, id string, beat int64) error {
	_, err := b.exec(ctx, removeNode, id, beat)
	return err
}

func (b board) Nodes(ctx context.Context) (nodes []lease.Node, err error) {
	err = b.engine.Query(ctx, listNodes, nil, func(r Row) error {
		c := columnsOf(r)
		nodes = append(nodes, lease.Node{
			ID: c.text(), Name: c.text(), Version: c.text(), Shares: c.text(), Lease: time.Duration(c.number()),
			Started: c.moment(), Seen: c.moment(), Beat: c.number(),
		})
		return c.done()
	})
	return nodes, err
}

func (b board) Fresh(ctx context.Context, since time.Time, limit int) (fresh []gatehouse.Notice, err error) {
	err = b.engine.Query(ctx, freshNotices, []any{micros(since), int64(limit)}, func(r Row) error {
		c := columnsOf(r)
		fresh = append(fresh, c.notice())
		return c.done()
	})
	return fresh, err
}

func (b board) Retire(ctx context.Context, notices []string) error {
	slices.Sort(notices) // the same order on every node: they do not wait for each other in a circle
	for part := range slices.Chunk(notices, boardChunk) {
		err := b.engine.Note(ctx, func(ctx context.Context, tx Querier) error {
			for _, text := range []string{retireNotices, dropAcks} {
				s := &selection{}
				list := s.list(part)
				if _, err := exec(ctx, tx, text+list+")", s.args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b board) Ack(ctx context.Context, node string, notices []string) error {
	for part := range slices.Chunk(notices, boardChunk) {
		s, text := &selection{}, insertAcks
		me := s.parameter(node)
		for i := range roomFor(len(part)) { // one twice is no conflict
			if i > 0 {
				text += ", "
			}
			text += "(" + s.parameter(part[min(i, len(part)-1)]) + ", " + me + ")"
		}
		if _, err := b.exec(ctx, text+" ON CONFLICT (notice, node) DO NOTHING", s.args...); err != nil {
			return err
		}
	}
	return nil
}

func (b board) Acks(ctx context.Context, notices []string) (acks []lease.Ack, err error) {
	for part := range slices.Chunk(notices, boardChunk) {
		s := &selection{}
		list := s.list(part)
		err := b.engine.Query(ctx, listAcks+list+")", s.args, func(r Row) error {
			c := columnsOf(r)
			acks = append(acks, lease.Ack{Notice: c.text(), Node: c.text()})
			return c.done()
		})
		if err != nil {
			return nil, err
		}
	}
	return acks, nil
}
