// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/config"
)

// newLog makes the process's log.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked with the configuration
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// readSecretFile reads a secret from a file, without the line end.
func readSecretFile(key, path string) (gatehouse.Secret, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return gatehouse.Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	return gatehouse.NewSecret(strings.TrimRight(string(b), "\r\n")), nil
}
