// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// seldomly makes a log in which a warning stands at most once in a second, with the number of
// those that were left out before it. It is for warnings of which strangers can cause as many
// as they like. What a warning says is one of a few texts; the rest stands in attributes.
func seldomly(log *slog.Logger) *slog.Logger {
	return slog.New(&seldom{log.Handler(), &warnings{said: map[string]*warning{}}})
}

const seldomEvery = time.Second

type seldom struct {
	slog.Handler
	*warnings
}

type warnings struct {
	mu   sync.Mutex
	said map[string]*warning
}

type warning struct {
	last time.Time
	left int // out, since then
}

// Handle implements [slog.Handler].
func (s *seldom) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		left, now := s.due(r.Message, r.Time)
		if !now {
			return nil
		}
		if left > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int("left_out", left))
		}
	}
	return s.Handler.Handle(ctx, r)
}

// due reports whether a warning is said, and how many were not since the last.
func (w *warnings) due(text string, at time.Time) (left int, now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.said[text]
	if one == nil {
		one = new(warning)
		w.said[text] = one
	}
	if at.Sub(one.last) < seldomEvery {
		one.left++
		return 0, false
	}
	left, one.left, one.last = one.left, 0, at
	return left, true
}

// WithAttrs implements [slog.Handler].
func (s *seldom) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &seldom{s.Handler.WithAttrs(attrs), s.warnings}
}

// WithGroup implements [slog.Handler].
func (s *seldom) WithGroup(name string) slog.Handler {
	return &seldom{s.Handler.WithGroup(name), s.warnings}
}
