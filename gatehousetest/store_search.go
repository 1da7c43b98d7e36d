// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
)

// find reads all pages of a search and wants every page full but the last.
func (h *house) find(t *testing.T, s gatehouse.KeySearch) []gatehouse.Key {
	t.Helper()
	s.Tenant = h.tenant
	var all []gatehouse.Key
	owners := map[string]gatehouse.Principal{} // read once for all pages: nobody changes them meanwhile
	for {
		page, err := h.FindKeys(t.Context(), s)
		must(t, err)
		for i := range page {
			all = append(all, page[i].Key)
			h.mustPrincipal(t, &page[i], owners)
		}
		if len(page) > s.Limit {
			t.Fatalf("%d keys on a page of %d", len(page), s.Limit)
		}
		if len(page) < s.Limit {
			return all
		}
		s.After = s.Cursor(&page[len(page)-1].Key)
	}
}

// mustPrincipal wants the record to tell whom its key speaks for. It keeps in owners whom it has read.
func (h *house) mustPrincipal(t *testing.T, rec *gatehouse.Record, owners map[string]gatehouse.Principal) {
	t.Helper()
	want, known := owners[rec.Key.Principal]
	if !known {
		var err error
		want, err = h.Principal(t.Context(), rec.Key.Tenant, rec.Key.Principal)
		must(t, err)
		owners[rec.Key.Principal] = want
	}
	if diff := gocmp.Diff(want, rec.Principal, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the principal of a key that was found (-want +got):\n%s", diff)
	}
}

// matches is what KeySearch says of one key.
func matches(s *gatehouse.KeySearch, k *gatehouse.Key) bool {
	switch {
	case !k.Deleted.IsZero(),
		s.Principal != "" && k.Principal != s.Principal,
		len(s.States) > 0 && !slices.Contains(s.States, k.State),
		s.Scheme != "" && !slices.Contains(k.Schemes, s.Scheme),
		s.Limited && len(k.Limits) == 0,
		s.Scope != "" && !slices.Contains(k.Scopes, s.Scope),
		!s.ExpiresBefore.IsZero() && (k.Expires.IsZero() || !k.Expires.Before(s.ExpiresBefore)):
		return false
	}
	if !s.UnusedSince.IsZero() {
		last := k.LastUsed
		if last.IsZero() {
			last = k.Created
		}
		if !last.Before(s.UnusedSince) {
			return false
		}
	}
	for name, value := range s.Metadata {
		if k.Metadata[name] != value {
			return false
		}
	}
	return s.Text == "" || named(s.Text, k)
}

func named(text string, k *gatehouse.Key) bool {
	id := strings.TrimSpace(text)
	if strings.EqualFold(id, k.ID) || len(id) >= 4 && strings.HasPrefix(strings.ToLower(k.ID), strings.ToLower(id)) {
		return true
	}
	split := func(s string) []string {
		words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) })
		slices.Sort(words)
		return slices.Compact(words)
	}
	words, names := split(text), split(k.Name)
	for _, w := range words {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, w) }) {
			return false
		}
	}
	return len(words) > 0
}

// wanted is what a search has to find among keys.
func wanted(s gatehouse.KeySearch, keys []gatehouse.Key) []gatehouse.Key {
	var out []gatehouse.Key
	for _, k := range keys {
		if matches(&s, &k) {
			k.Materials = nil
			out = append(out, k)
		}
	}
	direction := 1
	if s.ExpiresBefore.IsZero() && s.UnusedSince.IsZero() {
		direction = -1
	}
	slices.SortFunc(out, func(a, b gatehouse.Key) int {
		x, y := s.Cursor(&a), s.Cursor(&b)
		return direction * cmp.Or(x.Time.Compare(y.Time), strings.Compare(x.ID, y.ID))
	})
	return out
}

func (h *house) mustFind(t *testing.T, what string, s gatehouse.KeySearch, keys []gatehouse.Key) int {
	t.Helper()
	want := wanted(s, keys)
	same(t, what, h.find(t, s), want)
	return len(want)
}

