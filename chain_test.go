// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

var chainKey = []byte("a key of thirty-two bytes, say..")

// chainDB is a SQLite database with a chain, and a way past its store.
type chainDB struct {
	*sqlite.DB
	path string
}

func newChain(t *testing.T, events int) *chainDB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SignChain(chainKey)
	c := &chainDB{db, path}
	c.add(t, events)
	return c
}

func chainEvent(subject string) *gatehouse.Event {
	a := gatehouse.Actor{
		Kind: gatehouse.ActorAccount, ID: "account-1", Tenant: gatehouse.DefaultTenant, Address: netip.MustParseAddr("192.0.2.7"), UserAgent: "agent",
	}
	return gatehouse.NewEvent(a, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), "key.update", subject, gatehouse.OutcomeSucceeded,
		gatehouse.Change{Field: "name", Before: "a", After: "b"})
}

func (c *chainDB) add(t *testing.T, events int) {
	t.Helper()
	for i := range events {
		if err := c.AppendEvent(t.Context(), chainEvent(fmt.Sprint("key-", i))); err != nil {
			t.Fatal(err)
		}
	}
}

// raw runs statements past the store.
func (c *chainDB) raw(t *testing.T, texts ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+c.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func (c *chainDB) verify(t *testing.T, noted gatehouse.ChainPoint) (gatehouse.Chain, gatehouse.ChainHead) {
	t.Helper()
	chain, head, err := gatehouse.VerifyChain(t.Context(), c, gatehouse.DefaultTenant, noted, chainKey)
	if err != nil {
		t.Fatal(err)
	}
	return chain, head
}

func (c *chainDB) all(t *testing.T) []gatehouse.Event {
	t.Helper()
	events, _, err := c.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func faults(c *gatehouse.Chain) string {
	var texts []string
	for _, f := range c.Faults {
		texts = append(texts, f.String())
	}
	return strings.Join(texts, "; ")
}

func wantFaults(t *testing.T, what string, c *gatehouse.Chain, want string) {
	t.Helper()
	if diff := cmp.Diff(want, faults(c)); diff != "" || c.Sound() != (want == "") || c.Found != len(c.Faults) {
		t.Errorf("%s: %d found (-want +got):\n%s", what, c.Found, diff)
	}
}

func TestSoundChain(t *testing.T) {
	t.Parallel()
	c := newChain(t, 0)
	// Writers in company: they share transactions. It is read in pages of 1,000.
	each := 200
	if testenv.Race {
		each = 50
	}
	count := int64(50 * each)
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(func() {
			for range each {
				if err := c.AppendEvent(context.Background(), chainEvent("key")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	begin := time.Now()
	chain, head := c.verify(t, gatehouse.ChainPoint{})
	t.Logf("%d events in %v", count, time.Since(begin))
	wantFaults(t, "many events", &chain, "")
	if chain.Events != count || head.Seq != count || chain.Last.Seq != count || !bytes.Equal(head.Hash, chain.Last.Hash) || head.Since != 1 || !head.Signed(chainKey) {
		t.Errorf("%d events, head %+v, last %+v", chain.Events, head, chain.Last)
	}
	c.add(t, 5)
	grown, _ := c.verify(t, chain.Last)
	wantFaults(t, "through what was noted", &grown, "")
	if got, _ := c.verify(t, gatehouse.ChainPoint{Seq: count + 5, Hash: chain.Last.Hash}); faults(&got) != fmt.Sprintf("%d: not the event that was noted", count+5) {
		t.Error(faults(&got))
	}
	if got, _ := c.verify(t, gatehouse.ChainPoint{Seq: count + 6, Hash: chain.Last.Hash}); faults(&got) != fmt.Sprintf("%d: not the event that was noted", count+6) {
		t.Error(faults(&got))
	}
}

// A chain is sound at every moment while it grows.
func TestVerifyChainWhileItGrows(t *testing.T) {
	t.Parallel()
	c := newChain(t, 1)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := c.AppendEvent(context.Background(), chainEvent("key")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		chain, head := c.verify(t, gatehouse.ChainPoint{})
		if !chain.Sound() || chain.Events != head.Seq {
			t.Errorf("%d events, head %d: %s", chain.Events, head.Seq, faults(&chain))
		}
	}
	stop()
	writers.Wait()
}

// Every column of a row in the middle, and of the last, by every kind of value.
func TestChangedColumns(t *testing.T) {
	t.Parallel()
	c := newChain(t, 8)
	columns := map[string][]string{
		"time":       {"time + 1", "'soon'"},
		"tenant":     {"'other'"},
		"actor_kind": {"'operator'", "'robot'", "x'00'"},
		"actor_id":   {"'account-2'", "''", "7"},
		"address":    {"'192.0.2.8'", "''", "'nowhere'"},
		"user_agent": {"'agent 2'", "''"},
		"verb":       {"'key.revoke'", "''"},
		"subject":    {"'key-9'", "''"},
		"outcome":    {"'denied'", "'fine'"},
		"changes":    {"''", `'[{"field":"name","before":"a","after":"c"}]'`, "'none'"},
		"prev":       {"NULL", "x'00'", "hash", "'text'"},
		"hash":       {"x'00'", "prev", "'text'"},
	}
	for column, values := range columns {
		for _, value := range values {
			for _, seq := range []int{4, 8} {
				what := fmt.Sprintf("%s = %s of event %d", column, value, seq)
				row := fmt.Sprintf("SELECT * FROM events WHERE seq = %d", seq)
				c.raw(t, "CREATE TABLE kept AS "+row, fmt.Sprintf("UPDATE events SET %s = %s WHERE seq = %d", column, value, seq))
				want := fmt.Sprintf("%d: changed", seq)
				if column == "tenant" {
					want = map[int]string{4: "4: missing", 8: "8: dropped from the end"}[seq]
				}
				chain, _ := c.verify(t, gatehouse.ChainPoint{})
				wantFaults(t, what, &chain, want)
				c.raw(t, fmt.Sprintf("DELETE FROM events WHERE seq = %d", seq), "INSERT INTO events SELECT * FROM kept", "DROP TABLE kept")
			}
		}
	}
	// What is empty in a sound row.
	c.raw(t, "UPDATE events SET prev = x'' WHERE seq = 1")
	if chain, _ := c.verify(t, gatehouse.ChainPoint{}); !chain.Sound() {
		t.Errorf("empty and none are one: %s", faults(&chain))
	}
	e := gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}, time.Now(), "", "", gatehouse.OutcomeFailed)
	if err := c.AppendEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"address = 'nowhere'", "changes = 'none'"} {
		column, _, _ := strings.Cut(change, " ")
		c.raw(t, "UPDATE events SET "+change+" WHERE seq = 9")
		chain, _ := c.verify(t, gatehouse.ChainPoint{})
		wantFaults(t, change, &chain, "9: changed")
		if n := len(c.all(t)); n != 9 {
			t.Errorf("%s: a spoiled row hides the others: %d", change, n)
		}
		c.raw(t, "UPDATE events SET "+column+" = '' WHERE seq = 9")
	}
}

func TestTamperedChains(t *testing.T) {
	t.Parallel()
	for what, row := range map[string]struct {
		texts []string
		want  string
	}{
		"a seq that leaves a gap": {[]string{"UPDATE events SET seq = 12 WHERE seq = 3"}, "3: missing; 12: changed; 9 to 11: missing; 9 to 12: added behind the head"},
		"the first dropped":       {[]string{"DELETE FROM events WHERE seq = 1"}, "1: missing"},
		"one dropped":             {[]string{"DELETE FROM events WHERE seq = 4"}, "4: missing"},
		"some dropped":            {[]string{"DELETE FROM events WHERE seq IN (3, 4, 6)"}, "3 to 4: missing; 6: missing"},
		"the last dropped":        {[]string{"DELETE FROM events WHERE seq = 8"}, "8: dropped from the end"},
		"all dropped":             {[]string{"DELETE FROM events"}, "1 to 8: dropped from the end"},
		"two swapped":             {[]string{"UPDATE events SET seq = -4 WHERE seq = 4", "UPDATE events SET seq = 4 WHERE seq = 5", "UPDATE events SET seq = 5 WHERE seq = -4"}, "4: changed; 5: changed"},
		"two changed":             {[]string{"UPDATE events SET verb = 'x' WHERE seq IN (2, 6)"}, "2: changed; 6: changed"},
		"the head rolled back":    {[]string{"UPDATE chains SET seq = 5, hash = (SELECT hash FROM events WHERE seq = 5)"}, "6 to 8: added behind the head; 5: the signature of the head is wrong"},
		"the end taken with the head": {[]string{"DELETE FROM events WHERE seq > 5", "UPDATE chains SET seq = 5, hash = (SELECT hash FROM events WHERE seq = 5)"},
			"5: the signature of the head is wrong"},
		"the hash of the head": {[]string{"UPDATE chains SET hash = x'00'"}, "8: not the event that the head names; 8: the signature of the head is wrong"},
		"no signature":         {[]string{"UPDATE chains SET mac = NULL"}, "8: the head is not signed"},
		"where signing began":  {[]string{"UPDATE chains SET since = 2"}, "8: the signature of the head is wrong"},
		"no head":              {[]string{"DELETE FROM chains"}, "8: the head is missing"},
	} {
		c := newChain(t, 8)
		c.raw(t, row.texts...)
		chain, _ := c.verify(t, gatehouse.ChainPoint{})
		got := strings.Split(faults(&chain), "; ")
		want := strings.Split(row.want, "; ")
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// insert writes an event past the store, as whoever knows the format can.
func (c *chainDB) insert(t *testing.T, e gatehouse.Event) {
	t.Helper()
	c.raw(t, fmt.Sprintf("INSERT INTO events SELECT tenant, %d, time, actor_kind, actor_id, address, user_agent, verb, %s, outcome, changes, x'%x', x'%x' FROM events WHERE seq = 1",
		e.Seq, "'"+e.Subject+"'", e.Prev, e.Hash))
}

func TestForgedEnd(t *testing.T) {
	t.Parallel()
	c := newChain(t, 8)
	forged := c.all(t)[0]
	forged.Seq, forged.Subject, forged.Prev = 9, "forged", c.all(t)[7].Hash
	forged.Hash = forged.ChainHash()
	c.insert(t, forged)
	chain, _ := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "a forged event", &chain, "9: added behind the head")
	c.raw(t, fmt.Sprintf("UPDATE chains SET seq = 9, hash = x'%x'", forged.Hash))
	chain, _ = c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "a forged event and head", &chain, "9: the signature of the head is wrong")
	// The store goes on, and does not vouch for what it did not write.
	c.add(t, 2)
	chain, head := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "after it", &chain, "1 to 9: "+gatehouse.FaultUnvouched)
	if head.Since != 10 || head.Seq != 11 {
		t.Errorf("head %d vouches from %d on; want 10", head.Seq, head.Since)
	}
}

// The store goes on after a cut, and the cut stays.
func TestCutEndStays(t *testing.T) {
	t.Parallel()
	c := newChain(t, 8)
	_, before := c.verify(t, gatehouse.ChainPoint{})
	c.raw(t, "DELETE FROM events WHERE seq > 5")
	c.add(t, 2)
	chain, head := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "a cut", &chain, "6 to 8: missing; 1 to 8: "+gatehouse.FaultUnvouched)
	if head.Seq != 10 || head.Since != 9 {
		t.Errorf("head %d vouches from %d on; want 10 and 9", head.Seq, head.Since)
	}
	chain, _ = c.verify(t, before.ChainPoint)
	wantFaults(t, "a cut before what was noted", &chain, "6 to 8: missing; 8: not the event that was noted; 1 to 8: "+gatehouse.FaultUnvouched)
}

// Whoever can write rows can make a whole new chain with right hashes, and take the head
// away. The events that the new head does not vouch for are told, and what was noted
// elsewhere tells that they are others.
func TestRewrittenChain(t *testing.T) {
	t.Parallel()
	c := newChain(t, 8)
	_, noted := c.verify(t, gatehouse.ChainPoint{})
	events := c.all(t)
	c.raw(t, "DELETE FROM events WHERE seq > 1", "DELETE FROM chains")
	for i := 1; i < 8; i++ {
		events[i].Prev = events[i-1].Hash
		if i == 3 {
			events[i].Subject = "rewritten"
		}
		events[i].Hash = events[i].ChainHash()
		c.insert(t, events[i])
	}
	chain, _ := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "rewritten", &chain, "8: the head is missing")
	c.add(t, 1)
	chain, head := c.verify(t, gatehouse.ChainPoint{})
	wantFaults(t, "after the next event", &chain, "1 to 8: "+gatehouse.FaultUnvouched)
	if head.Since != 9 {
		t.Errorf("the head vouches from %d on; want 9", head.Since)
	}
	chain, _ = c.verify(t, noted.ChainPoint)
	wantFaults(t, "with what was noted", &chain, "8: not the event that was noted; 1 to 8: "+gatehouse.FaultUnvouched)
}

