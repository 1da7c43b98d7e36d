// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// revocationModel is what docs/design/revocation.md stands on.
const revocationModel = "../../docs/design/revocation/model.pml"

// variant is one search of all states of the model.
type variant struct {
	name  string // the definition that breaks a rule or leaves out a spare one; empty: the whole protocol
	watch string // FAR or NEAR: the lookups of which node are watched
	holds bool
}

var variants = []variant{
	{"", "FAR", true},
	{"", "NEAR", true},
	{"SPARE_R3_DROP", "FAR", true},
	{"SPARE_R9_FILL", "FAR", true},
	{"NO_R1", "FAR", false},
	{"NO_R1", "NEAR", false},
	{"NO_R2", "FAR", false},
	{"NO_R2_ORDER", "FAR", false},
	{"NO_R3_START", "FAR", false},
	{"NO_R3_ORDER", "FAR", false},
	{"NO_R3_ROW", "FAR", false},
	{"NO_R4_WAIT", "FAR", false},
	{"NO_R4_CLOCK", "FAR", false},
	{"NO_R4_LIST", "FAR", false},
	{"NO_R4_OWN", "NEAR", false},
	{"NO_R5", "FAR", false},
	{"NO_R6_WAIT", "FAR", false},
	{"NO_R6_BEAT", "FAR", false},
	{"NO_R6_DRAIN", "FAR", false},
	{"NO_R7", "FAR", false},
	{"NO_R8", "FAR", false},
	{"NO_R8_FIRST", "FAR", false},
	{"NO_R9_COMMIT", "FAR", false},
	{"NO_R9_ID", "FAR", false},
	{"NO_R10", "FAR", false},
	{"NO_R10", "NEAR", false},
	{"NO_R11", "FAR", false},
	{"NO_CLOCK", "FAR", false},
}

// revocationProof holds the sum of the model and the variants that were last searched in full.
const revocationProof = "../../docs/design/revocation/proof.txt"

// sum is what a proof is of.
func sum(model []byte) string {
	h := sha256.New()
	h.Write(model)
	fmt.Fprintf(h, "%v", variants)
	return fmt.Sprintf("%x\n", h.Sum(nil))
}

// TestRevocationModel proves the protocol of revocation in the model, and that the model notices the want
// of each rule. Nothing in it changes but with the model: where it was proved as it is, a few searches
// show that it still can be. GATEHOUSE_MODEL=1 (make model) searches all and notes the proof.
func TestRevocationModel(t *testing.T) {
	model, err := os.ReadFile(revocationModel)
	if err != nil {
		t.Fatal(err)
	}
	searched := variants
	proof, _ := os.ReadFile(revocationProof)
	note := os.Getenv("GATEHOUSE_MODEL") != ""
	switch {
	case note:
	case string(proof) != sum(model):
		t.Error("the model or its variants are not those that were proved; run: make model")
	default:
		searched = []variant{{"NO_R1", "FAR", false}, {"NO_R4_WAIT", "FAR", false}, {"NO_R8", "FAR", false}}
	}
	ok := t.Run("search", func(t *testing.T) { searchAll(t, model, searched) })
	if ok && note {
		if err := os.WriteFile(revocationProof, []byte(sum(model)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func searchAll(t *testing.T, model []byte, searched []variant) {
	spin, gcc := needProgram(t, "spin", "spin"), needProgram(t, "gcc", "gcc")
	for _, v := range searched {
		t.Run(v.watch+"/"+cmp.Or(v.name, "whole"), func(t *testing.T) {
			t.Parallel()
			if v.name != "" && !slices.Contains(switches(model), v.name) {
				t.Fatalf("the model does not know %s", v.name)
			}
			search(t, spin, gcc, model, v)
		})
	}
}

// TestRevocationModelRules proves that every rule that the model can break is broken by a variant.
func TestRevocationModelRules(t *testing.T) {
	t.Parallel()
	model, err := os.ReadFile(revocationModel)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range switches(model) {
		if !slices.ContainsFunc(variants, func(v variant) bool { return v.name == name }) {
			t.Errorf("no variant of the test sets %s", name)
		}
	}
}

var (
	switchName = regexp.MustCompile(`\b(?:NO|SPARE)_(?:R\d+\w*|CLOCK)\b`)
	failures   = regexp.MustCompile(`errors: (\d+)`)
	asserted   = regexp.MustCompile(`assertion violated`)
	unfinished = regexp.MustCompile(`Search not completed|max search depth too small`)
	stored     = regexp.MustCompile(`(\d+) states, stored`)
	steps      = regexp.MustCompile(`depth reached (\d+)`)
)

// switches are the definitions that the model asks for.
func switches(model []byte) []string {
	names := switchName.FindAllString(string(model), -1)
	slices.Sort(names)
	return slices.Compact(names)
}

// search looks at every state that the variant can reach, the near ones first, so that a counter-example
// is as short as can be.
func search(t *testing.T, spin, gcc string, model []byte, v variant) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.pml"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	define := []string{"-D" + v.watch}
	if v.name != "" {
		define = append(define, "-D"+v.name)
	}
	run(t, dir, spin, append(define, "-a", "model.pml")...)
	run(t, dir, gcc, "-O1", "-DSAFETY", "-DNOREDUCE", "-DBFS", "-o", "pan", "pan.c")
	out := run(t, dir, "./pan")

	failed, states := failures.FindSubmatch(out), stored.FindSubmatch(out)
	if failed == nil || states == nil {
		t.Fatalf("pan says neither errors nor states:\n%s", out)
	}
	t.Logf("%s states, depth %s, errors %s", states[1], steps.FindSubmatch(out)[1], failed[1])
	switch {
	case v.holds && (string(failed[1]) != "0" || unfinished.Match(out)):
		t.Errorf("the promise does not hold, or not every state was looked at:\n%s\n%s", out, run(t, dir, spin, append(define, "-t", "-p", "model.pml")...))
	case !v.holds && !asserted.Match(out):
		t.Errorf("the promise holds without the rule; the rule is superfluous or the model too weak:\n%s", out)
	}
}

// run returns what the program prints. It fails the test if the program fails.
func run(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
	return out
}

// needProgram finds an executable in PATH. It fails the test, and names the Debian package, if there is none.
func needProgram(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed (Debian package %s); run: make deps", name, debian)
	}
	return path
}
