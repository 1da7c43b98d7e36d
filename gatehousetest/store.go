// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// AllStores is a store of everything. The suites of single stores take all of them,
// because the records refer to each other: a key needs an account.
type AllStores interface {
	gatehouse.Store
	gatehouse.UseStore
	gatehouse.AttemptStore
	gatehouse.AuditStore
	gatehouse.ReceiptStore
	gatehouse.TenantStore
	gatehouse.RuleStore
	gatehouse.DataKeyStore
	gatehouse.SigningKeyStore
	account.Store
	account.SessionStore
	account.TicketStore
}

// Store is the suite of [gatehouse.Store]. open returns a store that nobody else uses;
// the suite calls it once and keeps its tests apart by tenant.
func Store(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"a key is read as it was inserted", keyRoundTrip},
		{"a key of empty lists", keyEmptyLists},
		{"times", keyTimes},
		{"texts", keyTexts},
		{"text that is none", keyUnstorable},
		{"materials", keyMaterials},
		{"values that are none", keyInvalid},
		{"insert a taken id", keyTaken},
		{"insert without principal", keyWithoutPrincipal},
		{"insert many", keysRoundTrip},
		{"insert many or none", keysAllOrNone},
		{"the event of a key", keyEvents},
		{"what is not there", keyNotFound},
		{"a look-up knows the principal", keyLookupPrincipal},
		{"a look-up knows another principal", keyMoves},
		{"a key that is made while its principal is banned", keyBanRace},
		{"update", keyUpdate},
		{"update what changed or is not there", keyUpdateRefused},
		{"two updates at once", keyUpdateRace},
		{"revoked is final", keyRevoked},
		{"reads see what was acknowledged", keyAcknowledged},
		{"list", keyList},
		{"list in every order", keyListOrders},
		{"list in pages", keyListPages},
		{"a context that has ended", keyContext},
		{"deleted is final", keyDeleted},
		{"find keys", findEverything},
		{"find keys by several conditions", findTogether},
		{"find keys by hostile text", findHostileText},
		{"find keys as they are now", findChanged},
		{"find keys while others are inserted", findWhileInserting},
	})
}

// TenantStore is the suite of [gatehouse.TenantStore]. open is as for [Store].
func TenantStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"a tenant is read as it was inserted", tenantRoundTrip},
		{"the default tenant", tenantDefault},
		{"a name that is taken", tenantTaken},
		{"update what changed or is not there", tenantUpdateRefused},
		{"removed is final", tenantRemoved},
		{"a look-up knows the tenant", tenantLookup},
		{"values that are none", tenantInvalid},
	})
}

// RuleStore is the suite of [gatehouse.RuleStore]. open is as for [Store].
func RuleStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"rules are read as they were put", rulesRoundTrip},
		{"two puts at once", rulesRace},
	})
}

// UseStore is the suite of [gatehouse.UseStore]. open is as for [Store].
func UseStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"touch keys", useTouch},
		{"never back", useNeverBack},
		{"no change of the key", useNoChange},
		{"many uses at once", useMany},
		{"uses when the context has ended", useContext},
	})
}

// AttemptStore is the suite of [gatehouse.AttemptStore]. open is as for [Store].
func AttemptStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"an attempt is read as it was inserted", attemptRoundTrip},
		{"hostile text", attemptHostileText},
		{"list", attemptList},
		{"purge", attemptPurge},
	})
}

// AuditStore is the suite of [gatehouse.AuditStore]. open is as for [Store].
func AuditStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"an event is read as it was appended", eventRoundTrip},
		{"one chain for each tenant", eventChains},
		{"many at once", eventConcurrent},
		{"hostile text", eventHostileText},
		{"values that are none", eventInvalid},
		{"list", eventList},
		{"list by time", eventListByTime},
		{"list in pages", eventListPages},
		{"list from a cursor", eventListCursor},
		{"the head of a chain", chainHead},
	})
}

