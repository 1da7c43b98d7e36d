// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/seed14544106/gatehouse/internal/server"

type backupCommand struct {
	File   string `arg:"" help:"New file. How to go back to it: deploy/backup.md."`
	Config string `help:"Configuration file (TOML)." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
}

func (c *backupCommand) Run(e *env) error {
	cfg, err := load(e, c.Config, nil)
	if err != nil {
		return err
	}
	return server.Backup(e.ctx, cfg, c.File, e.Out)
}
