// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// recorder notes every statement that goes through it.
type recorder struct {
	*engine
	statements []statement
}

type statement struct {
	text string
	args []any
}

func (r *recorder) note(text string, args []any) {
	r.statements = append(r.statements, statement{text, args})
}

func (r *recorder) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	r.note(text, args)
	return r.engine.Query(ctx, text, args, each)
}

func (r *recorder) Point(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	r.note(text, args)
	return r.engine.Point(ctx, text, args, each)
}

func (r *recorder) Write(ctx context.Context, chain string, change func(context.Context, sqlstore.Querier) error) error {
	return r.engine.Write(ctx, chain, func(ctx context.Context, tx sqlstore.Querier) error {
		return change(ctx, noting{tx, r})
	})
}

type noting struct {
	sqlstore.Querier
	r *recorder
}

func (n noting) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	n.r.note(text, args)
	return n.Querier.Query(ctx, text, args, each)
}

func (n noting) Exec(ctx context.Context, text string, args []any) (int64, error) {
	n.r.note(text, args)
	return n.Querier.Exec(ctx, text, args)
}

// TestPlans asks SQLite how it runs every statement of the store: none reads a whole
// table, and those lists that an index can order are ordered by it.
func TestPlans(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := time.Now()
	gatehousetest.ManyKeys(t, db, "t", now)
	r := &recorder{engine: db.engine}
	callEverything(t, sqlstore.New(r), now)
	if len(r.statements) < 60 {
		t.Errorf("only %d statements", len(r.statements))
	}
	lookups, seen := 0, map[string]bool{}
	for _, s := range r.statements {
		if seen[s.text] {
			continue
		}
		seen[s.text] = true
		var plan []string
		err := db.engine.Query(t.Context(), "EXPLAIN QUERY PLAN "+s.text, s.args, func(r sqlstore.Row) error {
			plan = append(plan, r[3].(string))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", s.text, err)
		}
		for _, step := range plan {
			scans := strings.HasPrefix(step, "SCAN ") && step != "SCAN CONSTANT ROW" && !strings.HasSuffix(step, "-ROW VALUES CLAUSE") && !mayBeScanned(s.text, step)
			sorts := strings.HasPrefix(step, "USE TEMP B-TREE FOR ORDER BY") && !mayBeSorted(s.text)
			if scans || sorts {
				t.Errorf("%s\n\t%s", s.text, strings.Join(plan, "\n\t"))
			}
		}
		// A look-up goes straight to its one row, and to that of the tenant.
		if strings.Contains(s.text, "k.materials FROM keys k WHERE k.place") {
			lookups++
			if strings.Join(plan, "\n") != "SEARCH k USING INTEGER PRIMARY KEY (rowid=?)\nCORRELATED SCALAR SUBQUERY 1\nSEARCH t USING PRIMARY KEY (name=?)" {
				t.Errorf("%s\n\t%s", s.text, strings.Join(plan, "\n\t"))
			}
		}
	}
	if lookups != 1 {
		t.Errorf("%d look-ups among the statements", lookups)
	}
}

// mayBeScanned names the lists that are read from one end: few rows, attempts, which are
// read in the order of an index until there are enough, and what another SELECT inside the
// statement has found.
func mayBeScanned(text, step string) bool {
	for name, inside := range map[string]string{"d": ") d JOIN keys k", "c": ") c", "w": "RECURSIVE w "} {
		if step == "SCAN "+name && strings.Contains(text, inside) {
			return true
		}
	}
	if strings.Contains(text, "FROM tenants t ORDER BY") {
		return true
	}
	return strings.Contains(text, "FROM data_keys") || strings.HasPrefix(step, "SCAN attempts USING ") && strings.Contains(text, "LIMIT")
}

// mayBeSorted names the lists that no index orders: few rows, a span of time that is
// read in the order of the chain, an order that nobody asks for without a principal, the
// keys with one of many words that begin alike, and accounts whose names begin alike.
func mayBeSorted(text string) bool {
	if strings.Contains(text, " + 0, k.id || ''") || strings.Contains(text, " + 0 DESC, k.id || '' DESC") || strings.Contains(text, "d.tag >= ") || strings.Contains(text, "a.created + 0") {
		return true
	}
	return strings.Contains(text, "FROM data_keys") || strings.Contains(text, "AND time >=") || strings.Contains(text, "ORDER BY k.updated")
}

// callEverything calls every method that reads or writes, in all its forms.
func callEverything(t *testing.T, db *sqlstore.DB, now time.Time) {
	ctx, hash := t.Context(), []byte("hash")
	event := func() *gatehouse.Event {
		return gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: "t"}, now, "v", "s", gatehouse.OutcomeSucceeded)
	}
	a := account.Account{ID: "a", Tenant: "t", Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive, Version: 1}
	k := gatehouse.Key{ID: "k", Tenant: "t", Principal: "a", State: gatehouse.StateActive, Version: 1}
	ticket := account.Ticket{Tenant: "t", Purpose: "p", ID: "i", Expires: now.Add(time.Hour)}
	session := account.Session{Hash: hash, Tenant: "t", Account: "a"}
	dek := gatehouse.DataKey{ID: "d", Tenant: "t", KEK: "kek"}
	errs := []error{
		db.InsertTicket(ctx, &ticket, true),
		db.InsertAccount(ctx, &a, &ticket, event()),
		db.InsertTicket(ctx, &ticket, false),
		db.InsertKey(ctx, &k, event()),
		db.UpdateKey(ctx, &k, event()),
		db.TouchKeys(ctx, []gatehouse.Use{{KeyID: "k", Time: now}}),
		db.InsertAttempts(ctx, []gatehouse.Attempt{{Tenant: "t", KeyID: "k", Time: now}}),
		db.PurgeAttempts(ctx, now),
		db.InsertSession(ctx, &session, hash, event()),
		db.TouchSession(ctx, hash, now, now),
		db.UpdateAccount(ctx, &a, account.Effects{
			DisableKeys: true, ServiceState: gatehouse.PrincipalActive, EndSessions: true, KeepSession: hash, Recovery: [][]byte{hash}, Take: &ticket,
		}, event()),
		db.DeleteSession(ctx, hash, event()),
		db.PurgeExpired(ctx, now),
		db.InsertDataKey(ctx, &dek, event()),
		db.RewrapDataKey(ctx, &dek, "kek", event()),
		db.InsertSigningKey(ctx, &gatehouse.SigningKey{ID: "s", Tenant: "t"}, event()),
	}
	add := func(err error) { errs = append(errs, err) }
	_, err := db.UseStep(ctx, "a", 1, 1)
	add(err)
	_, err = db.UseRecoveryCode(ctx, "a", hash, event())
	add(err)
	_, err = db.RecoveryCodes(ctx, "a")
	add(err)
	_, err = db.HasTicket(ctx, &ticket, now)
	add(err)
	_, err = db.Lookup(ctx, "k")
	add(err)
	_, err = db.Principal(ctx, "t", "a")
	add(err)
	_, err = db.GetKey(ctx, "t", "k")
	add(err)
	_, err = db.ListSessions(ctx, "t", "a")
	add(err)
	_, err = db.DataKeys(ctx)
	add(err)
	_, err = db.SigningKeys(ctx, "t")
	add(err)
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	callMisses(t, db, a, k, event())
	callLists(t, db, now)
	for _, q := range gatehousetest.ManySearches("t", now) {
		if _, err := db.FindKeys(ctx, q); err != nil {
			t.Error(err)
		}
	}
	callTenants(t, db, event())
}

