// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

var operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}

// house is a keeper on a real store.
type house struct {
	t      *testing.T
	path   string // of the keyring
	ring   *Keyring
	store  *sqlite.DB
	clock  *gatehousetest.Clock
	sealer *Sealer
	keeper *Keeper
}

func openHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, path: filepath.Join(dir, "keyring"), clock: gatehousetest.NewClock()}
	var err error
	h.store, err = sqlite.Open(t.Context(), filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	h.must(err)
	t.Cleanup(func() {
		gatehousetest.Chain(t, h.store, gatehouse.DefaultTenant)
		_ = h.store.Close()
	})
	_, err = CreateKeyring(h.path)
	h.must(err)
	h.start(h.store)
	return h
}

// start makes a keeper as a process does that starts.
func (h *house) start(rows Rows) {
	h.t.Helper()
	var err error
	h.ring, err = LoadKeyring(h.path)
	h.must(err)
	h.sealer, err = NewSealer(h.t.Context(), h.ring, h.store, h.clock.Now)
	h.must(err)
	h.keeper = NewKeeper(KeeperConfig{Sealer: h.sealer, Rows: rows, Audit: h.store, Batch: 3, Log: slog.New(slog.DiscardHandler)})
	h.keeper.pause = time.Millisecond
	h.t.Cleanup(h.keeper.Close)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) add(n NewKey) KeyInfo {
	h.t.Helper()
	info, err := h.keeper.Add(h.t.Context(), operator, n)
	h.must(err)
	return info
}

// event is what inserts need.
func (h *house) event(subject string) *gatehouse.Event {
	return gatehouse.NewEvent(operator, h.clock.Now(), "test", subject, gatehouse.OutcomeSucceeded)
}

// account inserts an account with a sealed secret.
func (h *house) account(id string) {
	h.t.Helper()
	sealed, err := h.sealer.Seal(h.t.Context(), gatehouse.Binding{Purpose: "totp", Tenant: gatehouse.DefaultTenant, ID: id, Version: 1}, []byte("totp of "+id))
	h.must(err)
	h.must(h.store.InsertAccount(h.t.Context(), &account.Account{
		ID: id, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive, TOTP: sealed, TOTPVersion: 1,
	}, nil, h.event(id)))
}

// key inserts a key with a sealed secret and a digest.
func (h *house) key(id, pepper string) {
	h.t.Helper()
	sealed, err := h.sealer.Seal(h.t.Context(), keyBinding(id), []byte("secret of "+id))
	h.must(err)
	h.must(h.store.InsertKey(h.t.Context(), &gatehouse.Key{
		ID: id, Tenant: gatehouse.DefaultTenant, Principal: "a", State: gatehouse.StateActive, Materials: []gatehouse.Material{
			{Version: 2, Kind: gatehouse.MaterialDigest, Ref: pepper, Data: []byte("digest")},
			{Version: 1, Kind: gatehouse.MaterialSealed, Ref: sealed.Ref, Data: sealed.Data},
		},
	}, h.event(id)))
}

func keyBinding(id string) gatehouse.Binding {
	return gatehouse.Binding{Purpose: "key-secret", Tenant: gatehouse.DefaultTenant, ID: id, Version: 1}
}

// sealed reads the sealed secret of a key.
func (h *house) sealed(id string) gatehouse.Sealed {
	h.t.Helper()
	k, err := h.store.GetKey(h.t.Context(), gatehouse.DefaultTenant, id)
	h.must(err)
	return gatehouse.Sealed{Ref: k.Materials[1].Ref, Data: k.Materials[1].Data}
}

// info lists the keyring by id.
func (h *house) info() map[string]KeyInfo {
	h.t.Helper()
	list, _, err := h.keeper.List(h.t.Context())
	h.must(err)
	out := map[string]KeyInfo{}
	for _, k := range list {
		out[k.ID] = k
	}
	return out
}

// onDisk wants the file to hold what is in memory.
func (h *house) onDisk() {
	h.t.Helper()
	again, err := LoadKeyring(h.path)
	h.must(err)
	if string(again.keys().text()) != string(h.ring.keys().text()) {
		h.t.Error("the file holds another keyring than the process")
	}
	if info, err := os.Stat(h.path); err != nil || info.Mode() != 0o600 {
		h.t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(h.path), ".keyring-*")); len(names) > 0 {
		h.t.Errorf("left behind: %v", names)
	}
}

