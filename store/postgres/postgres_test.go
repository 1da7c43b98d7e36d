// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func open(tb testing.TB, url string, o postgres.Options) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestStores(t *testing.T) {
	t.Parallel()
	gatehousetest.Stores(t, func(t *testing.T) gatehousetest.AllStores { return open(t, testenv.Postgres(t), postgres.Options{}) })
}

func TestUsageStore(t *testing.T) {
	t.Parallel()
	gatehousetest.UsageStore(t, func(t *testing.T) gatehousetest.UsageStores { return open(t, testenv.Postgres(t), postgres.Options{}) })
}

// The suite of keys again, on the fewest connections that are possible.
func TestStoresNarrow(t *testing.T) {
	t.Parallel()
	gatehousetest.Store(t, func(t *testing.T) gatehousetest.AllStores {
		return open(t, testenv.Postgres(t), postgres.Options{MaxConns: 1})
	})
}

func event(subject string) *gatehouse.Event {
	a := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}
	return gatehouse.NewEvent(a, time.Now(), "suite", subject, gatehouse.OutcomeSucceeded)
}

// raw runs a statement past the store.
func raw(tb testing.TB, url, text string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = conn.Exec(tb.Context(), text)
	if err := errors.Join(err, conn.Close(tb.Context())); err != nil {
		tb.Fatal(err)
	}
}

// chain reads all events, wants them to be a chain, and returns their subjects.
func chain(tb testing.TB, db *postgres.DB) map[string]bool {
	tb.Helper()
	events, _, err := db.ListEvents(tb.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	if err != nil {
		tb.Fatal(err)
	}
	subjects, prev := map[string]bool{}, ""
	for i := range events {
		e := &events[i]
		if e.Seq != int64(i)+1 || string(e.Prev) != prev || string(e.Hash) != string(e.ChainHash()) {
			tb.Fatalf("event %d breaks the chain: %+v", i+1, *e)
		}
		prev, subjects[e.Subject] = string(e.Hash), true
	}
	return subjects
}

// TestManyStartAtOnce opens one empty database from several sides, as nodes would that
// start together.
func TestManyStartAtOnce(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	dbs, errs := make([]*postgres.DB, 4), make([]error, 4)
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() { dbs[i], errs[i] = postgres.Open(t.Context(), url, postgres.Options{}) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
		t.Cleanup(func() { _ = dbs[i].Close() })
	}
	for i, db := range dbs {
		if err := db.AppendEvent(t.Context(), event(fmt.Sprint(i))); err != nil {
			t.Error(err)
		}
	}
	if got := chain(t, dbs[0]); len(got) != len(dbs) {
		t.Errorf("%d events; want %d", len(got), len(dbs))
	}
}

// TestNodesShareAChain appends from two nodes, which know nothing of each other, and
// reads what one wrote from the other.
func TestNodesShareAChain(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	nodes := []*postgres.DB{open(t, url, postgres.Options{}), open(t, url, postgres.Options{})}
	a := account.Account{ID: "a", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	if err := nodes[0].InsertAccount(t.Context(), &a, nil, event("a")); err != nil {
		t.Fatal(err)
	}
	const writers, each = 16, 16
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			here, there := nodes[i%2], nodes[(i+1)%2]
			for n := range each {
				k := gatehouse.Key{ID: fmt.Sprintf("%d-%d", i, n), Tenant: gatehouse.DefaultTenant, Principal: "a", State: gatehouse.StateActive, Version: 1}
				if err := here.InsertKey(t.Context(), &k, event("+"+k.ID)); err != nil {
					t.Error(err)
					return
				}
				k.State = gatehouse.StateRevoked
				if err := there.UpdateKey(t.Context(), &k, event("-"+k.ID)); err != nil {
					t.Error(err)
					return
				}
				record, err := here.Lookup(t.Context(), k.ID)
				if err != nil || record.Key.State != gatehouse.StateRevoked {
					t.Errorf("a revocation was acknowledged elsewhere; here: %+v, %v", record, err)
				}
			}
		})
	}
	wg.Wait()
	if got := chain(t, nodes[1]); len(got) != 1+2*writers*each {
		t.Errorf("%d events; want %d", len(got), 1+2*writers*each)
	}
}

