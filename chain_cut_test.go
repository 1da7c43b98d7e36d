// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// birth adds what every database has: a data key, whose making is an event.
func (c *chainDB) birth(t *testing.T, tenant, id string) {
	t.Helper()
	e := chainEvent(id)
	e.Tenant, e.Actor.Tenant, e.Verb = tenant, tenant, "datakey.create"
	k := gatehouse.DataKey{ID: id, Tenant: tenant, Purpose: "canary", KEK: "kek", Wrapped: []byte{1}, Created: e.Time}
	if err := c.InsertDataKey(t.Context(), &k, e); err != nil {
		t.Fatal(err)
	}
}

// person adds an account, whose making is an event.
func (c *chainDB) person(t *testing.T, tenant, id string, created time.Time) {
	t.Helper()
	e := chainEvent(id)
	e.Tenant, e.Actor.Tenant, e.Verb = tenant, tenant, "account.create"
	a := account.Account{
		ID: id, Tenant: tenant, Kind: gatehouse.PrincipalAccount, UID: "U" + id, Email: id + "@example.com", Role: "member",
		State: gatehouse.PrincipalActive, Created: created, Updated: created,
	}
	if err := c.InsertAccount(t.Context(), &a, nil, e); err != nil {
		t.Fatal(err)
	}
}

// tell adds the events of making records, and makes none.
func (c *chainDB) tell(t *testing.T, tenant, verb string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := chainEvent(id)
		e.Tenant, e.Actor.Tenant, e.Verb = tenant, tenant, verb
		if err := c.AppendEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// The end is cut, the head is taken away, and the store goes on.
func TestCutWithoutHead(t *testing.T) {
	t.Parallel()
	c := newChain(t, 0)
	c.birth(t, gatehouse.DefaultTenant, "dek-1")
	c.add(t, 19)
	events := c.all(t)
	c.raw(t, "DELETE FROM events WHERE seq > 12", "DELETE FROM chains")
	chain, _ := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "cut", &chain, "12: the head is missing")
	c.add(t, 1)
	chain, _ = c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "after the next event", &chain, "1 to 12: "+gatehouse.FaultUnvouched)
	if chain.Since != 13 {
		t.Errorf("the signature vouches from %d on; want 13", chain.Since)
	}
	now := c.all(t)
	for what, row := range map[string]struct {
		noted gatehouse.ChainPoint
		want  string
	}{
		"what was noted before it":  {point(events, 11), "1 to 12: " + gatehouse.FaultUnvouched},
		"what was noted last":       {point(events, 12), ""},
		"what was noted and is cut": {point(events, 13), "13: not the event that was noted; 1 to 12: " + gatehouse.FaultUnvouched},
		"what is noted now":         {point(now, 13), ""},
		"the hash of another":       {gatehouse.ChainPoint{Seq: 12, Hash: now[12].Hash}, "12: not the event that was noted; 1 to 12: " + gatehouse.FaultUnvouched},
	} {
		chain, _ := c.verify(t, row.noted)
		wantFaults(t, what, &chain, row.want)
	}
}

func point(events []gatehouse.Event, seq int64) gatehouse.ChainPoint {
	return gatehouse.ChainPoint{Seq: seq, Hash: events[seq-1].Hash}
}

// All events are taken away, and the head, and the store begins again: each witness alone
// tells of it, in every tenant.
func TestEmptiedLog(t *testing.T) {
	t.Parallel()
	long := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tenant := range []string{gatehouse.DefaultTenant, "shop"} {
		for what, witness := range map[string]func(c *chainDB){
			"a data key":  func(c *chainDB) { c.birth(t, tenant, "dek-1") },
			"an account":  func(c *chainDB) { c.person(t, tenant, "account-1", long) },
			"two at once": func(c *chainDB) { c.person(t, tenant, "account-1", long); c.person(t, tenant, "account-2", long) },
		} {
			c := newChain(t, 3)
			witness(c)
			check := func(moment, want string) {
				t.Helper()
				chain, _, err := gatehouse.VerifyChain(t.Context(), c, tenant, gatehouse.ChainPoint{}, chainKey)
				if err != nil {
					t.Fatal(err)
				}
				wantFaults(t, tenant+", "+what+", "+moment, &chain, want)
			}
			check("whole", "")
			c.raw(t, "DELETE FROM events", "DELETE FROM chains")
			check("emptied", "1: the log is empty")
			c.birth(t, tenant, "dek-2")
			c.person(t, tenant, "account-3", long.Add(time.Hour))
			check("begun again", "1 to 2: "+gatehouse.FaultUntold)
			// Who knows the format writes the events that are missed, and cannot sign them.
			c.raw(t, "DELETE FROM events", "DELETE FROM chains")
			c.tell(t, tenant, "datakey.create", "dek-1", "dek-2")
			c.tell(t, tenant, "account.create", "account-1", "account-2", "account-3")
			check("forged", "")
			c.raw(t, "DELETE FROM chains")
			c.tell(t, tenant, "key.create", "key-1")
			check("forged, and gone on", "1 to 5: "+gatehouse.FaultUnvouched)
		}
	}
}

// An attempt that failed is no making.
func TestFailedAttemptIsNoWitness(t *testing.T) {
	t.Parallel()
	c := newChain(t, 0)
	c.birth(t, gatehouse.DefaultTenant, "dek-1")
	c.raw(t, "DELETE FROM events", "DELETE FROM chains")
	e := chainEvent("dek-1")
	e.Verb, e.Outcome = "datakey.create", gatehouse.OutcomeFailed
	if err := c.AppendEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	chain, _ := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "a failed attempt", &chain, "1: "+gatehouse.FaultUntold)
}

// The default tenant's log begins with the first start; a log of another begins with its
// first event, however old the rest is.
func TestYoungLogs(t *testing.T) {
	t.Parallel()
	c := newChain(t, 0)
	chain, head := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "no event", &chain, "1: the log is empty")
	if chain.Events != 0 || head.Seq != 0 {
		t.Errorf("%+v, %+v", chain, head)
	}
	c.birth(t, gatehouse.DefaultTenant, "dek-1")
	c.add(t, 3)
	later := func(what string) {
		t.Helper()
		chain, _, err := gatehouse.VerifyChain(t.Context(), c, "shop", gatehouse.ChainPoint{}, chainKey)
		if err != nil {
			t.Fatal(err)
		}
		wantFaults(t, what, &chain, "")
	}
	later("a tenant without events")
	c.person(t, "shop", "account-1", time.Now())
	later("with an account")
	c.birth(t, "shop", "dek-2")
	later("with a data key")
	chain, _ = c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "the default tenant", &chain, "")
	chain, _, err := gatehouse.VerifyChain(t.Context(), newChain(t, 0), gatehouse.DefaultTenant, gatehouse.ChainPoint{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFaults(t, "no event, without a key", &chain, "")
}
