// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	rotationCrashes = 20
	rotationKeys    = 300
	rotationClients = 3
	keyringCrashes  = 8
)

// rotation is a server whose keys verify all the time, while it is killed again and again
// in the middle of a rewrap.
type rotation struct {
	crowd
	verified int // verifications so far
}

// verify lets a client verify its keys one after another until the server is dead, or
// until enough is closed.
func (r *rotation) verify(ctx context.Context, mine []*made, enough <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-enough:
			return
		default:
		}
		err := r.use(ctx, mine[i%len(mine)])
		r.mu.Lock()
		r.verified++
		r.mu.Unlock()
		if r.failed("verify", err) {
			return
		}
	}
}

// clients starts the clients. The function that it returns waits for their end.
func (r *rotation) clients(ctx context.Context, enough <-chan struct{}) func() {
	var wg sync.WaitGroup
	for i := range rotationClients {
		var mine []*made
		for j := i; j < len(r.keys); j += rotationClients {
			mine = append(mine, r.keys[j])
		}
		wg.Go(func() { r.verify(ctx, mine, enough) })
	}
	return wg.Wait
}

// kill kills the server where the rewrap has come so far, in percent of the rows, and
// returns where it was.
func (r *rotation) kill(ctx context.Context, percent int) (at int) {
	r.t.Helper()
	admin := r.s.client()
	for {
		p, err := admin.RewrapProgress(ctx)
		if err != nil || p.State != "running" {
			r.t.Fatalf("before %d %%: %+v, %v", percent, p, err)
		}
		if p.Total > 0 && 100*p.Done >= percent*p.Total {
			r.mu.Lock()
			r.killed = true
			_ = r.s.Cmd.Process.Kill()
			r.mu.Unlock()
			return 100 * p.Done / p.Total
		}
	}
}

// keyring lists the KEKs by id.
func (r *rotation) keyring(ctx context.Context) map[string]api.KeyringKey {
	r.t.Helper()
	k, err := r.s.client().Keyring(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]api.KeyringKey{}
	for _, key := range k.Keys {
		if key.Kind == "kek" {
			out[key.ID] = key
		}
	}
	return out
}

// TestRotation moves everything from one KEK to another of another algorithm, and kills
// the server with SIGKILL twenty times in the middle. No verification fails that is not
// cut off, the last start brings it to its end, and nothing refers to the old KEK then.
func TestRotation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := &rotation{crowd: crowd{t: t, s: serve(t, t.TempDir(), "", readyKey(t), "GATEHOUSE_KEYRING_REWRAP_BATCH=2")}}
	old := r.prepare(ctx)
	var where []int
	for i := range rotationCrashes {
		r.killed = false
		wait := r.clients(ctx, nil)
		where = append(where, r.kill(ctx, 7+4*i))
		wait()
		<-r.s.Done
		r.s = r.s.restart()
		if t.Failed() {
			return
		}
	}
	r.killed = false
	enough := make(chan struct{})
	wait := r.clients(ctx, enough)
	eventually(t, "the rewrap is done", func() bool {
		p, err := r.s.client().RewrapProgress(ctx)
		if err != nil || p.State == "failed" || p.State == "none" {
			t.Fatalf("%+v, %v", p, err)
		}
		return p.State == "done"
	})
	if k := r.keyring(ctx); k[old].DataKeys != 0 || k[old].Records != 0 || k["kek-2"].Records < rotationKeys*9/10 {
		t.Errorf("the keyring %+v", k)
	}
	r.s.gatehouse("", "keyring", "retire", old)
	close(enough)
	wait()
	if slices.Min(where) < 5 || slices.Max(where) > 95 {
		t.Errorf("killed at %v %%, and not always in the middle", where)
	}
	t.Logf("%d verifications, killed at %v %%", r.verified, where)
	if err := r.s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-r.s.Done
	r.checkStore(old)
	r.s = r.s.restart()
	for _, m := range r.keys {
		r.check(ctx, m)
	}
}

