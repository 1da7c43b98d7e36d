// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func (h *house) mustReadAccount(t *testing.T, want account.Account) {
	t.Helper()
	got, err := h.Account(t.Context(), h.tenant, account.ByID, want.ID)
	must(t, err)
	same(t, "Account", got, want)
}

func accountRoundTrip(t *testing.T, h *house) {
	owner := h.account(t, nil)
	for _, text := range hostile {
		a := h.account(t, func(a *account.Account) {
			a.Kind, a.Owner, a.Username = gatehouse.PrincipalService, owner.ID, name("User")
			a.Role, a.Level, a.State = text, -3, gatehouse.PrincipalLocked
			a.Data, a.Referral, a.PasswordHash = text, text, text
			a.Labels = []account.Label{{Key: text, Value: text, Scope: "private", Created: h.now(), Updated: h.now()}, {Key: "second", Scope: "public"}}
			a.Limits = []gatehouse.Limit{{Name: text, Count: 10, Period: time.Minute, Burst: 3}, {Name: "week", Count: 7, Refill: gatehouse.RefillWeek}}
			a.OTP, a.TOTPVersion, a.TOTP = true, 4, gatehouse.Sealed{Ref: text, Data: randomBytes(60)}
			a.Version = 9 // not taken over
		})
		h.mustReadAccount(t, a)
	}
	bare := h.account(t, func(a *account.Account) {
		a.UID, a.Email, a.Role, a.Labels = "", "", "", []account.Label{}
		a.Created, a.Updated = time.Time{}, time.Time{}
	})
	h.mustReadAccount(t, bare)
	local := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("zone", 7200))
	a := h.account(t, func(a *account.Account) { a.Created, a.Labels = local, []account.Label{{Key: "k", Created: local}} })
	a.Created, a.Labels[0].Created = local.UTC().Truncate(time.Microsecond), local.UTC().Truncate(time.Microsecond)
	h.mustReadAccount(t, a)
}

func accountNames(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) { a.Email, a.Username = "émile+x@example.com", "ÉcoleUser" })
	other := newHouse(t, h.AllStores)
	for _, row := range []struct {
		by    account.By
		value string
		found bool
	}{
		{account.ByID, a.ID, true}, {account.ByUID, a.UID, true},
		{account.ByEmail, "émile+x@example.com", true}, {account.ByEmail, "ÉMILE+X@Example.COM", true},
		{account.ByUsername, "ÉcoleUser", true}, {account.ByUsername, "écoleuser", true}, {account.ByUsername, "ÉCOLEUSER", true},
		{account.ByID, "", false}, {account.ByUID, "", false}, {account.ByEmail, "", false}, {account.ByUsername, "", false},
		{account.ByInvalid, a.ID, false}, {99, a.ID, false},
		{account.ByID, strings.ToUpper(a.ID), false}, {account.ByUID, strings.ToLower(a.UID), false}, {account.ByUID, a.ID, false},
		{account.ByEmail, "%", false}, {account.ByEmail, "\xff", false}, {account.ByEmail, " émile+x@example.com", false},
	} {
		got, err := h.Account(t.Context(), h.tenant, row.by, row.value)
		if row.found {
			must(t, err)
			same(t, label("Account by %d %q", row.by, row.value), got, a)
		} else {
			mustBe(t, label("Account by %d %q", row.by, row.value), err, gatehouse.ErrNotFound)
		}
		_, err = h.Account(t.Context(), other.tenant, row.by, row.value)
		mustBe(t, label("Account of another tenant by %d %q", row.by, row.value), err, gatehouse.ErrNotFound)
	}
	// Many may have no name.
	for range 3 {
		h.account(t, func(a *account.Account) { a.UID, a.Email, a.Username = "", "", "" })
	}
	_, err := h.Account(t.Context(), h.tenant, account.ByUsername, "")
	mustBe(t, "Account by an empty name", err, gatehouse.ErrNotFound)
}

