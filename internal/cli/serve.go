// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/seed14544106/gatehouse/internal/server"
)

type serveCommand struct {
	Config      string  `help:"Configuration file (TOML)." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
	Listen      *string `help:"Address of the API, the gate and the console." placeholder:"ADDR"`
	OpsListen   *string `help:"Address of /metrics, /livez and /readyz; empty: none." placeholder:"ADDR"`
	DatabaseURL *string `name:"database-url" help:"postgres://… instead of SQLite in the data directory." placeholder:"URL"`
	RedisURL    *string `name:"redis-url" help:"redis://… for nonces and limits, beside a database of several servers." placeholder:"URL"`
}

func (c *serveCommand) Run(e *env) error {
	cfg, err := load(e, c.Config, map[string]*string{
		"listen": c.Listen, "ops_listen": c.OpsListen, "database_url": c.DatabaseURL, "redis_url": c.RedisURL,
	})
	if err != nil {
		return err
	}
	return server.Run(e.ctx, cfg, e.version, e.Out, e.Err)
}