// manyKeys inserts keys of which some are alike in each thing that can be searched for.
func (h *house) manyKeys(t *testing.T, n int) []gatehouse.Key {
	t.Helper()
	owners := []string{h.account(t, nil).ID, h.account(t, nil).ID}
	start := h.now()
	var keys []gatehouse.Key
	for i := range n {
		k := h.newKey(owners[i%7/6])
		if i%9 == 4 {
			k.Limits = []gatehouse.Limit{{Name: "hour", Count: 7, Refill: gatehouse.RefillHour}}
		}
		if i%3 == 0 {
			k.ID = "Bot_9" + k.ID
		}
		k.Created = start.Add(time.Duration(i/3) * time.Minute) // three at a time
		k.Name = []string{"Trading bot", "trade-BOT " + fmt.Sprint(i), "Émile's ключ", "bo_t%", "e\u0301cole éa", "", "ſtraße 中文 No." + fmt.Sprint(i)}[i%7]
		k.Schemes = [][]string{{"bearer"}, {"barong", "bearer"}, {"httpsig"}}[i%3]
		k.Scopes = gatehouse.Scopes{gatehouse.Scope("orders:" + []string{"read", "write"}[i%2]), "é%_", "*"}[:i%4]
		k.State = []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled, gatehouse.StateActive, gatehouse.StateRevoked, gatehouse.StateActive}[i%5]
		if i%4 != 0 {
			k.Metadata = gatehouse.Metadata{"plan": []string{"gold", "free", "a=b\"word:tr"}[i%3], "team": fmt.Sprint(i % 5)}
		}
		if i%3 != 0 {
			k.Expires = start.Add(time.Duration(i%11) * time.Hour)
		}
		if i%2 != 0 {
			k.LastUsed = start.Add(time.Duration(i%13) * time.Hour)
		}
		must(t, h.InsertKey(t.Context(), &k, h.event("key.create", k.ID)))
		keys = append(keys, k)
	}
	return keys
}

func findEverything(t *testing.T, h *house) {
	keys := h.manyKeys(t, 60)
	other := newHouse(t, h.AllStores)
	other.manyKeys(t, 8)
	start := keys[0].Created
	for _, row := range []struct {
		what string
		s    gatehouse.KeySearch
	}{
		{"all", gatehouse.KeySearch{}},
		{"of a principal", gatehouse.KeySearch{Principal: keys[0].Principal}},
		{"of another principal", gatehouse.KeySearch{Principal: keys[6].Principal}},
		{"in a state", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateRevoked}}},
		{"in two states", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateRevoked, gatehouse.StateActive}}},
		{"with a scheme", gatehouse.KeySearch{Scheme: "bearer"}},
		{"with a scope", gatehouse.KeySearch{Scope: "orders:read"}},
		{"with the wildcard by name", gatehouse.KeySearch{Scope: "*"}},
		{"with limits", gatehouse.KeySearch{Limited: true}},
		{"with limits, with a scope", gatehouse.KeySearch{Limited: true, Scope: "orders:read"}},
		{"that expire", gatehouse.KeySearch{ExpiresBefore: start.Add(5 * time.Hour)}},
		{"unused", gatehouse.KeySearch{UnusedSince: start.Add(5 * time.Hour)}},
		{"unused, made a moment ago", gatehouse.KeySearch{UnusedSince: start.Add(7 * time.Minute)}},
		{"with metadata", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold"}}},
		{"with two metadata", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold", "team": "3"}}},
		{"with metadata that is like a tag", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "a=b\"word:tr"}}},
		{"named by a prefix", gatehouse.KeySearch{Text: "tra"}},
		{"named by two words", gatehouse.KeySearch{Text: "BOT  Tra"}},
		{"named by a letter", gatehouse.KeySearch{Text: "b"}},
		{"named by a number", gatehouse.KeySearch{Text: "1"}},
		{"named by many words that begin alike", gatehouse.KeySearch{Text: "no 4"}},
		{"named in another script", gatehouse.KeySearch{Text: "КЛЮ"}},
		{"named with an accent", gatehouse.KeySearch{Text: "é"}},
		{"by the beginning of an id", gatehouse.KeySearch{Text: strings.ToUpper(keys[4].ID[:8])}},
		{"by the beginning of many ids", gatehouse.KeySearch{Text: "boT_"}},
		{"by too little of many ids", gatehouse.KeySearch{Text: "bot"}},
		{"by id", gatehouse.KeySearch{Text: " " + strings.ToUpper(keys[5].ID) + " "}},
		{"all together", gatehouse.KeySearch{
			Principal: keys[1].Principal, States: []gatehouse.State{gatehouse.StateDisabled, gatehouse.StateActive}, Scheme: "bearer", Scope: "orders:write",
			ExpiresBefore: start.Add(10 * time.Hour), UnusedSince: start.Add(12 * time.Hour), Metadata: gatehouse.Metadata{"plan": "free"}, Text: "b t",
		}},
	} {
		for _, row.s.Limit = range []int{1, 7, 100} {
			if n := h.mustFind(t, label("keys %s, in pages of %d", row.what, row.s.Limit), row.s, keys); n == 0 {
				t.Errorf("no key %s: the test shows nothing", row.what)
			}
		}
	}
}

