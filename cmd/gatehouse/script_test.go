// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// TestScripts runs the stories in testdata/script with the real program. Beside
// testscript's own commands they have:
//
//	exits N PROGRAM ARGS…     run a program; it must exit with code N
//	running [DIR]             wait until a server answers on the data in DIR (./gatehouse-data)
//	field VAR PATH            set VAR to a member of the JSON in the first line of stdout
//	match VAR FILE PATTERN    wait until FILE (or stdout) matches, and set VAR to the first group
//	sign FILE KID SECRET      write the header lines of a signed request, fresh
//	lines FILE N              FILE (or stdout, stderr) has N lines
func TestScripts(t *testing.T) {
	t.Parallel()
	bin, key := program(t), readyKey(t)
	totp, err := filepath.Abs("../../examples/totp")
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := filepath.Abs("../../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(12 * patience), // of a program that does not end; scripts wait for their turn
		UpdateScripts:       os.Getenv("UPDATE_GOLDEN") == "1",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(bin)+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Vars = append(e.Vars, key, raceAtOnce, "TOTP="+totp, "VECTORS="+vectors, "GATEHOUSE_LISTEN=127.0.0.1:0", "GATEHOUSE_OPS_LISTEN=127.0.0.1:0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "running": running, "field": field, "match": match, "sign": sign, "lines": lines,
		},
	})
}

// need fails a command that is not used as documented.
func need(ts *testscript.TestScript, neg, ok bool) {
	if neg || !ok {
		ts.Fatalf("wrong use: see TestScripts")
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) > 1)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func running(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) <= 1)
	dir := append(args, "gatehouse-data")[0]
	c := client.Socket(filepath.Join(ts.MkAbs(dir), api.SocketName))
	poll(ts, func() error {
		for _, err := range c.Accounts(context.Background(), client.AccountQuery{}) {
			return err
		}
		return nil
	})
}

// poll calls ask every 10 ms until it returns nil.
func poll(ts *testscript.TestScript, ask func() error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("not within %v: %v", patience, err)
		}
	}
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 2)
	line, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	var v any
	ts.Check(json.Unmarshal([]byte(line), &v))
	for name := range strings.SplitSeq(args[1], ".") {
		m, ok := v.(map[string]any)
		if !ok || m[name] == nil {
			ts.Fatalf("no %s in %s", args[1], line)
		}
		v = m[name]
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

func match(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 3)
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	need(ts, neg, pattern.NumSubexp() > 0)
	var found []string
	poll(ts, func() error {
		if found = pattern.FindStringSubmatch(ts.ReadFile(args[1])); found == nil {
			return fmt.Errorf("no match of %s in %s", args[2], args[1])
		}
		return nil
	})
	ts.Setenv(args[0], found[1])
}

func sign(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 3)
	nonce := now()
	text := fmt.Sprintf("X-Auth-Apikey: %s\nX-Auth-Nonce: %s\nX-Auth-Signature: %s\n", args[1], nonce, barong.Sign(args[2], nonce, args[1]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 2)
	text := ts.ReadFile(args[0])
	if n := strconv.Itoa(strings.Count(text, "\n")); n != args[1] {
		ts.Fatalf("%s has %s lines, want %s:\n%s", args[0], n, args[1], text)
	}
}