// A store that has no key keeps heads without a signature, and one that gets a key vouches
// from then on.
func TestKeyOfHeads(t *testing.T) {
	t.Parallel()
	c := newChain(t, 0)
	c.SignChain(nil)
	c.add(t, 2)
	if _, head := c.verify(t, gatehouse.ChainPoint{}); head.Since != 0 || len(head.MAC) != 0 {
		t.Errorf("without a key: %+v", head)
	}
	c.SignChain(chainKey)
	c.add(t, 2)
	if chain, head := c.verify(t, gatehouse.ChainPoint{}); faults(&chain) != "1 to 2: "+gatehouse.FaultUnvouched || head.Since != 3 || chain.Since != 3 {
		t.Errorf("with a key: %+v, %s", head, faults(&chain))
	}
	// A database from before there were heads.
	c.raw(t, "DELETE FROM chains")
	c.add(t, 1)
	if chain, head := c.verify(t, gatehouse.ChainPoint{}); faults(&chain) != "1 to 4: "+gatehouse.FaultUnvouched || head.Since != 5 {
		t.Errorf("after the first head: %+v, %s", head, faults(&chain))
	}
	chain, _, err := gatehouse.VerifyChain(t.Context(), c, gatehouse.DefaultTenant, gatehouse.ChainPoint{}, []byte("another key"))
	if err != nil {
		t.Fatal(err)
	}
	wantFaults(t, "with another key", &chain, "5: the signature of the head is wrong")
	if chain.Since != 0 {
		t.Errorf("a wrong signature vouches from %d on", chain.Since)
	}
}