// Any conditions together, against what KeySearch says of each key.
func findTogether(t *testing.T, h *house) {
	keys := h.manyKeys(t, 80)
	start, found := keys[0].Created, 0
	chance := rand.New(rand.NewPCG(1, 2)) // the same for all stores
	one := func(n int) bool { return chance.IntN(n) == 0 }
	for i := range 150 {
		s := gatehouse.KeySearch{Limit: 1 + chance.IntN(30)}
		if one(3) {
			s.Principal = keys[chance.IntN(len(keys))].Principal
		}
		if one(3) {
			s.States = []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled, gatehouse.StateRevoked}[chance.IntN(2) : 2+chance.IntN(2)]
		}
		if one(3) {
			s.Scheme = []string{"bearer", "barong", "none"}[chance.IntN(3)]
		}
		if one(4) {
			s.Scope = []gatehouse.Scope{"orders:read", "orders:write", "é%_"}[chance.IntN(3)]
		}
		if one(3) {
			s.ExpiresBefore = start.Add(time.Duration(chance.IntN(12)) * time.Hour)
		}
		if one(3) {
			s.UnusedSince = start.Add(time.Duration(chance.IntN(14*60)) * time.Minute)
		}
		s.Limited = one(8)
		if one(4) {
			s.Metadata = gatehouse.Metadata{"team": fmt.Sprint(chance.IntN(6))}
		}
		if one(3) {
			s.Text = []string{"t", "tr", "trading b", "bot 1", "é", "no", "straße", "1 tr", "x", "bot_9"}[chance.IntN(10)]
		}
		found += min(1, h.mustFind(t, label("search %d: %+v", i, s), s, keys))
	}
	if found < 40 {
		t.Errorf("only %d searches found anything", found)
	}
}

func findHostileText(t *testing.T, h *house) {
	a := h.account(t, nil)
	var keys []gatehouse.Key
	texts := append([]string{"a\nb", "\"word:a", "#", strings.Repeat("ж", 2000)}, hostile...)
	for _, text := range texts {
		k := h.key(t, a.ID, func(k *gatehouse.Key) {
			k.Name, k.Schemes, k.Scopes, k.Metadata = text, []string{text}, gatehouse.Scopes{gatehouse.Scope(text)}, gatehouse.Metadata{"m": text, text: "x"}
		})
		keys = append(keys, k)
	}
	for _, text := range texts {
		for what, s := range map[string]gatehouse.KeySearch{
			"text": {Text: text}, "scheme": {Scheme: text}, "scope": {Scope: gatehouse.Scope(text)},
			"a pair": {Metadata: gatehouse.Metadata{"m": text}}, "a name": {Metadata: gatehouse.Metadata{text: "x"}},
		} {
			s.Limit = 100
			h.mustFind(t, label("%s %.60q", what, text), s, keys)
		}
	}
	for _, text := range append([]string{"%", "_", "'", "*", "\\", " ", "\u0301"}, unstorable...) {
		for what, s := range map[string]gatehouse.KeySearch{
			"text": {Text: text}, "principal": {Principal: text}, "scheme": {Scheme: text + "z"}, "pair": {Metadata: gatehouse.Metadata{"m": text + "z"}},
			"cursor": {Text: "zz", After: gatehouse.KeyCursor{ID: text}},
		} {
			s.Limit = 100
			if got := h.find(t, s); len(got) != 0 {
				t.Errorf("%s %q finds %d keys", what, text, len(got))
			}
		}
	}
	_, err := h.FindKeys(t.Context(), gatehouse.KeySearch{Tenant: h.tenant})
	mustInvalid(t, "a search without a limit", err)
}