func accountTaken(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) { a.Username = "Ada" })
	b := h.account(t, nil)
	other := newHouse(t, h.AllStores)
	for what, copyName := range map[string]func(*account.Account){
		"id":                     func(x *account.Account) { x.ID = a.ID },
		"uid":                    func(x *account.Account) { x.UID = a.UID },
		"email":                  func(x *account.Account) { x.Email = a.Email },
		"username":               func(x *account.Account) { x.Username = a.Username },
		"username in other case": func(x *account.Account) { x.Username = "aDA" },
	} {
		fresh := b
		fresh.ID, fresh.UID, fresh.Email = name("account"), name("uid"), name("mail")
		copyName(&fresh)
		h.unchanged(t, "insert with a taken "+what, gatehouse.ErrExists, func(e *gatehouse.Event) error {
			err := h.InsertAccount(t.Context(), &fresh, nil, e)
			if err != nil && (strings.Contains(err.Error(), a.Email) || strings.Contains(err.Error(), a.UID)) {
				t.Errorf("the error tells a value: %v", err)
			}
			return err
		})
		if what == "id" {
			continue
		}
		changed := b
		copyName(&changed)
		h.unchanged(t, "update to a taken "+what, gatehouse.ErrExists, func(e *gatehouse.Event) error {
			return h.UpdateAccount(t.Context(), &changed, account.Effects{}, e)
		})
		// In another tenant the name is free.
		foreign := fresh
		foreign.ID, foreign.Tenant = name("account"), other.tenant
		must(t, h.InsertAccount(t.Context(), &foreign, nil, other.event("account.create", foreign.ID)))
		must(t, h.UpdateAccount(t.Context(), &foreign, account.Effects{}, other.event("account.update", foreign.ID)))
		foreign.Version = 2
		foreign.UID, foreign.Email, foreign.Username = "", "", ""
		must(t, h.UpdateAccount(t.Context(), &foreign, account.Effects{}, other.event("account.update", foreign.ID)))
	}
	elsewhere := account.Account{ID: a.ID, Tenant: other.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	other.unchanged(t, "insert with the id of another tenant's account", gatehouse.ErrExists, func(e *gatehouse.Event) error {
		return h.InsertAccount(t.Context(), &elsewhere, nil, e)
	})
	h.mustReadAccount(t, a)
	h.mustReadAccount(t, b)
	errs := attempts(10, func(int) error {
		x := b
		x.ID, x.UID, x.Email = name("account"), name("uid"), "raced@example.com"
		return h.InsertAccount(t.Context(), &x, nil, h.event("account.create", x.ID))
	})
	if n := count(t, "insert at once", errs, gatehouse.ErrExists); n != 9 {
		t.Errorf("of 10 accounts with one address %d failed; want 9", n)
	}
}

func accountUnstorable(t *testing.T, h *house) {
	a := h.account(t, nil)
	for _, text := range unstorable {
		for what, spoil := range map[string]func(*account.Account){
			"data":  func(a *account.Account) { a.Data = text },
			"label": func(a *account.Account) { a.Labels = []account.Label{{Key: "k", Value: text}} },
			"email": func(a *account.Account) { a.Email = text },
		} {
			bad := a
			spoil(&bad)
			h.unchanged(t, label("update with %s %q", what, text), nil, func(e *gatehouse.Event) error {
				return h.UpdateAccount(t.Context(), &bad, account.Effects{}, e)
			})
		}
		fresh := account.Account{ID: text, Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
		h.unchanged(t, label("insert with id %q", text), nil, func(e *gatehouse.Event) error {
			return h.InsertAccount(t.Context(), &fresh, nil, e)
		})
	}
	for what, spoil := range map[string]func(*account.Account){
		"no kind":    func(a *account.Account) { a.Kind = gatehouse.PrincipalInvalid },
		"no state":   func(a *account.Account) { a.State = "" },
		"some state": func(a *account.Account) { a.State = "sleepy" },
	} {
		bad := a
		spoil(&bad)
		h.unchanged(t, "update with "+what, nil, func(e *gatehouse.Event) error {
			return h.UpdateAccount(t.Context(), &bad, account.Effects{}, e)
		})
	}
	h.mustReadAccount(t, a)
}

func accountUpdate(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) { a.Username, a.Labels = "before", []account.Label{{Key: "k"}} })
	a.UID, a.Email, a.Username, a.Owner, a.Role, a.Level = name("uid"), name("mail"), "After", "owner-1", "admin", 7
	a.State, a.Data, a.Referral, a.Labels = gatehouse.PrincipalBanned, "{}", "ref", nil
	a.Limits = []gatehouse.Limit{{Name: "hour", Count: 7, Refill: gatehouse.RefillHour}}
	a.PasswordHash, a.OTP, a.TOTP, a.TOTPVersion = "hash", true, gatehouse.Sealed{Ref: "r", Data: []byte{1}}, 2
	a.Updated = h.now()
	passed := a
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID)))
	same(t, "the account passed to UpdateAccount", a, passed)
	a.Version = 2
	h.mustReadAccount(t, a)
	got, err := h.Account(t.Context(), h.tenant, account.ByUsername, "after")
	must(t, err)
	same(t, "Account by its new name", got, a)
	_, err = h.Account(t.Context(), h.tenant, account.ByUsername, "before")
	mustBe(t, "Account by its old name", err, gatehouse.ErrNotFound)
}