func (h *house) wantRefused(what string, err error, problem string) {
	h.t.Helper()
	var refusal *RefusedError
	if !errors.As(err, &refusal) || !errors.Is(err, gatehouse.ErrConflict) || !strings.Contains(refusal.Problem, problem) {
		h.t.Errorf("%s: %v, want a refusal with %q", what, err, problem)
	}
	h.onDisk()
}

func TestKeeperAddAndPrimary(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	oldPepper, _ := h.ring.PrimaryPepper()
	oldKEK := h.ring.keys().primary(kindKEK).id
	derived := string(h.ring.Derive("x"))
	copied := *h.ring // such as bearer has

	kek := h.add(NewKey{ID: "kek-2", Algorithm: algorithmXChaCha})
	pepper := h.add(NewKey{Kind: kindPepper, Primary: true})
	h.onDisk()
	if kek.Primary || kek.Source != "inline" || kek.Algorithm != algorithmXChaCha || !pepper.Primary || pepper.Kind != kindPepper || !kek.Created.Equal(h.clock.Now()) {
		t.Errorf("added %+v and %+v", kek, pepper)
	}
	if id, _ := copied.PrimaryPepper(); id != pepper.ID {
		t.Errorf("the primary pepper is %s; want the new one", id)
	}
	if _, ok := copied.PepperByID(oldPepper); !ok {
		t.Error("the old pepper is gone")
	}
	b := binding()
	h.account("a")
	first, err := h.sealer.Seal(t.Context(), b, secret)
	h.must(err)
	if _, err := h.keeper.SetPrimary(t.Context(), operator, "kek-2"); err != nil {
		t.Fatal(err)
	}
	b.Tenant = "other"
	second, err := h.sealer.Seal(t.Context(), b, secret)
	h.must(err)
	if first.Data[1] != algAES256GCM || second.Data[1] != algXChaCha20Poly1305 {
		t.Errorf("sealed with algorithms %d and %d", first.Data[1], second.Data[1])
	}
	h.onDisk()
	if info := h.info(); !info["kek-2"].Primary || info[oldKEK].Primary || info["kek-2"].DataKeys != 1 || info[oldKEK].DataKeys != 3 || info[oldKEK].Records != 1 {
		t.Errorf("list %+v", info)
	}
	if string(h.ring.Derive("x")) != derived {
		t.Error("derived keys changed")
	}
	wantVerbs(t, h, VerbAdd, VerbAdd, VerbPrimary)
}

// wantVerbs wants these events about the keyring, oldest first, without key material.
func wantVerbs(t *testing.T, h *house, verbs ...string) {
	t.Helper()
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	h.must(err)
	var got []string
	for _, e := range events {
		if strings.HasPrefix(e.Verb, "keyring.") {
			got = append(got, e.Verb)
		}
		for _, c := range e.Changes {
			for _, k := range h.ring.keys() {
				if c.Before == k.word() || c.After == k.word() {
					t.Errorf("event %s holds a key", e.Verb)
				}
			}
		}
	}
	if strings.Join(got, " ") != strings.Join(verbs, " ") {
		t.Errorf("events %v; want %v", got, verbs)
	}
}

