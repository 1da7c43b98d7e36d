// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// batchMost is how many writes share a transaction at most.
const batchMost = 256

// writer is the one goroutine that writes, and the queue before it.
type writer struct {
	name  string
	conn  *conn // nil after a failure that leaves its state unknown
	queue chan *write
	ended chan struct{}
	turn  sync.Mutex // held by whoever writes: SQLite itself lets others wait in steps

	entry  sync.RWMutex // held for reading while a write is put into the queue
	closed bool
}

// write is a write in the queue.
type write struct {
	ctx    context.Context
	change func(context.Context, sqlstore.Querier) error
	claim  atomic.Bool // by whoever comes first: the writer, or a caller that gives up
	done   chan struct{}
	err    error
	panic  any
}

func newWriter(path string) (*writer, error) {
	w := &writer{
		name: dsn(path, "rw", "journal_mode(WAL)", "synchronous(FULL)",
			"cache_size(-65536)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"),
		queue: make(chan *write, batchMost),
		ended: make(chan struct{}),
	}
	if err := w.connect(); err != nil {
		return nil, err
	}
	if err := w.verify(); err != nil {
		return nil, errors.Join(err, w.conn.close())
	}
	go w.run()
	return w, nil
}

func (w *writer) connect() (err error) {
	if w.conn == nil {
		w.conn, err = connect(w.name)
	}
	return err
}

// verify makes sure that what was asked for is what SQLite does: it is silent where a
// file system cannot have it.
func (w *writer) verify() error {
	for _, p := range []struct{ pragma, want string }{{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}} {
		got := ""
		err := w.conn.Query(context.Background(), "PRAGMA "+p.pragma, nil, func(r sqlstore.Row) error {
			got = fmt.Sprint(r[0])
			return nil
		})
		if err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("%s is %s and not %s: the file system cannot keep this database safe", p.pragma, got, p.want)
		}
	}
	return nil
}

// write queues a change and waits for its end.
func (w *writer) write(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	one := &write{ctx: ctx, change: change, done: make(chan struct{})}
	if err := w.enqueue(one); err != nil {
		return err
	}
	return one.wait()
}

// wait returns how the write ended. A write that has not begun when its context ends
// never does.
func (one *write) wait() error {
	select {
	case <-one.done:
	case <-one.ctx.Done():
		if one.claim.CompareAndSwap(false, true) {
			return one.ctx.Err()
		}
		<-one.done
	}
	if one.panic != nil {
		panic(one.panic)
	}
	return one.err
}

func (w *writer) enqueue(one *write) error {
	if err := one.ctx.Err(); err != nil {
		return err
	}
	w.entry.RLock()
	defer w.entry.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- one:
		return nil
	case <-one.ctx.Done():
		return one.ctx.Err()
	}
}

// close ends the writer after what is queued.
func (w *writer) close() error {
	w.entry.Lock()
	already := w.closed
	w.closed = true
	w.entry.Unlock()
	if !already {
		close(w.queue)
	}
	<-w.ended
	if already || w.conn == nil {
		return nil
	}
	return w.conn.close()
}

// run commits batch after batch. A batch is what is queued when the one before is done;
// it never waits for more.
func (w *writer) run() {
	defer close(w.ended)
	batch := make([]*write, 0, batchMost)
	for one := range w.queue {
		batch = append(batch[:0], one)
		batch = w.fill(batch)
		err := w.commit(batch)
		for _, one := range batch {
			if err != nil {
				one.err = err
			}
			close(one.done)
		}
		clear(batch)
	}
}

func (w *writer) fill(batch []*write) []*write {
	for len(batch) < batchMost {
		select {
		case one, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the writes of a batch one after another and commits them together. Each
// that fails alone has its own error set; an error of commit is that of all.
func (w *writer) commit(batch []*write) (err error) {
	if err := w.connect(); err != nil {
		return err
	}
	w.turn.Lock()
	defer w.turn.Unlock()
	defer func() {
		if err != nil {
			// What SQLite did to the transaction is not known: begin anew.
			_ = w.conn.close()
			w.conn = nil
		}
	}()
	// From here on the errors are texts: what the driver says of the whole transaction
	// must not be taken for an answer about one write.
	if err := w.do("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %v", err)
	}
	for _, one := range batch {
		if !one.claim.CompareAndSwap(false, true) {
			continue // its caller has given up
		}
		if err := w.apply(one); err != nil {
			return err
		}
	}
	if err := w.do("COMMIT"); err != nil {
		return fmt.Errorf("commit: %v", err)
	}
	return nil
}

// apply runs one write inside a savepoint. It returns an error where the whole
// transaction is lost.
func (w *writer) apply(one *write) error {
	if err := w.do("SAVEPOINT one"); err != nil {
		return fmt.Errorf("begin one: %v", err)
	}
	one.run(w.conn)
	if one.err != nil || one.panic != nil {
		if err := w.do("ROLLBACK TO one"); err != nil {
			return fmt.Errorf("undo one: %v (after %v)", err, one.err)
		}
	}
	if err := w.do("RELEASE one"); err != nil {
		return fmt.Errorf("end one: %v", err)
	}
	return nil
}

// run calls the change. A panic is carried to the goroutine that asked for the write.
func (one *write) run(tx sqlstore.Querier) {
	defer func() {
		if p := recover(); p != nil {
			one.panic = fmt.Sprintf("%v\n\nin a write:\n%s", p, debug.Stack())
		}
	}()
	one.err = one.change(context.WithoutCancel(one.ctx), tx)
}

func (w *writer) do(text string) error {
	_, err := w.conn.Exec(context.Background(), text, nil)
	return err
}
