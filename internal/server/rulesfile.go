// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/config"
)

// rulesFile is a [gate.Rulebook] of a file that people edit, one set of rules for every
// tenant. The file is read each second. A change counts once two looks have found the same:
// half of a file can be rules too, with fewer of those that close a door. What is no rules
// leaves those of before in force.
type rulesFile struct {
	path    string
	schemes []string
	log     *slog.Logger
	routes  atomic.Pointer[gate.Routes]
	refused atomic.Pointer[error] // why the file as it is now is not in force; nil: it is
	stop    context.CancelFunc
	stopped chan struct{}

	taken, seen []byte // what was judged last, and what the last look found
	unsettled   int    // looks since then that each found another text
}

const (
	lookAtRules  = time.Second
	maxRulesFile = 1 << 20 // bytes
	restless     = 10      // looks, of which each finds another text, until the log says so
)

// openRulesFile reads the rules of a file, whose schemes are to be among these, and goes on
// watching it until Close. A file that is no rules is an error.
func openRulesFile(path string, schemes []string, log *slog.Logger) (*rulesFile, error) {
	f := &rulesFile{path: path, schemes: schemes, log: log, stopped: make(chan struct{})}
	text, err := f.read()
	if err == nil {
		err = f.take(text)
	}
	if err != nil {
		return nil, fmt.Errorf("open rules file %s: %w", path, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.stopped)
		every(ctx, lookAtRules, f.look)
	}()
	return f, nil
}

// Close ends the watching.
func (f *rulesFile) Close() {
	f.stop()
	<-f.stopped
}

// Rule implements [gate.Rulebook].
func (f *rulesFile) Rule(_ context.Context, _, method, authority, target string) (gate.Found, error) {
	rule, pattern, _, ok := f.routes.Load().FindPattern(method, authority, target)
	return gate.Found{Rule: rule, Pattern: pattern, Two: !ok}, nil
}

// problem is why the file as it is now is not in force; nil: it is.
func (f *rulesFile) problem() error {
	if err := f.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// look reads the file and takes what has changed.
func (f *rulesFile) look(ctx context.Context) {
	text, err := f.read()
	if err != nil {
		f.refuse(ctx, err)
		f.seen, f.taken = nil, nil // it is news when it is back
		return
	}
	settled := bytes.Equal(text, f.seen)
	f.seen = text
	if !settled {
		if f.unsettled++; f.unsettled == restless {
			f.log.WarnContext(ctx, "the rules of before stay in force: the file keeps changing", "file", f.path)
		}
		return
	}
	f.unsettled = 0
	if bytes.Equal(text, f.taken) {
		return
	}
	if err := f.take(text); err != nil {
		f.refuse(ctx, err)
		return
	}
	f.refused.Store(nil)
	f.log.InfoContext(ctx, "new rules are in force", "file", f.path)
}

// refuse says once that the rules of before stay.
func (f *rulesFile) refuse(ctx context.Context, err error) {
	if was := f.problem(); was != nil && was.Error() == err.Error() {
		return
	}
	f.refused.Store(&err)
	f.log.ErrorContext(ctx, "the rules of before stay in force: the file cannot be used", "file", f.path, "error", err)
}

func (f *rulesFile) read() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxRulesFile+1))
	if err == nil && len(text) > maxRulesFile {
		err = fmt.Errorf("is longer than %d bytes", maxRulesFile)
	}
	return text, err
}

// take puts rules in force.
func (f *rulesFile) take(text []byte) error {
	f.seen, f.taken = text, text
	data, err := config.ParseRules(text)
	if err != nil {
		return err
	}
	rules, err := gate.ParseRules(data)
	if err != nil {
		return err
	}
	if err := rules.CheckSchemes(f.schemes); err != nil {
		return err
	}
	routes, err := rules.Compile()
	if err != nil {
		return err
	}
	f.routes.Store(routes)
	return nil
}