func callTenants(t *testing.T, db *sqlstore.DB, e *gatehouse.Event) {
	tenant := gatehouse.Tenant{Name: "t", TenantBrief: gatehouse.TenantBrief{State: gatehouse.TenantActive}, Version: 1}
	rules := gatehouse.RuleSet{Tenant: "t"}
	_, list := db.ListTenants(t.Context())
	_, read := db.Rules(t.Context(), "t")
	for i, err := range []error{
		db.InsertTenant(t.Context(), &tenant, e), db.UpdateTenant(t.Context(), &tenant, e), list, read,
		db.PutRules(t.Context(), &rules, e), db.PutRules(t.Context(), &gatehouse.RuleSet{Tenant: "t", Version: 1}, e),
	} {
		if err != nil {
			t.Errorf("call %d of tenants: %v", i, err)
		}
	}
	if _, err := db.Tenant(t.Context(), "t"); err != nil {
		t.Error(err)
	}
}

// callMisses makes the calls that end in a search for what was missed.
func callMisses(t *testing.T, db *sqlstore.DB, a account.Account, k gatehouse.Key, e *gatehouse.Event) {
	_, _, _ = db.Session(t.Context(), []byte("none"))
	for by, value := range map[account.By]string{account.ByID: "a", account.ByUID: "u", account.ByEmail: "e", account.ByUsername: "n"} {
		_, _ = db.Account(t.Context(), "t", by, value)
	}
	if err := db.UpdateAccount(t.Context(), &account.Account{ID: "a", Tenant: "t", Kind: a.Kind, State: a.State, Version: 2}, account.Effects{KeepAdministrator: true}, e); err == nil {
		t.Error("the last administrator went")
	}
	a.Version, k.Version = 9, 9
	if err := db.UpdateAccount(t.Context(), &a, account.Effects{}, e); err == nil {
		t.Error("a stale account was updated")
	}
	if err := db.UpdateKey(t.Context(), &k, e); err == nil {
		t.Error("a stale key was updated")
	}
}

func callLists(t *testing.T, db *sqlstore.DB, now time.Time) {
	for _, keyID := range []string{"", "k"} {
		if _, err := db.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: "t", KeyID: keyID, Limit: 10}); err != nil {
			t.Error(err)
		}
	}
	for _, limit := range []int{0, 10} {
		for _, principal := range []string{"", "a"} {
			for _, order := range []gatehouse.KeyOrder{gatehouse.KeyOrderCreated, gatehouse.KeyOrderUpdated} {
				q := gatehouse.KeyQuery{Tenant: "t", Principal: principal, Order: order, Desc: limit == 0, Limit: limit, States: []gatehouse.State{gatehouse.StateActive}}
				if _, _, err := db.ListKeys(t.Context(), q); err != nil {
					t.Error(err)
				}
			}
		}
		for _, q := range []account.Query{{}, {Owner: "a"}, {Kind: gatehouse.PrincipalAccount}, {State: gatehouse.PrincipalActive}, {Role: "superadmin"}, {Role: "member"}, {Limited: true}, {Text: "ada"}, {Text: "ada", Kind: gatehouse.PrincipalService}} {
			q.Tenant, q.Limit = "t", limit
			if _, _, err := db.ListAccounts(t.Context(), q); err != nil {
				t.Error(err)
			}
		}
		for _, q := range []gatehouse.EventQuery{
			{}, {Subject: "s"}, {Subject: "s", Verbs: []string{"a", "b"}, Oldest: true}, {Verbs: []string{"a"}}, {From: now, To: now}, {Outcome: gatehouse.OutcomeDenied},
		} {
			q.Tenant, q.Limit = "t", limit
			if _, _, err := db.ListEvents(t.Context(), q); err != nil {
				t.Error(err)
			}
		}
	}
}
