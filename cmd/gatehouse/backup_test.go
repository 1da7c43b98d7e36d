// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The commands of deploy/backup.md bring a server back as it was when it was copied, in the middle of
// its life: a key that was revoked since is active again, as the page says, and one made since is gone.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	var blocks []string
	for _, m := range shellBlock.FindAllStringSubmatch(deployText(t, "backup.md"), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 2 || !strings.HasSuffix(blocks[1], "\ngatehouse --data restored serve\n") {
		t.Fatal("the page does not have its two blocks of commands")
	}
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(program(t), filepath.Join(bin, "gatehouse")); err != nil {
		t.Fatal(err)
	}
	shell := func(script string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	made := func(name string) (k struct{ KID string }) {
		t.Helper()
		out := shell("umask 077; gatehouse key create --owner a@example.com --scheme barong --name " + name + " --format json | tee " + name + ".json")
		if err := json.Unmarshal([]byte(out), &k); err != nil || k.KID == "" {
			t.Fatalf("%v: %s", err, out)
		}
		return k
	}
	serveIn(t, dir)
	shell("gatehouse account create a@example.com")
	old := made("old")
	if out := shell(blocks[0]); !strings.Contains(out, "keyring too") {
		t.Error(out)
	}
	late := made("late")
	shell("gatehouse key revoke --yes " + old.KID)
	shell(strings.TrimSuffix(blocks[1], "gatehouse --data restored serve\n"))
	serveIn(t, dir, "--data", "restored")
	if out := shell("gatehouse --data restored key show " + old.KID + " --format json"); !strings.Contains(out, `"state":"active"`) {
		t.Error(out)
	}
	if out := shell("gatehouse --data restored key list"); strings.Contains(out, late.KID) {
		t.Error(out)
	}
	// The sealed secret opens: a request that is signed with it passes, once the memory of nonces is
	// older than the request.
	const ask = "gatehouse sign --key old.json https://api.example.com/ >header; gatehouse --data restored key verify --url https://api.example.com/ <header || true"
	eventually(t, "a signed request passes", func() bool { return strings.Contains(shell(ask), "true ") })
}