// TestBrokenConnections ends all connections again and again while writers write. What
// was acknowledged is there, the chain is whole, and the store recovers.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	db := open(t, url, postgres.Options{})
	var mu sync.Mutex
	acknowledged, refused := map[string]bool{}, 0
	done, progress := make(chan struct{}), make(chan struct{}, 1)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				e := event(fmt.Sprintf("%d-%d", i, n))
				err := db.AppendEvent(t.Context(), e)
				mu.Lock()
				switch {
				case err == nil:
					acknowledged[e.Subject] = true
					select {
					case progress <- struct{}{}:
					default:
					}
				case errors.Is(err, gatehouse.ErrUnavailable):
					refused++
				default:
					t.Errorf("append: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		_, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if err != nil {
			t.Error(err)
		}
		for range 5 {
			<-progress
		}
	}
	close(done)
	wg.Wait()
	if err := admin.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.AppendEvent(t.Context(), event("last")); err != nil {
		t.Errorf("append after all that: %v", err)
	}
	acknowledged["last"] = true
	found := chain(t, db)
	for subject := range acknowledged {
		if !found[subject] {
			t.Errorf("event %s was acknowledged and is not there", subject)
		}
	}
	if refused == 0 {
		t.Error("no write met a broken connection: the test tests nothing")
	}
	t.Logf("%d acknowledged, %d refused, %d stored", len(acknowledged), refused, len(found))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	refuses := func(what, url string, want error, text string) {
		t.Helper()
		db, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err == nil {
			t.Errorf("%s opens", what)
			_ = db.Close()
			return
		}
		if want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v; want %v and %q in it", what, err, want, text)
		}
		if strings.Contains(err.Error(), password(t, url)) {
			t.Errorf("%s: the error tells the password", what)
		}
	}
	good := testenv.Postgres(t)
	refuses("an unsafe server", good+"&synchronous_commit=off", postgres.ErrUnsafe, "synchronous_commit")
	nowhere, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	nowhere.Host = "127.0.0.1:1"
	refuses("a server that is not there", nowhere.String(), nil, "connect")
	refuses("another password", strings.Replace(good, password(t, good), "another-password", 1), nil, "28P01")
	refuses("a URL with a spoiled option", good+"&sslmode=perhaps", nil, "sslmode")
	open(t, good, postgres.Options{})
	raw(t, good, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9998, true)")
	refuses("the database of a newer version that says nothing", good, nil, "newer version")
	raw(t, good, "INSERT INTO programs (step, oldest) VALUES (9998, 14)")
	open(t, good, postgres.Options{}) // both work side by side
	raw(t, good, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true); INSERT INTO programs (step, oldest) VALUES (9999, 9998)")
	refuses("the database of a newer version that took something away", good, nil, "newer version")

	unsafe := testenv.Postgres(t) + "&synchronous_commit=off"
	open(t, unsafe, postgres.Options{AllowUnsafe: true})
}

func password(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := u.User.Password()
	return p
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Postgres(t), postgres.Options{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Lookup(t.Context(), "k"); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Lookup: %v", err)
	}
	if err := db.AppendEvent(t.Context(), event("s")); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("AppendEvent: %v", err)
	}
}

// TestWritersLeaveRoom holds up every write and looks a key up meanwhile: writes do not
// take the last connection.
func TestWritersLeaveRoom(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	db := open(t, url, postgres.Options{MaxConns: 4})
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	held, release := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			k := account.Ticket{Tenant: "t", Purpose: "p", ID: fmt.Sprint(i)}
			_ = db.InsertTicket(held, &k, false)
		})
	}
	for waiting := 0; waiting < 2; { // half of the connections
		err := admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Lookup(t.Context(), "none"); !errors.Is(err, gatehouse.ErrNotFound) {
		t.Fatalf("Lookup beside writes that wait: %v", err)
	}
	release()
	wg.Wait()
	if err := errors.Join(tx.Rollback(t.Context()), admin.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestNoticeStore(t *testing.T) {
	t.Parallel()
	gatehousetest.NoticeStore(t, func(t *testing.T) gatehousetest.NoticeStores { return open(t, testenv.Postgres(t), postgres.Options{}) })
}