// An exported file has its own order.
func TestChainOfAFile(t *testing.T) {
	t.Parallel()
	events := newChain(t, 9).all(t)
	for what, row := range map[string]struct {
		order string
		want  string
	}{
		"sound":               {"123456789", ""},
		"backwards":           {"21", "1: out of order"},
		"two swapped":         {"124356789", "3: out of order"},
		"one doubled":         {"1233456789", "3: doubled"},
		"one doubled later":   {"1234563789", "3: doubled"},
		"a block moved":       {"156723489", "2 to 4: missing; 2: out of order; 3: out of order; 4: out of order"},
		"cut in front":        {"3456789", "1 to 2: missing"},
		"a replaced link":     {"1234x6789", "5: does not follow the event before it; 6: does not follow the event before it"},
		"nothing":             {"", ""},
		"one swapped, one in": {"13245", "2: out of order"},
	} {
		var c gatehouse.Chain
		for _, digit := range row.order {
			i, err := strconv.Atoi(string(digit))
			if err != nil {
				e := events[4]
				e.Prev = bytes.Repeat([]byte{7}, 32)
				e.Hash = e.ChainHash()
				c.Add(&e)
				continue
			}
			c.Add(&events[i-1])
		}
		c.End(nil, nil)
		wantFaults(t, what, &c, row.want)
		if c.Events != int64(len(row.order)) {
			t.Errorf("%s: %d events", what, c.Events)
		}
	}
}

// A file full of faults fills no memory.
func TestChainKeepsFewFaults(t *testing.T) {
	t.Parallel()
	var c gatehouse.Chain
	for i := range int64(1000) {
		c.Add(&gatehouse.Event{Seq: 1 + 2*i})
	}
	c.Add(&gatehouse.Event{Seq: math.MaxInt64})
	c.Add(&gatehouse.Event{Seq: math.MinInt64})
	c.End(nil, nil)
	if len(c.Faults) != 100 || c.Found != 1000+999+2+2 || c.Sound() {
		t.Errorf("%d faults kept of %d", len(c.Faults), c.Found)
	}
}
