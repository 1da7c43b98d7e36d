// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

func open(tb testing.TB, path string) *sqlite.DB {
	tb.Helper()
	return openWith(tb, path, sqlite.Options{})
}

// openCold opens a database that reads its row for every look-up.
func openCold(tb testing.TB, path string) *sqlite.DB {
	tb.Helper()
	return openWith(tb, path, sqlite.Options{Cache: -1})
}

func openWith(tb testing.TB, path string, o sqlite.Options) *sqlite.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), path, o)
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

func fresh(tb testing.TB) *sqlite.DB {
	tb.Helper()
	return open(tb, filepath.Join(tb.TempDir(), "gatehouse.db"))
}

func TestStores(t *testing.T) {
	t.Parallel()
	gatehousetest.Stores(t, func(t *testing.T) gatehousetest.AllStores { return fresh(t) })
}

func TestUsageStore(t *testing.T) {
	t.Parallel()
	gatehousetest.UsageStore(t, func(t *testing.T) gatehousetest.UsageStores { return fresh(t) })
}

// The suite of keys again, without the records that are kept in memory.
func TestStoresCold(t *testing.T) {
	t.Parallel()
	gatehousetest.Store(t, func(t *testing.T) gatehousetest.AllStores {
		return openCold(t, filepath.Join(t.TempDir(), "gatehouse.db"))
	})
}

func event(subject string) *gatehouse.Event {
	a := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}
	return gatehouse.NewEvent(a, time.Now(), "suite", subject, gatehouse.OutcomeSucceeded)
}

// insertAccount inserts an account with this id.
func insertAccount(tb testing.TB, db *sqlite.DB, id string) {
	tb.Helper()
	a := account.Account{ID: id, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	if err := db.InsertAccount(tb.Context(), &a, nil, event(id)); err != nil {
		tb.Fatal(err)
	}
}

func newKey(id string) gatehouse.Key {
	return gatehouse.Key{
		ID: id, Tenant: gatehouse.DefaultTenant, Principal: "a", Schemes: []string{"barong"}, State: gatehouse.StateActive,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek", Data: []byte("sealed")}}, Version: 1,
	}
}

func insertKey(tb testing.TB, db *sqlite.DB, id string) {
	tb.Helper()
	k := newKey(id)
	if err := db.InsertKey(tb.Context(), &k, event(id)); err != nil {
		tb.Fatal(err)
	}
}

func TestFilesAreOurs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	var files []string
	for _, name := range []string{path, usageOf(path)} {
		files = append(files, name, name+"-wal", name+"-shm")
	}
	modes := func() {
		t.Helper()
		for _, name := range files {
			info, err := os.Stat(name)
			if err != nil {
				t.Error(err)
			} else if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, info.Mode().Perm())
			}
		}
	}
	db := open(t, path)
	insertAccount(t, db, "a")
	addUsage(t, db)
	modes()
	// Rights that were given away meanwhile are taken back.
	for _, name := range files {
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
	modes()
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	refuses := func(what, path, want string) {
		t.Helper()
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err == nil {
			t.Errorf("%s opens", what)
			_ = db.Close()
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q in it", what, err, want)
		}
	}
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "gatehouse.db")
	refuses("a folder that is not there", missing, "no such file")
	if _, err := os.Stat(filepath.Dir(missing)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	shared := filepath.Join(dir, "shared")
	if err := os.Mkdir(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o707); err != nil {
		t.Fatal(err)
	}
	refuses("a folder that everybody may write to", filepath.Join(shared, "gatehouse.db"), "everybody may write")
	refuses("a folder", dir, "is a directory")
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses("a text", text, "not a database")
	newer := filepath.Join(dir, "newer")
	if err := open(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	refuses("the database of a newer version", newer, "newer version")
	raw(t, newer, "INSERT INTO programs (step, oldest) VALUES (9999, 14)")
	if err := open(t, newer).Close(); err != nil {
		t.Error(err)
	}
}

// raw runs a statement past the store.
func raw(tb testing.TB, path, text string, args ...any) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ExecContext(tb.Context(), text, args...); err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "100%41?mode=ro#x.db", "ключи.db", "-x", "file:y"} {
		dir := t.TempDir()
		db := open(t, filepath.Join(dir, name))
		insertAccount(t, db, "a")
		addUsage(t, db)
		wantUsage(t, db, 1)
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasPrefix(f.Name(), strings.TrimSuffix(name, ".db")) {
				t.Errorf("%q made the file %q", name, f.Name())
			}
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := open(t, path)
	insertAccount(t, db, "a")
	insertKey(t, db, "k")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	_, err := db.Lookup(t.Context(), "k")
	if !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Lookup after Close: %v", err)
	}
	if err := db.AppendEvent(t.Context(), event("s")); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("AppendEvent after Close: %v", err)
	}
	db = open(t, path)
	if _, err := db.Lookup(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	e := event("s")
	if err := db.AppendEvent(t.Context(), e); err != nil || e.Seq != 3 {
		t.Errorf("the chain goes on with %d (%v); want 3", e.Seq, err)
	}
}

