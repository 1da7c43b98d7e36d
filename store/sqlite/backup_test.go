// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// What is copied while others write is the store as it was at one moment: every account with the
// event that explains it, and none after.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	insert := func(id string) error {
		now := time.Now().UTC()
		by := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}
		a := account.Account{ID: id, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive, Created: now, Updated: now}
		return db.InsertAccount(t.Context(), &a, nil, gatehouse.NewEvent(by, now, "account.create", id, gatehouse.OutcomeSucceeded))
	}
	const before = 20
	for i := range before {
		if err := insert(fmt.Sprintf("before-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					if err := insert(fmt.Sprintf("meanwhile-%d-%d", w, i)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 5 {
		copied := filepath.Join(dir, fmt.Sprintf("copy %d?.db", i))
		if err := sqlite.Backup(t.Context(), path, copied); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(copied); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		restored, err := sqlite.Open(t.Context(), copied, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		as, _, err := restored.ListAccounts(t.Context(), account.Query{Tenant: gatehouse.DefaultTenant})
		if err != nil {
			t.Fatal(err)
		}
		es, _, err := restored.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{"account.create"}})
		if err != nil || len(as) != len(es) || len(as) < before {
			t.Errorf("%d accounts, %d events, %v", len(as), len(es), err)
		}
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	writers.Wait()
}

// A copy goes over nothing, and what goes wrong leaves none.
func TestBackupRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, there, text := filepath.Join(dir, "gatehouse.db"), filepath.Join(dir, "there"), filepath.Join(dir, "text.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, file := range []string{there, text} {
		if err := os.WriteFile(file, []byte("of somebody, and no database at all"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		from, to string
		want     error
	}{
		"a file is there":   {path, there, fs.ErrExist},
		"no folder":         {path, filepath.Join(dir, "none", "copy.db"), fs.ErrNotExist},
		"no database":       {filepath.Join(dir, "none.db"), filepath.Join(dir, "copy.db"), fs.ErrNotExist},
		"another kind file": {text, filepath.Join(dir, "copy.db"), nil},
	} {
		if err := sqlite.Backup(t.Context(), row.from, row.to); err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "copy.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a copy is left: %v", err)
	}
	if b, err := os.ReadFile(there); err != nil || string(b) != "of somebody, and no database at all" {
		t.Errorf("%q %v", b, err)
	}
}
