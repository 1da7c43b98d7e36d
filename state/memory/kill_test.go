// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/state/memory"
)

// The test binary run with these is the child of TestKill.
const (
	childDir      = "GATEHOUSE_TEST_REPLAY_DIR"
	childCapacity = "GATEHOUSE_TEST_REPLAY_CAPACITY"
	childRound    = "GATEHOUSE_TEST_REPLAY_ROUND"
)

// killOptions are those of the children and of the parent between them.
func killOptions(dir string, capacity int) memory.Options {
	return memory.Options{Dir: dir, Fresh: true, MaxWindow: time.Hour, MaxAhead: time.Minute, Capacity: capacity}
}

// claimForEver claims nonces until it is killed and prints each that was granted, with its
// times.
func claimForEver(dir string) {
	capacity, _ := strconv.Atoi(os.Getenv(childCapacity))
	r, err := memory.OpenReplay(killOptions(dir, capacity))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		c := granted{nonce: os.Getenv(childRound) + "-" + strconv.Itoa(i), signed: time.Now().UnixNano()}
		ok, err := c.claim(r)
		if !ok || err != nil {
			fmt.Println(ok, err)
			os.Exit(1)
		}
		if _, err := fmt.Printf("granted %s %d\n", c.nonce, c.signed); err != nil {
			os.Exit(1)
		}
	}
}

// granted is a claim that a child was told it has.
type granted struct {
	nonce  string
	signed int64
}

func (g granted) claim(r *memory.Replay) (bool, error) {
	signed := time.Unix(0, g.signed)
	return r.Claim(context.Background(), "key", g.nonce, signed, signed.Add(30*time.Minute))
}

// TestKill kills a process that claims nonces, again and again, and then asks for every
// nonce that was granted before.
func TestKill(t *testing.T) {
	t.Parallel()
	const rounds = 20
	for _, capacity := range []int{0, 1000} { // 1000: generations turn many times a round
		t.Run(fmt.Sprint("capacity ", capacity), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var all []granted
			for round := range rounds / 2 {
				got := runAndKill(t, dir, capacity, round)
				all = append(all, got...)
				checkGranted(t, killOptions(dir, capacity), all, round)
			}
			t.Logf("%d nonces were granted in %d lives", len(all), rounds/2)
			if len(all) < rounds {
				t.Error("too few for the test to mean anything")
			}
		})
	}
}

// runAndKill lets a child claim for a moment, kills it and returns what it was granted.
func runAndKill(t *testing.T, dir string, capacity, round int) []granted {
	t.Helper()
	var got []granted
	killChild(t, func(line string) bool {
		var g granted
		_, err := fmt.Sscanf(line, "granted %s %d", &g.nonce, &g.signed)
		got = append(got, g)
		return err == nil
	}, childDir+"="+dir, childCapacity+"="+strconv.Itoa(capacity), childRound+"="+strconv.Itoa(round))
	return got
}

// killChild runs this test binary with additions to its environment, hands each line that it
// prints to take, and kills it after some. take reports whether it understands the line.
func killChild(t *testing.T, take func(line string) bool, env ...string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), env...)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	// Where in its work the child dies is a matter of how many lines it got out.
	last := 1 + rand.IntN(5000)
	lines := bufio.NewReader(out)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the end; a part of a line was not told whole
		}
		if !take(line) {
			t.Errorf("child says %q", strings.TrimSpace(line))
			break
		}
		if n == last {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait() // says that it was killed
}

// checkGranted opens the journal and wants every nonce refused and a new one granted.
func checkGranted(t *testing.T, o memory.Options, all []granted, round int) {
	t.Helper()
	r, err := memory.OpenReplay(o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if at, why := r.Floor(); why != "" {
		t.Errorf("round %d: floor %v: %s", round, at, why)
	}
	again := 0
	for _, g := range all {
		ok, err := g.claim(r)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			again++
		}
	}
	if again > 0 {
		t.Errorf("round %d: %d of %d nonces were granted again", round, again, len(all))
	}
	fresh := granted{nonce: "fresh " + strconv.Itoa(round), signed: time.Now().UnixNano()}
	if ok, err := fresh.claim(r); !ok || err != nil {
		t.Errorf("round %d: a fresh nonce: %v, %v", round, ok, err)
	}
}
