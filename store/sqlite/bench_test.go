// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// The bars, of one run: a look-up costs at most twice a bare one (one column of one row
// by its key, prepared, through database/sql), and with 5e6 keys at most 1.6 times what
// it costs with 1e4.

// benchKeys are the sizes to measure, from GATEHOUSE_BENCH_KEYS ("10000,5000000").
func benchKeys(b *testing.B) []int {
	var sizes []int
	for _, text := range strings.Split(cmp.Or(os.Getenv("GATEHOUSE_BENCH_KEYS"), "10000,1000000"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			b.Fatalf("GATEHOUSE_BENCH_KEYS: %q is no number of keys", text)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// BenchmarkLookup reports medians of many short rounds of both, in turns: what else the
// machine does falls on both.
func BenchmarkLookup(b *testing.B) {
	var smallest float64
	for _, n := range benchKeys(b) {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "gatehouse.db")
			fill(b, path, n)
			db := openCold(b, path)
			statement := bareStatement(b, path)
			bare := func(id string) error {
				var state string
				return statement.QueryRowContext(context.Background(), id).Scan(&state)
			}
			lookup := func(id string) error { _, err := db.Lookup(context.Background(), id); return err }
			warm(b, n, bare)
			warm(b, n, lookup)
			b.Run("in-turns", func(b *testing.B) {
				var bares, lookups, ratios []float64
				for b.Loop() {
					x, y := round(b, n, bare), round(b, n, lookup)
					bares, lookups, ratios = append(bares, x), append(lookups, y), append(ratios, y/x)
				}
				if smallest == 0 {
					smallest = median(lookups)
				}
				b.ReportMetric(0, "ns/op") // of a round: says nothing
				b.ReportMetric(median(bares), "bare-ns")
				b.ReportMetric(median(lookups), "lookup-ns")
				b.ReportMetric(median(ratios), "times-bare")
				b.ReportMetric(median(lookups)/smallest, "times-fewest-keys")
			})
			parallel := func(name string, look func(id string) error) {
				b.Run(name, func(b *testing.B) {
					b.RunParallel(func(p *testing.PB) {
						for p.Next() {
							if err := look(keyID(rand.IntN(n))); err != nil {
								b.Error(err)
							}
						}
					})
				})
			}
			parallel("bare-parallel", bare)
			parallel("lookup-parallel", lookup)
		})
	}
}

