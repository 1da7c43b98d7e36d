// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"maps"

	"github.com/seed14544106/gatehouse/internal/server"
)

type serveCommand struct {
	Listen *string `help:"Address of the API, Barong's gate and the console (default ${listen})." placeholder:"ADDR"`
	serverFlags
}

func (c *serveCommand) Run(e *env) error {
	return c.serve(e, map[string]*string{"listen": c.Listen})
}

// serverFlags are what every command takes that runs the server.
type serverFlags struct {
	Config      string  `help:"Configuration file (TOML)." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
	OpsListen   *string `help:"Address of /metrics, /livez and /readyz (default ${opsListen}); empty: none." placeholder:"ADDR"`
	GateListen  *string `help:"Address where gateways ask over HTTP; empty: none." placeholder:"ADDR"`
	GRPCListen  *string `name:"grpc-listen" help:"Address where Envoy asks over gRPC; empty: none." placeholder:"ADDR"`
	SPOEListen  *string `name:"spoe-listen" help:"Address where HAProxy asks over SPOE; empty: none." placeholder:"ADDR"`
	DatabaseURL *string `name:"database-url" help:"postgres://… instead of SQLite in the data directory." placeholder:"URL"`
	RedisURL    *string `name:"redis-url" help:"redis://… for nonces and limits, beside a database of several servers." placeholder:"URL"`
}

// serve runs the server with further settings, by key.
func (c *serverFlags) serve(e *env, more map[string]*string) error {
	flags := map[string]*string{
		"ops_listen": c.OpsListen, "gate.listen": c.GateListen, "grpc.listen": c.GRPCListen, "spoe.listen": c.SPOEListen,
		"database_url": c.DatabaseURL, "redis_url": c.RedisURL,
	}
	maps.Copy(flags, more)
	cfg, err := load(e, c.Config, flags)
	if err != nil {
		return err
	}
	return server.Run(e.ctx, cfg, e.version, e.Out, e.Err)
}