func TestKeeperAddRefuses(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	file := filepath.Join(t.TempDir(), "kek")
	h.must(os.WriteFile(file, randomBytes(keySize), 0o600))
	h.add(NewKey{ID: "from-file", Source: "file:" + file})
	for _, row := range []struct {
		name  string
		n     NewKey
		field string // of an InvalidError
		err   error
	}{
		{"root", NewKey{Kind: kindRoot}, "kind", nil},
		{"unknown kind", NewKey{Kind: "dek"}, "kind", nil},
		{"unknown algorithm", NewKey{Algorithm: "rot13"}, "algorithm", nil},
		{"algorithm of a KEK", NewKey{Kind: kindPepper, Algorithm: algorithmAES}, "algorithm", nil},
		{"bad id", NewKey{ID: "KEK 1"}, "id", nil},
		{"taken id", NewKey{ID: "from-file"}, "", gatehouse.ErrExists},
		{"id of another kind", NewKey{Kind: kindPepper, ID: "from-file"}, "", gatehouse.ErrExists},
		{"the same file", NewKey{Source: "file:" + file}, "source", nil},
		{"the same key as pepper", NewKey{Kind: kindPepper, Source: "file:" + file}, "source", nil},
		{"no file", NewKey{Source: "file:/nonexistent/kek"}, "source", nil},
		{"relative", NewKey{Source: "file:kek"}, "source", nil},
		{"vault without source", NewKey{Algorithm: algorithmVault}, "source", nil},
		{"vault with another algorithm", NewKey{Algorithm: algorithmAES, Source: "vault:transit/x"}, "source", nil},
		{"pepper in vault", NewKey{Kind: kindPepper, Source: "vault:transit/x"}, "source", nil},
		{"vault that is nowhere", NewKey{Source: "vault:transit/x"}, "vault.address", gatehouse.ErrUnavailable},
	} {
		_, err := h.keeper.Add(t.Context(), operator, row.n)
		var invalid *gatehouse.InvalidError
		if row.field != "" && (!errors.As(err, &invalid) || invalid.Field != row.field) || row.err != nil && !errors.Is(err, row.err) || err == nil {
			t.Errorf("%s: %v, want field %q, %v", row.name, err, row.field, row.err)
		}
	}
	h.onDisk()
	wantVerbs(t, h, VerbAdd)
}

func TestKeeperRetire(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	oldKEK, oldPepper := h.ring.keys().primary(kindKEK).id, h.ring.keys().primary(kindPepper).id
	root := h.ring.keys().primary(kindRoot).id
	h.account("a")
	h.key("k1", oldPepper)
	h.key("k2", oldPepper+"/sha-512")
	retire := func(id string) error { return h.keeper.Retire(t.Context(), operator, id) }
	h.wantRefused("the primary KEK", retire(oldKEK), "is primary")
	h.wantRefused("the primary pepper", retire(oldPepper), "is primary")
	h.add(NewKey{ID: "kek-2", Primary: true})
	h.add(NewKey{ID: "pepper-2", Kind: kindPepper, Primary: true})
	h.wantRefused("a KEK in use", retire(oldKEK), "still wraps 3 data keys")
	h.wantRefused("a pepper in use", retire(oldPepper), "2 key materials refer to pepper ")
	for _, id := range []string{"none", root} {
		if err := retire(id); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("retire %s: %v, want ErrNotFound", id, err)
		}
		if _, err := h.keeper.SetPrimary(t.Context(), operator, id); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("primary %s: %v, want ErrNotFound", id, err)
		}
	}
	h.add(NewKey{ID: "kek-3"})
	h.must(retire("kek-3"))
	h.add(NewKey{ID: "pepper-3", Kind: kindPepper, Primary: true})
	h.wantRefused("a pepper that was primary just now", retire("pepper-2"), "try again in a minute")
	h.clock.Advance(settling)
	h.must(retire("pepper-2"))
	h.onDisk()
	if info := h.info(); len(info) != 5 || info[oldPepper].Records != 2 {
		t.Errorf("list %+v", info)
	}
	if _, ok := h.ring.PepperByID("pepper-2"); ok {
		t.Error("the retired pepper is there")
	}
	wantVerbs(t, h, VerbAdd, VerbAdd, VerbAdd, VerbRetire, VerbAdd, VerbRetire)
}

// noAudit is an audit log that takes no event.
type noAudit struct{ gatehouse.AuditStore }

func (noAudit) AppendEvent(context.Context, *gatehouse.Event) error { return io.ErrUnexpectedEOF }

