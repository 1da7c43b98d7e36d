// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

const shieldSecret = "gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="

// shieldHouse is an authority with one of Shield's keys for each token of the policies.
type shieldHouse struct {
	*embedded.House
	ids map[string]string
}

func newShieldHouse(t *testing.T, header string) *shieldHouse {
	t.Helper()
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{Shield: shield.Options{Header: header}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	h := &shieldHouse{house, map[string]string{}}
	for token, row := range map[string]struct {
		state  gatehouse.PrincipalState
		scopes gatehouse.Scopes
		used   time.Time
	}{
		"wildcard":        {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"*"}},
		"users-write":     {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"users-write"}},
		"old":             {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"*"}, used: time.Now().AddDate(-1, 0, -2)},
		"banned":          {state: gatehouse.PrincipalBanned, scopes: gatehouse.Scopes{"*"}},
		"deleted-user":    {state: gatehouse.PrincipalDeleted, scopes: gatehouse.Scopes{"*"}},
		"inactive":        {state: gatehouse.PrincipalLocked, scopes: gatehouse.Scopes{"*"}},
		"inactive-scoped": {state: gatehouse.PrincipalLocked, scopes: gatehouse.Scopes{"users-write"}},
	} {
		a, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: token + "@example.com", State: gatehouse.PrincipalActive})
		if err != nil {
			t.Fatal(err)
		}
		h.ids[token] = fmt.Sprintf("%032x", len(h.ids))
		answers, _, err := house.Authority.Adopt(ctx, house.Actor(), []gatehouse.Foreign{{
			ID: h.ids[token], Secret: gatehouse.NewSecret(shieldSecret), Principal: a.ID, Scheme: shield.Name,
			Scopes: row.scopes, Unused: shield.DefaultUnused, LastUsed: row.used,
		}}, false)
		if err != nil {
			t.Fatalf("%s: %+v, %v", token, answers, err)
		}
		if row.state != gatehouse.PrincipalActive {
			if _, err := house.Accounts.UpdateAccount(ctx, house.Actor(), a.ID, account.AccountPatch{State: &row.state}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}