// DataKeyStore is the suite of [gatehouse.DataKeyStore]. open is as for [Store].
func DataKeyStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"data keys are read as they were inserted", dataKeyRoundTrip},
		{"rewrap", dataKeyRewrap},
	})
}

// SigningKeyStore is the suite of [gatehouse.SigningKeyStore]. open is as for [Store].
func SigningKeyStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"signing keys are read as they were inserted", signingKeyRoundTrip},
		{"retire and delete", signingKeyRetire},
	})
}

// AccountStore is the suite of the stores of package account. open is as for [Store].
func AccountStore(t *testing.T, open func(t *testing.T) AllStores) {
	runHouses(t, open, []houseTest{
		{"an account is read as it was inserted", accountRoundTrip},
		{"names", accountNames},
		{"names that are taken", accountTaken},
		{"text that is none", accountUnstorable},
		{"update an account", accountUpdate},
		{"update what changed or is not there", accountUpdateRefused},
		{"two updates at once", accountUpdateRace},
		{"list accounts", accountList},
		{"effect: keys are disabled", effectDisableKeys},
		{"effect: service accounts change state", effectServiceState},
		{"effect: sessions end", effectEndSessions},
		{"effect: recovery codes", effectRecovery},
		{"effect: a ticket is spent", effectTake},
		{"effect: the last administrator stays", effectKeepAdministrator},
		{"all administrators step down at once", keepAdministratorRace},
		{"an actor that was stopped meanwhile", actorStill},
		{"an actor is stopped while it acts", actorStopped},
		{"insert with a ticket", accountInsertTake},
		{"a totp step is spent once", stepOnce},
		{"totp steps go upwards", stepUpwards},
		{"a recovery code is spent once", recoveryOnce},
		{"a session is read as it was inserted", sessionRoundTrip},
		{"a session replaces another", sessionEnds},
		{"touch and delete a session", sessionTouch},
		{"list sessions", sessionList},
		{"purge", purge},
		{"tickets", tickets},
		{"a ticket is spent once", ticketOnce},
	})
}

// Stores runs the suites of all the stores.
func Stores(t *testing.T, open func(t *testing.T) AllStores) {
	for _, suite := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) AllStores)
	}{
		{"Store", Store}, {"TenantStore", TenantStore}, {"RuleStore", RuleStore}, {"UseStore", UseStore}, {"AttemptStore", AttemptStore}, {"AuditStore", AuditStore}, {"ReceiptStore", ReceiptStore}, {"DataKeyStore", DataKeyStore},
		{"SigningKeyStore", SigningKeyStore}, {"AccountStore", AccountStore},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, open) })
	}
}

type houseTest struct {
	name string
	test func(t *testing.T, h *house)
}

func runHouses(t *testing.T, open func(t *testing.T) AllStores, tests []houseTest) {
	s := open(t)
	for _, row := range tests {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(t, newHouse(t, s))
		})
	}
}

// house is one tenant of a store. Its chain of events is verified when the test ends.
type house struct {
	AllStores
	tenant string
	ticks  atomic.Int64
}

func newHouse(t *testing.T, s AllStores) *house {
	h := &house{AllStores: s, tenant: name("tenant")}
	t.Cleanup(func() { verifyChain(t, s, h.tenant) })
	return h
}

// name returns a name that nobody else has.
func name(kind string) string { return kind + "-" + strings.ToLower(rand.Text()[:12]) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return b
}

// now returns a time that is later with every call.
func (h *house) now() time.Time {
	start := time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)
	return start.Add(time.Duration(h.ticks.Add(1)) * time.Microsecond)
}

func (h *house) event(verb, subject string) *gatehouse.Event {
	a := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: "actor-1", Tenant: h.tenant, UserAgent: "suite"}
	return gatehouse.NewEvent(a, h.now(), verb, subject, gatehouse.OutcomeSucceeded)
}

