// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

var errClosed = errors.New("the database is closed")

// readers are connections that only read, no more than there are places.
type readers struct {
	name   string
	places chan struct{}
	closed chan struct{}
	ending sync.Once

	mu   sync.Mutex
	idle []*conn // the last one used is the next one: its pages are at hand
}

// readMapped is how much of the file is read through memory mapping: all of it up to
// 2 GiB, the most that SQLite maps. Pages beyond, and those in the log, are read into
// the cache of each connection.
const (
	readMapped = "mmap_size(2147418112)"
	readCache  = "cache_size(-16384)" // KiB
)

func newReaders(path string, n int) *readers {
	return &readers{
		name:   dsn(path, "ro", "query_only(1)", readMapped, readCache),
		places: make(chan struct{}, n),
		closed: make(chan struct{}),
	}
}

// query waits for a place as long as wait lasts, and reads with ctx.
func (r *readers) query(wait, ctx context.Context, text string, args []any, most int, each func(sqlstore.Row) error) error {
	c, err := r.acquire(wait)
	if err != nil {
		return err
	}
	fine := false
	// A connection that was interrupted, or whose caller panics, is not used again.
	defer func() { r.release(c, fine) }()
	err = c.query(ctx, text, args, most, each)
	fine = ctx.Err() == nil
	return err
}

// acquire returns an idle connection, or a new one where there is a place for it.
func (r *readers) acquire(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case r.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closed:
		return nil, errClosed
	}
	select {
	case <-r.closed: // this time even where there is a place
		<-r.places
		return nil, errClosed
	default:
	}
	if c := r.pop(); c != nil {
		return c, nil
	}
	c, err := connect(r.name)
	if err != nil {
		<-r.places
		return nil, err
	}
	return c, nil
}

func (r *readers) pop() *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.idle) - 1
	if last < 0 {
		return nil
	}
	c := r.idle[last]
	r.idle = r.idle[:last]
	return c
}

func (r *readers) release(c *conn, fine bool) {
	if fine {
		r.mu.Lock()
		r.idle = append(r.idle, c)
		r.mu.Unlock()
	} else {
		_ = c.close()
	}
	<-r.places
}

// close waits for the reads that run. A second call waits for the first.
func (r *readers) close() (err error) {
	r.ending.Do(func() {
		close(r.closed)
		for range cap(r.places) {
			r.places <- struct{}{}
		}
		for c := r.pop(); c != nil; c = r.pop() {
			err = errors.Join(err, c.close())
		}
	})
	return err
}
