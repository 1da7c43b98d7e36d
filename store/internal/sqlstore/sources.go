// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
)

var (
	addSchemes = newUpsert("usage_schemes", "tenant, key_id, material, scheme, first_at, last_at, uses", "tenant, key_id, material, scheme",
		widened("usage_schemes"), compareSources, addSource,
		func(args []any, s *source) []any {
			return append(args, s.tenant, s.keyID, s.material, s.scheme, s.first, s.last, s.uses)
		})
	addSources = newUpsert("usage_sources", "tenant, key_id, material, scheme, peer, agent, first_at, last_at, uses",
		"tenant, key_id, material, scheme, peer, agent", widened("usage_sources"), compareSources, addSource,
		func(args []any, s *source) []any {
			return append(args, s.tenant, s.keyID, s.material, s.scheme, s.peer, s.agent, s.first, s.last, s.uses)
		})
	addScopes = newUpsert("usage_scopes", "tenant, key_id, scope, last_at", "tenant, key_id, scope",
		later("usage_scopes"), compareScopes,
		func(to, row *scopeUse) { to.last = max(to.last, row.last) },
		func(args []any, u *scopeUse) []any { return append(args, u.tenant, u.keyID, u.scope, u.last) })
)

func later(table string) string {
	return "last_at = CASE WHEN excluded.last_at > " + table + ".last_at THEN excluded.last_at ELSE " + table + ".last_at END"
}

func widened(table string) string {
	return later(table) + ", uses = " + table + ".uses + excluded.uses, " +
		"first_at = CASE WHEN excluded.first_at < " + table + ".first_at THEN excluded.first_at ELSE " + table + ".first_at END"
}

const (
	// Of 33 and more, 32 stay.
	pruneSource = "DELETE FROM usage_sources WHERE tenant = $1 AND key_id = $2 AND material = $3 AND (last_at, scheme, peer, agent) < " +
		"(SELECT last_at, scheme, peer, agent FROM usage_sources WHERE tenant = $1 AND key_id = $2 AND material = $3 " +
		"ORDER BY last_at DESC, scheme DESC, peer DESC, agent DESC LIMIT 1 OFFSET 31)"

	listSchemes = "SELECT material, scheme, first_at, last_at, uses FROM usage_schemes WHERE tenant = $1 AND key_id = $2"

	listSources = "SELECT material, scheme, peer, agent, first_at, last_at, uses FROM usage_sources WHERE tenant = $1 AND key_id = $2"
)

// source is a row of usage_sources, or of usage_schemes without peer and agent.
type source struct {
	tenant, keyID     string
	material          int64
	scheme            string
	peer, agent       string
	first, last, uses int64
}

func compareSources(a, b source) int {
	return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.keyID, b.keyID), cmp.Compare(a.material, b.material),
		strings.Compare(a.scheme, b.scheme), strings.Compare(a.peer, b.peer), strings.Compare(a.agent, b.agent))
}

func addSource(to, row *source) {
	to.first, to.last, to.uses = min(to.first, row.first), max(to.last, row.last), to.uses+row.uses
}

// sourcesOf are the rows of totals and of single sources.
func sourcesOf(list []gatehouse.Source) (schemes, sources []source) {
	for i := range list {
		s := &list[i]
		row := source{s.Tenant, s.KeyID, s.Material, s.Scheme, "", "", micros(s.First), micros(s.Last), s.Uses}
		if s.Total {
			schemes = append(schemes, row)
		} else {
			row.peer, row.agent = addressText(s.Peer), s.Agent
			sources = append(sources, row)
		}
	}
	return addSchemes.merge(schemes), addSources.merge(sources)
}

// scopeUse is a row of usage_scopes.
type scopeUse struct {
	tenant, keyID, scope string
	last                 int64
}

func compareScopes(a, b scopeUse) int {
	return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.keyID, b.keyID), strings.Compare(a.scope, b.scope))
}

func scopesOf(list []gatehouse.ScopeUse) []scopeUse {
	rows := make([]scopeUse, len(list))
	for i, u := range list {
		rows[i] = scopeUse{u.Tenant, u.KeyID, string(u.Scope), micros(u.Last)}
	}
	return addScopes.merge(rows)
}

// addressText is what is stored of an address; empty for none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.WithZone("").String()
}

// pruneSources takes the oldest sources of those materials of the rows' keys that have got
// too many.
func pruneSources(ctx context.Context, tx Querier, rows []source) error {
	var crowded [][]any
	for len(rows) > 0 {
		tenant, ids := rows[0].tenant, make([]string, 0, upsertRows)
		for ; len(rows) > 0 && rows[0].tenant == tenant && len(ids) < upsertRows; rows = rows[1:] {
			if id := rows[0].keyID; len(ids) == 0 || ids[len(ids)-1] != id {
				ids = append(ids, id)
			}
		}
		s := selectFrom("usage_sources", tenant)
		s.in("key_id", ids)
		text := "SELECT tenant, key_id, material " + s.text.String() + " GROUP BY tenant, key_id, material HAVING count(*) > 32"
		err := tx.Query(ctx, text, s.args, func(r Row) error {
			crowded = append(crowded, []any{r[0], r[1], r[2]})
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, key := range crowded {
		if _, err := exec(ctx, tx, pruneSource, key...); err != nil {
			return err
		}
	}
	return nil
}

// Sources implements [gatehouse.UsageStore]. Of each material it keeps the 32 sources that
// were seen last.
func (db *DB) Sources(ctx context.Context, tenant, keyID string) ([]gatehouse.Source, error) {
	var out []gatehouse.Source
	for _, text := range []string{listSchemes, listSources} {
		err := db.read(ctx, text, []any{tenant, keyID}, func(r Row) error {
			c := columnsOf(r)
			s := gatehouse.Source{Tenant: tenant, KeyID: keyID, Material: c.number(), Scheme: c.text(), Total: text == listSchemes}
			if !s.Total {
				s.Peer, s.Agent = c.address(), c.text()
			}
			s.First, s.Last, s.Uses = c.moment(), c.moment(), c.number()
			out = append(out, s)
			return c.done()
		})
		if err != nil {
			return nil, db.fail("read sources", err)
		}
	}
	slices.SortStableFunc(out, func(a, b gatehouse.Source) int {
		if a.Total != b.Total {
			return cmp.Compare(flag(b.Total), flag(a.Total))
		}
		return b.Last.Compare(a.Last)
	})
	return out, nil
}