// What a key was before it changed is not found any more.
func findChanged(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	keys := []gatehouse.Key{h.key(t, a.ID, func(k *gatehouse.Key) {
		k.Name, k.Scopes, k.Metadata, k.Expires = "old name", gatehouse.Scopes{"old"}, gatehouse.Metadata{"plan": "old"}, h.now()
	}), h.key(t, a.ID, func(k *gatehouse.Key) { k.Name = "old friend" })}
	searches := []gatehouse.KeySearch{
		{Text: "old"}, {Text: "new"}, {Text: "name"}, {Scope: "old"}, {Scope: "new"}, {Scheme: "barong"}, {Scheme: "bearer"}, {Principal: a.ID}, {Principal: b.ID},
		{Metadata: gatehouse.Metadata{"plan": "old"}}, {Metadata: gatehouse.Metadata{"plan": "new"}}, {ExpiresBefore: h.now().Add(time.Hour)}, {UnusedSince: h.now().Add(time.Hour)},
		{States: []gatehouse.State{gatehouse.StateActive}}, {States: []gatehouse.State{gatehouse.StateRevoked}}, {Text: keys[0].ID}, {},
	}
	look := func(when string) {
		t.Helper()
		for _, s := range searches {
			s.Limit = 10
			h.mustFind(t, label("%s: %+v", when, s), s, keys)
		}
	}
	look("before")
	k := &keys[0]
	k.Name, k.Scopes, k.Schemes, k.Metadata, k.Principal = "new name", gatehouse.Scopes{"new"}, []string{"bearer"}, gatehouse.Metadata{"plan": "new"}, b.ID
	k.Expires, k.Created = time.Time{}, k.Created.Add(time.Hour)
	must(t, h.UpdateKey(t.Context(), k, h.event("key.update", k.ID)))
	k.Version++
	look("changed")
	must(t, h.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: k.ID, Time: h.now()}}))
	k.LastUsed = h.now().Add(-time.Microsecond)
	look("used")
	k.State = gatehouse.StateRevoked
	must(t, h.UpdateKey(t.Context(), k, h.event("key.revoke", k.ID)))
	k.Version++
	look("revoked")
	k.Deleted = h.now()
	must(t, h.UpdateKey(t.Context(), k, h.event("key.delete", k.ID)))
	look("deleted")
}

// A key that is there from beginning to end is on one page, whatever comes meanwhile.
func findWhileInserting(t *testing.T, h *house) {
	keys := h.manyKeys(t, 60)
	start := keys[0].Created
	owner := keys[0].Principal
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 120 { // more would make the pages longer than a test should be
			select {
			case <-stop:
				return
			default:
			}
			k := h.newKey(owner)
			k.Created, k.Name, k.Expires = start.Add(time.Duration(i%90)*20*time.Second), "trading bot", start.Add(time.Duration(i%9)*time.Hour)
			if err := h.InsertKey(t.Context(), &k, h.event("key.create", k.ID)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for _, s := range []gatehouse.KeySearch{{Limit: 7}, {Limit: 7, Text: "tra"}, {Limit: 7, ExpiresBefore: start.Add(8 * time.Hour)}, {Limit: 5, UnusedSince: start.Add(time.Hour)}} {
		got := h.find(t, s)
		seen := map[string]int{}
		for _, k := range got {
			if seen[k.ID]++; seen[k.ID] > 1 {
				t.Errorf("%+v: key %s is on two pages", s, k.ID)
			}
		}
		for _, k := range wanted(s, keys) {
			if seen[k.ID] != 1 {
				t.Errorf("%+v: key %s is on %d pages", s, k.ID, seen[k.ID])
			}
		}
	}
	close(stop)
	writer.Wait()
}