// account inserts a person, changed by edit where it is not nil.
func (h *house) account(t *testing.T, edit func(*account.Account)) account.Account {
	t.Helper()
	now := h.now()
	a := account.Account{
		ID: name("account"), Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, UID: "ID" + strings.ToUpper(hex.EncodeToString(randomBytes(5))),
		Email: name("mail") + "@example.com", Role: "member", State: gatehouse.PrincipalActive, Created: now, Updated: now,
	}
	if edit != nil {
		edit(&a)
	}
	must(t, h.InsertAccount(t.Context(), &a, nil, h.event("account.create", a.ID)))
	a.Version = 1
	return a
}

// newKey makes a key without inserting it.
func (h *house) newKey(principal string) gatehouse.Key {
	now := h.now()
	return gatehouse.Key{
		ID: hex.EncodeToString(randomBytes(8)), Tenant: h.tenant, Principal: principal, Schemes: []string{"barong"},
		State: gatehouse.StateActive, Created: now, Updated: now, Version: 1,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek-1", Data: randomBytes(60), Created: now}},
	}
}

// key inserts a key, changed by edit where it is not nil.
func (h *house) key(t *testing.T, principal string, edit func(*gatehouse.Key)) gatehouse.Key {
	t.Helper()
	k := h.newKey(principal)
	if edit != nil {
		edit(&k)
	}
	must(t, h.InsertKey(t.Context(), &k, h.event("key.create", k.ID)))
	return k
}

// events reads all events of the tenant about subject, oldest first; empty: all.
func (h *house) events(t *testing.T, subject string) []gatehouse.Event {
	t.Helper()
	events, total, err := h.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: h.tenant, Subject: subject, Oldest: true})
	must(t, err)
	if total != len(events) {
		t.Errorf("ListEvents: %d events, total %d", len(events), total)
	}
	return events
}

// unchanged runs a write that must fail and wants no new event from it.
func (h *house) unchanged(t *testing.T, what string, want error, write func(e *gatehouse.Event) error) {
	t.Helper()
	before := len(h.events(t, ""))
	e := h.event("suite.refused", "subject")
	fresh := *e
	err := write(e)
	if want == nil {
		mustInvalid(t, what, err)
	} else {
		mustBe(t, what, err, want)
	}
	same(t, what+": the event passed in", *e, fresh)
	if after := len(h.events(t, "")); after != before {
		t.Errorf("%s: %d events were stored with a change that failed", what, after-before)
	}
}

// verifyChain reads a tenant's events and wants a chain: no gap, every hash right.
func verifyChain(t *testing.T, s gatehouse.AuditStore, tenant string) {
	t.Helper()
	events, _, err := s.ListEvents(context.Background(), gatehouse.EventQuery{Tenant: tenant, Oldest: true})
	if err != nil {
		t.Errorf("ListEvents: %v", err)
		return
	}
	var prev []byte
	for i := range events {
		e := &events[i]
		if e.Seq != int64(i)+1 || string(e.Prev) != string(prev) || string(e.Hash) != string(e.ChainHash()) {
			t.Errorf("event %d of %d does not continue the chain: %+v", i+1, len(events), *e)
			return
		}
		prev = e.Hash
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

func mustInvalid(t *testing.T, what string, err error) {
	t.Helper()
	var invalid *gatehouse.InvalidError
	if !errors.As(err, &invalid) {
		t.Errorf("%s: %v; want an *InvalidError", what, err)
	}
}

// same compares records. Nil and empty lists are the same; times are, where they are
// the same instant in UTC.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return // as most are: to compare them by the rules below takes long
	}
	zone := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), comparables, zone); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// attempts calls f n times at once and returns the errors.
func attempts(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	calls.Wait()
	return errs
}

// count counts the errors that are want, and wants all others to be nil.
func count(t *testing.T, what string, errs []error, want error) int {
	t.Helper()
	n := 0
	for _, err := range errs {
		switch {
		case errors.Is(err, want):
			n++
		case err != nil:
			t.Errorf("%s: %v", what, err)
		}
	}
	return n
}

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }
