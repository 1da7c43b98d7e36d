// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// packed returns real records, packed: of a key of each scheme with a name, two scopes and a
// principal as people are.
func packed(b *testing.B) (rows [][]byte) {
	b.Helper()
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	db, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "gatehouse.db"), sqlite.Options{Cache: -1})
	must(err)
	defer func() { must(db.Close()) }()
	kr, err := seal.CreateKeyring(filepath.Join(b.TempDir(), "keyring"))
	must(err)
	sealer, err := seal.NewSealer(ctx, kr, db, time.Now)
	must(err)
	replay, err := memory.OpenReplay(memory.Options{Dir: b.TempDir(), Fresh: true})
	must(err)
	defer func() { must(replay.Close()) }()
	schemes := []gatehouse.Scheme{bearer.New(kr), barong.New(barong.Options{}), httpsig.New(httpsig.Options{}), shield.New(shield.Options{})}
	house, err := gatehouse.New(ctx, gatehouse.Config{Store: db, Sealer: sealer, Replay: replay, Limiter: memory.NewLimiter(0, nil), Schemes: schemes})
	must(err)
	operator := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	a := account.Account{
		ID: "8c0ac0f4f0b1de7a55a1c40a1dd3bb5e", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, UID: "ID4F0B1DE7A5", Email: "maria.fernandez@example.com",
		Role: "member", Level: 3, State: gatehouse.PrincipalActive, Created: time.Now(), Updated: time.Now(),
	}
	must(db.InsertAccount(ctx, &a, nil, gatehouse.NewEvent(operator, time.Now(), "account.create", a.ID, gatehouse.OutcomeSucceeded)))
	packer := sqlstore.NewPacker()
	for _, s := range schemes {
		made, err := house.Create(ctx, operator, gatehouse.NewKey{
			Principal: a.ID, Name: "reports of the night", Schemes: []string{s.Name()}, Scopes: gatehouse.Scopes{"orders:read", "orders:write"},
		})
		must(err)
		rec, err := db.Lookup(ctx, made.Key.ID)
		must(err)
		rows = append(rows, packer.Pack(rec))
		b.Logf("%s: %d bytes", s.Name(), len(rows[len(rows)-1]))
	}
	return rows
}