// What other hands did to the file is not overwritten, and a change that leaves no event
// has not happened.
func TestKeeperFailsWhole(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	before, err := os.ReadFile(h.path)
	h.must(err)
	h.keeper.c.Audit = noAudit{}
	if _, err := h.keeper.Add(t.Context(), operator, NewKey{ID: "kek-2"}); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("without an audit log: %v", err)
	}
	if after, err := os.ReadFile(h.path); err != nil || string(after) != string(before) {
		t.Errorf("the file changed: %v", err)
	}
	h.onDisk()

	h = openHouse(t)
	h.must(os.WriteFile(h.path, newKeys(time.Now()).text(), 0o600))
	_, err = h.keeper.Add(t.Context(), operator, NewKey{ID: "kek-2"})
	var refusal *RefusedError
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Problem, "other hands") {
		t.Errorf("a changed file: %v", err)
	}
	h.must(os.Remove(h.path))
	if _, err := h.keeper.Add(t.Context(), operator, NewKey{ID: "kek-2"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	wantVerbs(t, h)
}

// lostAnswer is an audit log that writes the first event, and whose answer is lost. What
// it writes needs a context that goes on.
type lostAnswer struct {
	gatehouse.AuditStore
	lost bool
}

func (a *lostAnswer) AppendEvent(ctx context.Context, e *gatehouse.Event) error {
	if err := a.AuditStore.AppendEvent(ctx, e); err != nil || a.lost {
		return err
	}
	a.lost = true
	return io.ErrUnexpectedEOF
}

// Where the log has a change that the client was told is none, it says so.
func TestKeeperLosesTheAnswer(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.keeper.c.Audit = &lostAnswer{AuditStore: h.store}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the client has gone
	if _, err := h.keeper.Add(ctx, operator, NewKey{ID: "kek-2"}); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	h.onDisk()
	if len(h.ring.keys()) != 3 {
		t.Errorf("%d keys, want those from before", len(h.ring.keys()))
	}
	if _, err := h.keeper.Add(ctx, operator, NewKey{ID: "kek-2"}); err != nil {
		t.Error(err)
	}
	wantVerbs(t, h, VerbAdd, VerbAdd, VerbAdd)
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	h.must(err)
	for i, want := range []gatehouse.Outcome{gatehouse.OutcomeSucceeded, gatehouse.OutcomeFailed, gatehouse.OutcomeSucceeded} {
		if e := events[len(events)-3+i]; e.Outcome != want || e.Subject != "kek-2" {
			t.Errorf("event %d: %v of %s, want %v", i, e.Outcome, e.Subject, want)
		}
	}
}

// A row that cannot be read may refer to any pepper, and to no KEK.
func TestKeeperOfDamage(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	oldKEK, oldPepper := h.ring.keys().primary(kindKEK).id, h.ring.keys().primary(kindPepper).id
	h.account("a")
	h.key("k1", oldPepper)
	h.key("k2", oldPepper)
	h.add(NewKey{ID: "kek-2", Primary: true})
	h.add(NewKey{ID: "pepper-2", Kind: kindPepper})
	db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(h.path), "gatehouse.db"))
	h.must(err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "UPDATE keys SET materials = x'00' WHERE id = 'k2'")
	h.must(err)

	list, unreadable, err := h.keeper.List(t.Context())
	if err != nil || unreadable != 1 || len(list) != 5 || h.info()[oldPepper].Records != 1 {
		t.Errorf("%d unreadable rows, %v; list %+v", unreadable, err, list)
	}
	h.wantRefused("a pepper", h.keeper.Retire(t.Context(), operator, "pepper-2"), "1 rows of keys cannot be read")
	_, err = h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	if p := h.finish(); p.Problem != "" || p.Broken != 1 {
		t.Errorf("progress %+v", p)
	}
	h.must(h.keeper.Retire(t.Context(), operator, oldKEK))
}

// The file may be a link to where it is kept.
func TestKeeperFollowsLink(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	real := filepath.Join(t.TempDir(), "keyring")
	left := filepath.Join(filepath.Dir(real), ".keyring-123") // by a crash
	h.must(errors.Join(os.Rename(h.path, real), os.Symlink(real, h.path), os.WriteFile(left, []byte("a key"), 0o600)))
	h.add(NewKey{ID: "kek-2"})
	if info, err := os.Lstat(h.path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is there: %v", err)
	}
	if again, err := LoadKeyring(real); err != nil || len(again.keys()) != 4 {
		t.Errorf("the file holds the old keyring: %v", err)
	}
}
