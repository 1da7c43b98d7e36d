// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

var errClosed = errors.New("the database is closed")

// readers are connections that only read, no more than there are places.
type readers struct {
	name   string
	usage  string // attached
	places chan struct{}
	closed chan struct{}
	ending sync.Once

	// near holds the connections that each processor used last. What a connection
	// works on is some hundred cache lines, which another processor would have to fetch;
	// so a connection is asked for here first. One found here may be busy or gone.
	near sync.Pool

	mu    sync.Mutex
	conns []*reader
}

// reader is a connection of readers. Whoever sets busy owns it; it stays set for good
// when the connection is closed.
type reader struct {
	*conn
	busy atomic.Bool
	lame bool // without usage
}

func (r *reader) take() bool { return r.busy.CompareAndSwap(false, true) }

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
		usage:  dsn(usageFile(path), "ro"),
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
func (r *readers) acquire(ctx context.Context) (*reader, error) {
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
	if c, _ := r.near.Get().(*reader); c != nil && c.take() {
		return c, nil
	}
	if c := r.free(); c != nil {
		return c, nil
	}
	c, err := r.connect()
	if err != nil {
		<-r.places
		return nil, err
	}
	c.take()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
	return c, nil
}

// connect opens a connection that finds the tables of usage by their bare names, as main has
// none of these. Nothing else fails with usage: where its file was taken away or damaged
// meanwhile, a connection does without, and is not used again.
func (r *readers) connect() (*reader, error) {
	c, err := connect(r.name)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(context.Background(), "ATTACH $1 AS usage", []any{r.usage})
	return &reader{conn: c, lame: err != nil}, nil
}

// free returns an idle connection, nil where another may be opened. The caller has a
// place, so where all are open one is idle; it may become so behind the search.
func (r *readers) free() *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for _, c := range r.conns {
			if c.take() {
				return c
			}
		}
		if len(r.conns) < cap(r.places) {
			return nil
		}
	}
}

func (r *readers) release(c *reader, fine bool) {
	if fine && !c.lame {
		c.busy.Store(false)
		r.near.Put(c)
	} else {
		r.drop(c)
	}
	<-r.places
}

func (r *readers) drop(c *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = slices.DeleteFunc(r.conns, func(other *reader) bool { return other == c })
	_ = c.close()
}

// close waits for the reads that run. A second call waits for the first.
func (r *readers) close() (err error) {
	r.ending.Do(func() {
		close(r.closed)
		for range cap(r.places) {
			r.places <- struct{}{}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.conns {
			c.take() // for good: near may still know it
			err = errors.Join(err, c.close())
		}
	})
	return err
}