func accountUpdateRefused(t *testing.T, h *house) {
	a := h.account(t, nil)
	stale, unknown, foreign := a, a, a
	stale.Version, unknown.ID, foreign.Tenant = 2, "nobody", newHouse(t, h.AllStores).tenant
	for _, row := range []struct {
		what string
		a    account.Account
		want error
	}{{"of a stale account", stale, gatehouse.ErrConflict}, {"of an unknown account", unknown, gatehouse.ErrNotFound}, {"in another tenant", foreign, gatehouse.ErrNotFound}} {
		row.a.Role = "changed"
		h.unchanged(t, "update "+row.what, row.want, func(e *gatehouse.Event) error {
			return h.UpdateAccount(t.Context(), &row.a, account.Effects{}, e)
		})
	}
	h.mustReadAccount(t, a)
}

func accountUpdateRace(t *testing.T, h *house) {
	a := h.account(t, nil)
	for range 10 {
		var winner atomic.Pointer[string]
		errs := attempts(8, func(i int) error {
			mine := a
			mine.Role = fmt.Sprintf("writer %d", i)
			err := h.UpdateAccount(t.Context(), &mine, account.Effects{}, h.event("account.update", a.ID))
			if err == nil {
				winner.Store(&mine.Role)
			}
			return err
		})
		if n := count(t, "update at once", errs, gatehouse.ErrConflict); n != 7 {
			t.Fatalf("of 8 updates of one version %d failed; want 7", n)
		}
		a.Role, a.Version = *winner.Load(), a.Version+1
		h.mustReadAccount(t, a)
	}
}

func accountList(t *testing.T, h *house) {
	owner := h.account(t, nil)
	all := []account.Account{owner}
	for i := range 5 {
		all = append(all, h.account(t, func(a *account.Account) {
			a.ID = fmt.Sprintf("%d-%s", 9-i, a.ID) // ids against the order of creation
			if i < 2 {
				a.Kind, a.Owner = gatehouse.PrincipalService, owner.ID
			}
			if i == 4 {
				a.Email, a.UID, a.Role = "ada.l_x@example.com", "ID00FF%", "admin"
				a.Limits = []gatehouse.Limit{{Name: "hour", Count: 7, Refill: gatehouse.RefillHour}}
			}
			a.State = []gatehouse.PrincipalState{gatehouse.PrincipalActive, gatehouse.PrincipalBanned}[i%2]
		}))
	}
	newHouse(t, h.AllStores).account(t, nil)
	for _, row := range []struct {
		what  string
		q     account.Query
		want  []int
		total int
	}{
		{"all", account.Query{}, []int{0, 1, 2, 3, 4, 5}, 6},
		{"people", account.Query{Kind: gatehouse.PrincipalAccount}, []int{0, 3, 4, 5}, 4},
		{"services", account.Query{Kind: gatehouse.PrincipalService}, []int{1, 2}, 2},
		{"of an owner", account.Query{Owner: owner.ID}, []int{1, 2}, 2},
		{"in a state", account.Query{State: gatehouse.PrincipalBanned}, []int{2, 4}, 2},
		{"of an owner in a state", account.Query{Owner: owner.ID, State: gatehouse.PrincipalBanned}, []int{2}, 1},
		{"with a role", account.Query{Role: "admin"}, []int{5}, 1},
		{"with limits", account.Query{Limited: true}, []int{5}, 1},
		{"with limits, by the beginning of a uid", account.Query{Limited: true, Text: "ID00FF"}, []int{5}, 1},
		{"members", account.Query{Role: "member", Kind: gatehouse.PrincipalAccount}, []int{0, 3, 4}, 3},
		{"by a whole address", account.Query{Text: "ada.l_x@example.com"}, []int{5}, 1},
		{"by the beginning of an address", account.Query{Text: "aDa.l"}, []int{5}, 1},
		{"by the beginning of addresses, a page", account.Query{Text: "mail", Offset: 2, Limit: 2}, []int{2, 3}, 5},
		{"by the beginning of a uid", account.Query{Text: "id00f"}, []int{5}, 1},
		{"by the beginning of a uid, with a role", account.Query{Text: "ID00FF", Role: "member"}, nil, 0},
		{"by the middle", account.Query{Text: "example.com"}, nil, 0},
		{"by a pattern", account.Query{Text: "ada%"}, nil, 0},
		{"by another pattern", account.Query{Text: "ada__"}, nil, 0},
		{"by text that is none", account.Query{Text: "\xff"}, nil, 0},
		{"a page", account.Query{Offset: 2, Limit: 3}, []int{2, 3, 4}, 6},
		{"the last page", account.Query{Offset: 4, Limit: 3}, []int{4, 5}, 6},
		{"beyond", account.Query{Offset: 6, Limit: 3}, nil, 6},
	} {
		row.q.Tenant = h.tenant
		var want []account.Account
		for _, i := range row.want {
			want = append(want, all[i])
		}
		accounts, total, err := h.ListAccounts(t.Context(), row.q)
		must(t, err)
		same(t, "accounts: "+row.what, accounts, want)
		if total != row.total {
			t.Errorf("accounts: %s: total %d; want %d", row.what, total, row.total)
		}
	}
}

