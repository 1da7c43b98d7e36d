// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// The process that is killed is this test binary itself, with these in its environment.
const (
	crashFile  = "GATEHOUSE_CRASH_FILE"  // the database
	crashRound = "GATEHOUSE_CRASH_ROUND" // makes its key ids its own
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		if err := writeUntilKilled(path, os.Getenv(crashRound)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled creates keys and revokes every second one, in several goroutines, and
// prints a line for each write when it has been acknowledged.
func writeUntilKilled(path, round string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var printing sync.Mutex
	acknowledged := func(what, id string) {
		printing.Lock()
		defer printing.Unlock()
		fmt.Println(what, id)
	}
	for worker := range 8 {
		go func() {
			for n := 0; ; n++ {
				k := newKey(fmt.Sprintf("%s-%d-%d", round, worker, n))
				if err := db.InsertKey(ctx, &k, event("created")); err != nil {
					failed <- err
				}
				acknowledged("created", k.ID)
				if n%2 == 0 {
					continue
				}
				k.State = gatehouse.StateRevoked
				if err := db.UpdateKey(ctx, &k, event("revoked")); err != nil {
					failed <- err
				}
				acknowledged("revoked", k.ID)
			}
		}()
	}
	return <-failed
}

// TestKill kills a writing process ten times. Each time every acknowledged write is
// there, and every other one happened wholly or not at all.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := open(t, path)
	insertAccount(t, db, "a")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	state := map[string]gatehouse.State{} // of every key that was acknowledged
	for round := range 10 {
		before := len(state)
		killWriter(t, path, round, 20+rand.IntN(200), func(what, id string) {
			state[id] = map[string]gatehouse.State{"created": gatehouse.StateActive, "revoked": gatehouse.StateRevoked}[what]
		})
		if len(state) == before {
			t.Errorf("round %d acknowledged nothing", round)
		}
		verifyAcknowledged(t, path, state)
	}
	t.Logf("%d keys were acknowledged", len(state))
}

// killWriter runs a writer, kills it after a number of acknowledgements and hands over
// all that it gave.
func killWriter(t *testing.T, path string, round, after int, acknowledged func(what, id string)) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashFile+"="+path, fmt.Sprintf("%s=%d", crashRound, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the end, or half a line: not an acknowledgement
		}
		what, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		acknowledged(what, id)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the writer ended by itself")
	}
}

func verifyAcknowledged(t *testing.T, path string, state map[string]gatehouse.State) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	keys, total, err := db.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	found, revoked := map[string]gatehouse.State{}, 0
	for _, k := range keys {
		found[k.ID] = k.State
		if k.State == gatehouse.StateRevoked {
			revoked++
		}
	}
	for id, want := range state {
		// A revocation may have happened without its acknowledgement.
		if got := found[id]; got != want && got != gatehouse.StateRevoked {
			t.Errorf("key %s is %v after the crash; acknowledged as %v", id, got, want)
		}
	}
	// One event for each change, and no other: one for the account besides.
	verifyChain(t, db, 1+total+revoked)
}