// TestTwoProcesses opens one file several times at once, as processes would that start
// together, and writes through all.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	const processes, each = 3, 20
	dbs := make([]*sqlite.DB, processes)
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() { dbs[i], errs[i] = sqlite.Open(t.Context(), path, sqlite.Options{}) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = dbs[i].Close() })
	}
	insertAccount(t, dbs[0], "a")
	for i, db := range dbs {
		wg.Go(func() {
			for n := range each {
				k := newKey(fmt.Sprintf("%d-%d", i, n))
				if err := db.InsertKey(t.Context(), &k, event(k.ID)); err != nil {
					t.Error(err)
				}
				for _, other := range dbs {
					if _, err := other.Lookup(t.Context(), k.ID); err != nil {
						t.Errorf("look-up in another process: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	verifyChain(t, dbs[0], processes*each+1)
}

func verifyChain(tb testing.TB, db *sqlite.DB, want int) {
	tb.Helper()
	events, _, err := db.ListEvents(tb.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	if err != nil {
		tb.Fatal(err)
	}
	if len(events) != want {
		tb.Errorf("%d events; want %d", len(events), want)
	}
	prev := ""
	for i := range events {
		e := &events[i]
		if e.Seq != int64(i)+1 || string(e.Prev) != prev || string(e.Hash) != string(e.ChainHash()) {
			tb.Fatalf("event %d breaks the chain: %+v", i+1, *e)
		}
		prev = string(e.Hash)
	}
}

// TestSpoiledRows changes rows behind the store's back. What is not understood is an
// error, never a default: a key must not begin to work because its row is broken.
func TestSpoiledRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := openCold(t, path)
	insertAccount(t, db, "a")
	insertKey(t, db, "k")
	for _, row := range []struct{ table, column, value string }{
		{"keys", "state", "'paused'"}, {"keys", "state", "'invalid'"}, {"keys", "state", "''"}, {"keys", "state", "7"},
		{"keys", "replay", "'loose'"}, {"keys", "replay", "''"}, {"keys", "schemes", "'bearer'"}, {"keys", "schemes", `'["a]'`},
		{"keys", "schemes", `'["a"'`}, {"keys", "schemes", `'["a","b'`}, {"keys", "scopes", "'{}'"}, {"keys", "scopes", "'[1]'"},
		{"keys", "networks", `'["10.0.0.0/99"]'`}, {"keys", "networks", `'["everywhere"]'`}, {"keys", "limits", `'[{"name":"a","rate":1}]'`},
		{"keys", "limits", "'none'"}, {"keys", "expires", "'soon'"}, {"keys", "expires", "1.5"}, {"keys", "not_before", "x'00'"}, {"keys", "version", "'x'"},
		{"keys", "name", "'a' || char(31) || 'b'"},
		{"keys", "materials", "x''"}, {"keys", "materials", "x'02'"}, {"keys", "materials", "x'0101'"}, {"keys", "materials", "x'01010903646b0103'"}, {"keys", "materials", "'text'"},
		{"keys", "owner", "''"}, {"keys", "owner", "replace(owner, 'active', 'sleepy')"}, {"keys", "owner", "replace(owner, 'active', '')"},
		{"keys", "owner", "replace(owner, 'account', 'robot')"}, {"keys", "owner", "owner || char(31)"}, {"keys", "owner", "owner || 'x'"}, {"keys", "owner", "x'00'"},
	} {
		t.Run(row.table+"."+row.column+"="+row.value, func(t *testing.T) {
			id := map[string]string{"keys": "k", "accounts": "a"}[row.table]
			raw(t, path, "CREATE TABLE kept AS SELECT "+row.column+" AS v FROM "+row.table+" WHERE id = $1", id)
			raw(t, path, "UPDATE "+row.table+" SET "+row.column+" = "+row.value+" WHERE id = $1", id)
			record, err := db.Lookup(t.Context(), "k")
			if !errors.Is(err, gatehouse.ErrUnavailable) || record != nil {
				t.Errorf("Lookup: %v, %v; want ErrUnavailable", record, err)
			}
			raw(t, path, "UPDATE "+row.table+" SET "+row.column+" = (SELECT v FROM kept) WHERE id = $1", id)
			raw(t, path, "DROP TABLE kept")
			if _, err := db.Lookup(t.Context(), "k"); err != nil {
				t.Errorf("Lookup of the row as it was: %v", err)
			}
		})
	}
}

// The same of a principal's own row.
func TestSpoiledAccounts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := openCold(t, path)
	insertAccount(t, db, "a")
	for _, change := range []string{"state = 'sleepy'", "state = ''", "kind = 'robot'", "otp = 2", "level = 'high'"} {
		raw(t, path, "CREATE TABLE kept AS SELECT * FROM accounts")
		raw(t, path, "UPDATE accounts SET "+change)
		if p, err := db.Principal(t.Context(), gatehouse.DefaultTenant, "a"); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: %v, %v; want ErrUnavailable", change, p, err)
		}
		raw(t, path, "DELETE FROM accounts")
		raw(t, path, "INSERT INTO accounts SELECT * FROM kept")
		raw(t, path, "DROP TABLE kept")
		if _, err := db.Principal(t.Context(), gatehouse.DefaultTenant, "a"); err != nil {
			t.Errorf("the row as it was: %v", err)
		}
	}
}

// A use leaves the records kept in memory, and they tell of it. A change does not leave them.
// What was changed by hand is not seen yet, which tells that the record was kept.
func TestUseLeavesKeptRecords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := open(t, path)
	insertAccount(t, db, "a")
	insertKey(t, db, "k")
	lookup := func() gatehouse.Key {
		t.Helper()
		r, err := db.Lookup(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		return r.Key
	}
	before := lookup()
	raw(t, path, "UPDATE keys SET name = 'by hand' WHERE id = $1", "k")
	used := time.Now().Truncate(time.Microsecond).UTC()
	if err := db.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: "k", Time: used}}); err != nil {
		t.Fatal(err)
	}
	if k := lookup(); k.Name != before.Name || !k.LastUsed.Equal(used) {
		t.Errorf("after a use at %v: the key %q, last used at %v; want %q", used, k.Name, k.LastUsed, before.Name)
	}
	before.Name = "changed"
	if err := db.UpdateKey(t.Context(), &before, event("k")); err != nil {
		t.Fatal(err)
	}
	if k := lookup(); k.Name != "changed" || !k.LastUsed.Equal(used) {
		t.Errorf("after a change: the key %q, last used at %v", k.Name, k.LastUsed)
	}
}

func TestNoticeStore(t *testing.T) {
	t.Parallel()
	gatehousetest.NoticeStore(t, func(t *testing.T) gatehousetest.NoticeStores { return fresh(t) })
}