// prepare makes the keys and the new KEK, wants the old one refused to be retired, and
// begins the rewrap. It returns the id of the old KEK.
func (r *rotation) prepare(ctx context.Context) (old string) {
	r.t.Helper()
	admin := r.s.client()
	owner, err := admin.CreateAccount(ctx, api.NewAccount{Email: "rotation@example.com"})
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range rotationKeys {
		schemes := []string{"barong"}
		if i%10 == 0 { // a tenth has nothing to seal again
			schemes = []string{"bearer"}
		}
		k, err := admin.CreateKey(ctx, api.NewKey{Owner: owner.UID, Schemes: schemes})
		if err != nil {
			r.t.Fatal(err)
		}
		r.keys = append(r.keys, &made{kid: k.ID, secret: k.Secret, token: k.Token})
	}
	old = slices.Collect(maps.Keys(r.keyring(ctx)))[0]
	r.s.gatehouse("", "keyring", "add", "--id", "kek-2", "--algorithm", "xchacha20-poly1305", "--primary")
	cmd := exec.Command(program(r.t), "keyring", "retire", old)
	cmd.Dir, cmd.Env = r.s.dir, []string{raceAtOnce}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "still wraps") {
		r.t.Errorf("a KEK in use is retired: %s, %v", out, err)
	}
	r.s.gatehouse("", "keyring", "rewrap", "--detach")
	return old
}

// checkStore reads the database that a server has left: no row refers to a data key under
// the old KEK, and every change has its event.
func (r *rotation) checkStore(old string) {
	t := r.t
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(r.s.data(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	dataKeys, err := db.DataKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range dataKeys {
		if k.KEK == old {
			t.Errorf("data key %s is wrapped by the old KEK", k.ID)
		}
	}
	if wish, err := db.RewrapWish(t.Context()); wish != "" || err != nil {
		t.Errorf("the wish is still %q, %v", wish, err)
	}
	keys, _, err := db.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		k, err := db.GetKey(t.Context(), k.Tenant, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range k.Materials {
			if m.Kind == gatehouse.MaterialSealed && (m.Data[1] != 2 || k.Version != 2) {
				t.Errorf("key %s, version %d, is sealed with algorithm %d", k.ID, k.Version, m.Data[1])
			}
		}
	}
	events, _, err := db.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true, Verbs: []string{"keyring.add", "keyring.primary", "keyring.rewrap", "keyring.retire"}})
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, e := range events {
		verbs = append(verbs, e.Verb)
	}
	if got := strings.Join(verbs, " "); got != "keyring.add keyring.rewrap keyring.rewrap keyring.retire" {
		t.Errorf("events %s", got)
	}
	gatehousetest.Chain(t, db, gatehouse.DefaultTenant)
}

// turn makes a new KEK primary and begins to bring everything under it, once no rewrap
// is under way.
func turn(ctx context.Context, admin *client.Client) error {
	for {
		_, err := admin.AddKeyringKey(ctx, api.NewKeyringKey{Primary: true})
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusConflict {
			continue
		}
		if err == nil {
			_, err = admin.Rewrap(ctx)
		}
		return err
	}
}

// TestKeyringCrash kills the server while new KEKs become primary and data keys come
// under them. Every start opens all data keys, so it proves that no KEK was lost.
func TestKeyringCrash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := &crowd{t: t, s: serve(t, t.TempDir(), "", readyKey(t))}
	owner, err := c.s.client().CreateAccount(ctx, api.NewAccount{Email: "keyring@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.s.client().CreateKey(ctx, api.NewKey{Owner: owner.UID, Schemes: []string{"barong"}})
	if err != nil {
		t.Fatal(err)
	}
	m := &made{kid: k.ID, secret: k.Secret}
	for range keyringCrashes {
		c.killed, c.left = false, 1+rand.IntN(6)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for admin := c.s.client(); !c.failed("change keyring", turn(ctx, admin)); c.acknowledged() {
				}
			})
		}
		wg.Wait()
		<-c.s.Done
		c.s = c.s.restart()
		c.check(ctx, m)
	}
	keyring, err := c.s.client().Keyring(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d keys in the keyring", len(keyring.Keys))
}