func stepOnce(t *testing.T, h *house) {
	a := h.account(t, nil)
	var used atomic.Int64
	for _, err := range attempts(50, func(int) error {
		ok, err := h.UseStep(t.Context(), a.ID, 1, 1000)
		if ok {
			used.Add(1)
		}
		return err
	}) {
		must(t, err)
	}
	if n := used.Load(); n != 1 {
		t.Errorf("one step was spent %d times", n)
	}
	h.mustReadAccount(t, a) // the version too
}

func stepUpwards(t *testing.T, h *house) {
	a := h.account(t, nil)
	use := func(version, step int64, want bool) {
		t.Helper()
		ok, err := h.UseStep(t.Context(), a.ID, version, step)
		must(t, err)
		if ok != want {
			t.Errorf("UseStep(%d, %d) = %v; want %v", version, step, ok, want)
		}
	}
	use(0, 10, true)
	use(0, 10, false)
	use(0, 9, false)
	use(0, 11, true)
	// Another change of the account leaves the step spent.
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID)))
	use(0, 11, false)
	use(1, 11, true) // a new secret has steps of its own
	use(1, 11, false)
	use(0, 12, false) // and ends those of the old one
	use(1, 12, true)
	if ok, err := h.UseStep(t.Context(), "nobody", 1, 1); ok || err != nil {
		t.Errorf("UseStep of an unknown account: %v, %v", ok, err)
	}
	b := h.account(t, nil)
	if ok, err := h.UseStep(t.Context(), b.ID, 1, 12); !ok || err != nil {
		t.Errorf("UseStep of another account: %v, %v", ok, err)
	}
}

func recoveryOnce(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	codes := [][]byte{randomBytes(32), randomBytes(32), randomBytes(32)}
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{Recovery: codes}, h.event("otp.enable", a.ID)))
	must(t, h.UpdateAccount(t.Context(), &b, account.Effects{Recovery: codes[:1]}, h.event("otp.enable", b.ID)))
	a.Version = 2
	before := len(h.events(t, ""))
	var used atomic.Int64
	for _, err := range attempts(50, func(int) error {
		ok, err := h.UseRecoveryCode(t.Context(), a.ID, codes[0], h.event("session.create", a.ID))
		if ok {
			used.Add(1)
		}
		return err
	}) {
		must(t, err)
	}
	if n := used.Load(); n != 1 {
		t.Errorf("one code was spent %d times", n)
	}
	for _, hash := range [][]byte{nil, {}, randomBytes(32), codes[0][:31]} {
		if ok, err := h.UseRecoveryCode(t.Context(), a.ID, hash, h.event("session.create", a.ID)); ok || err != nil {
			t.Errorf("a code that is none: %v, %v", ok, err)
		}
	}
	if ok, err := h.UseRecoveryCode(t.Context(), b.ID, codes[1], h.event("session.create", b.ID)); ok || err != nil {
		t.Errorf("another account's code: %v, %v", ok, err)
	}
	if n := len(h.events(t, "")) - before; n != 1 {
		t.Errorf("one code that was spent left %d events", n)
	}
	for id, want := range map[string]int{a.ID: 2, b.ID: 1, "nobody": 0} {
		if n, err := h.RecoveryCodes(t.Context(), id); err != nil || n != want {
			t.Errorf("RecoveryCodes: %d, %v; want %d", n, err, want)
		}
	}
	h.mustReadAccount(t, a)
}
