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
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// Note notes the statements of a note.
func (r *recorder) Note(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	return r.engine.Note(ctx, func(ctx context.Context, tx sqlstore.Querier) error {
		return change(ctx, noting{tx, r})
	})
}

// NoteUsage notes the statements of a note of usage.
func (r *recorder) NoteUsage(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	return r.engine.NoteUsage(ctx, func(ctx context.Context, tx sqlstore.Querier) error {
		return change(ctx, noting{tx, r})
	})
}

// TestUsagePlans is TestPlans of usage. What is listed of the spans of a series is no table.
func TestUsagePlans(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &recorder{engine: db.engine}
	callUsage(t, sqlstore.New(r))
	if len(r.statements) < 25 {
		t.Errorf("only %d statements", len(r.statements))
	}
	for _, s := range r.statements {
		var plan []string
		err := db.engine.Query(t.Context(), "EXPLAIN QUERY PLAN "+s.text, s.args, func(r sqlstore.Row) error {
			plan = append(plan, r[3].(string))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", s.text, err)
		}
		walk := strings.Contains(s.text, ", last_at FROM") && strings.Contains(s.text, " LIMIT ")
		for _, step := range plan {
			scans := strings.HasPrefix(step, "SCAN ") && step != "SCAN spans" && step != "SCAN CONSTANT ROW" &&
				!strings.HasSuffix(step, "-ROW VALUES CLAUSE") && !walk
			sorts := strings.HasPrefix(step, "USE TEMP B-TREE") && !strings.Contains(s.text, "OFFSET 31")
			if scans || sorts {
				t.Errorf("%s\n\t%s", s.text, strings.Join(plan, "\n\t"))
			}
		}
	}
}

// callUsage calls everything of usage, in all its forms.
func callUsage(t *testing.T, db *sqlstore.DB) {
	ctx, now := t.Context(), time.Now()
	b := gatehouse.UsageBatch{
		Counts: []gatehouse.UsageCount{{Tenant: "t", KeyID: "k", Outcome: "granted", Minute: now, Count: 1}},
		Scopes: []gatehouse.ScopeUse{{Tenant: "t", KeyID: "k", Scope: "a", Last: now}},
	}
	for i := range 40 {
		b.Sources = append(b.Sources, gatehouse.Source{Tenant: "t", KeyID: "k", Scheme: "s", Agent: string(rune('A' + i)), Total: i == 0, First: now, Last: now, Uses: 1})
	}
	errs := []error{db.AddUsage(ctx, &b)}
	old := gatehouse.UsageRetention{Minutes: time.Minute, Hours: time.Minute, Days: time.Minute, Sources: time.Minute}
	for _, keyID := range []string{"", "k"} {
		_, err := db.Usage(ctx, gatehouse.UsageQuery{Tenant: "t", KeyID: keyID, Grain: gatehouse.GrainHour, From: now.Add(-time.Hour), To: now})
		errs = append(errs, err)
	}
	_, err := db.Sources(ctx, "t", "k")
	errs = append(errs, err)
	for _, legacy := range [][]string{nil, {"barong", "shield"}} {
		_, err := db.Hygiene(ctx, gatehouse.HygieneQuery{Tenant: "t", Now: now, Unused: time.Hour, Legacy: legacy, Limit: 10})
		errs = append(errs, err)
	}
	for _, err := range append(errs, db.PurgeUsage(ctx, now.Add(48*time.Hour), old)) {
		if err != nil {
			t.Error(err)
		}
	}
}