// round looks some keys up and returns the nanoseconds for each.
func round(b *testing.B, n int, look func(id string) error) float64 {
	const keys = 500
	start := time.Now()
	for range keys {
		if err := look(keyID(rand.IntN(n))); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start)) / keys
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// warm looks every key up once: the figures are those of a server that has been up for
// a while.
func warm(b *testing.B, n int, look func(id string) error) {
	for i := range n {
		if err := look(keyID(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// keyID is the id of the i-th key: no order, no repetition.
func keyID(i int) string {
	z := uint64(i+1) * 0x9e3779b97f4a7c15 // splitmix64
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return fmt.Sprintf("%016x", z^z>>31)
}

func bareStatement(b *testing.B, path string) *sql.Stmt {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=mmap_size(2147418112)&_pragma=cache_size(-16384)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	s, err := db.PrepareContext(b.Context(), "SELECT state FROM keys WHERE id = $1")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// fill makes a database of n keys of n/4 accounts, past the store and without syncing.
func fill(b *testing.B, path string, n int) {
	db, err := sqlite.Open(b.Context(), path, sqlite.Options{Cache: -1})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	event := func() *gatehouse.Event {
		return gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}, now, "bench", "s", gatehouse.OutcomeSucceeded)
	}
	a := account.Account{
		ID: "pattern", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, Role: "member", Level: 1, State: gatehouse.PrincipalActive, OTP: true,
		TOTP: gatehouse.Sealed{Ref: "dek-0123456789abcdef", Data: make([]byte, 60)}, Data: `{"language":"en"}`, Created: now, Updated: now,
		PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$aaaaaaaaaaaaaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	}
	k := gatehouse.Key{
		ID: "pattern", Tenant: gatehouse.DefaultTenant, Principal: a.ID, Name: "trading bot", Schemes: []string{"barong"},
		Scopes: gatehouse.Scopes{"orders:read", "orders:write"}, State: gatehouse.StateActive, Created: now, Updated: now,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek-0123456789abcdef", Data: make([]byte, 60), Created: now}},
	}
	for _, err := range []error{db.InsertAccount(b.Context(), &a, nil, event()), db.InsertKey(b.Context(), &k, event()), db.Close()} {
		if err != nil {
			b.Fatal(err)
		}
	}
	raw, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-1000000)&_pragma=foreign_keys(0)")
	if err != nil {
		b.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	copies(b, raw, "accounts", n/4+1, map[string]func(int) string{
		"place": func(i int) string { return strconv.FormatInt(sqlstore.Place(accountID(i)), 10) },
		"id":    func(i int) string { return accountID(i) },
		"uid":   func(i int) string { return fmt.Sprintf("ID%010X", i) },
		"email": func(i int) string { return fmt.Sprintf("person.%d@example.com", i) },
	})
	copies(b, raw, "keys", n, map[string]func(int) string{
		"place":           func(i int) string { return strconv.FormatInt(sqlstore.Place(keyID(i)), 10) },
		"id":              keyID,
		"principal":       func(i int) string { return accountID(owner(i, n)) },
		"principal_place": func(i int) string { return strconv.FormatInt(sqlstore.Place(accountID(owner(i, n))), 10) },
	})
	for _, text := range []string{"PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := raw.ExecContext(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
	if err := raw.Close(); err != nil {
		b.Fatal(err)
	}
	if info, err := os.Stat(path); err == nil {
		b.Logf("%d keys: %d bytes a key with account and indexes", n, info.Size()/int64(n))
	}
}

// owner is the number of the account that owns the i-th of n keys: no order.
func owner(i, n int) int { return int(uint64(i+1) * 0x9e3779b97f4a7c15 % uint64(n/4+1)) }

func accountID(i int) string { return keyID(i) + keyID(-i-7) }

// copies inserts n copies of the row "pattern" of a table, each with values of its own
// in the columns of own.
func copies(b *testing.B, db *sql.DB, table string, n int, own map[string]func(int) string) {
	var names, columns, values []string
	rows, err := db.QueryContext(b.Context(), "SELECT name FROM pragma_table_info($1)", table)
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Fatal(err)
		}
		columns = append(columns, name)
		if own[name] != nil {
			names = append(names, name)
			name = fmt.Sprintf("new.column%d", len(names))
		} else {
			name = "old." + name
		}
		values = append(values, name)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	const batch = 500
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(names)), ",") + ")"
	text := func(rows int) string {
		return "WITH new AS (VALUES " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",") + ") INSERT INTO " + table +
			" (" + strings.Join(columns, ",") + ") SELECT " + strings.Join(values, ",") + " FROM new, " + table + " old WHERE old.id = 'pattern'"
	}
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < n; {
		var args []any
		room := min(batch, n-at)
		for range room {
			for _, name := range names {
				args = append(args, own[name](at))
			}
			at++
		}
		if _, err := tx.ExecContext(b.Context(), text(room), args...); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkInsert measures durable inserts with one writer and with many, and what the
// many gain. The bar: 64 writers insert at least four times as many.
func BenchmarkInsert(b *testing.B) {
	var alone float64
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := fresh(b)
			now := time.Now()
			event := func() *gatehouse.Event {
				return gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}, now, "key.create", "s", gatehouse.OutcomeSucceeded)
			}
			a := account.Account{ID: "a", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
			if err := db.InsertAccount(b.Context(), &a, nil, event()); err != nil {
				b.Fatal(err)
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for {
						i := int(next.Add(1))
						if i > b.N {
							return
						}
						k := gatehouse.Key{
							ID: keyID(i), Tenant: gatehouse.DefaultTenant, Principal: a.ID, Schemes: []string{"barong"}, State: gatehouse.StateActive,
							Created: now, Updated: now,
							Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek", Data: make([]byte, 60), Created: now}},
						}
						if err := db.InsertKey(b.Context(), &k, event()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "inserts/s")
			switch {
			case writers == 1:
				alone = rate
			case alone > 0:
				b.ReportMetric(rate/alone, "times-one-writer")
			}
		})
	}
}
