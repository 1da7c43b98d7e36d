// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/server"
)

type clusterCommand struct {
	Status clusterStatus `cmd:"" help:"Say how the server and those that share its database stand. Exit code 1 where something is wrong."`
}

type clusterStatus struct{}

func (c *clusterStatus) Run(e *env, cl *client.Client) error {
	s, err := cl.Cluster(e.ctx)
	if err != nil {
		return err
	}
	if e.format != "table" {
		if err := e.plain(&s); err != nil {
			return err
		}
		return problem(&s)
	}
	if err := table(e, partsOf(&s), []string{"PART", "KIND", "STATE"}, (*namedPart).row); err != nil {
		return err
	}
	if len(s.Nodes) > 0 {
		_, _ = fmt.Fprintln(e.Out)
		if err := table(e, s.Nodes, []string{"NODE", "NAME", "VERSION", "LEASE", "STARTED", "STATE"}, nodeRow(s.Node)); err != nil {
			return err
		}
	}
	return problem(&s)
}

type namedPart struct {
	name string
	api.Part
}

func nodeState(n *api.Node) string {
	if n.Silent > 0 {
		return "silent for " + spanText((time.Duration(n.Silent) * time.Millisecond).Round(100*time.Millisecond))
	}
	return "ok"
}

func partsOf(s *api.Cluster) []namedPart {
	return []namedPart{{"store", s.Store}, {"feed", s.Feed}, {"nonces", s.Nonces}, {"limits", s.Limits}, {"keyring", s.Keyring}}
}

func (p *namedPart) row() []string {
	if p.OK {
		return []string{p.name, p.Kind, "ok"}
	}
	return []string{p.name, p.Kind, p.Problem}
}

func nodeRow(me string) func(n *api.Node) []string {
	return func(n *api.Node) []string {
		id := n.ID
		if id == me {
			id += " *"
		}
		return []string{id, n.Name, n.Version, spanText(time.Duration(n.Lease) * time.Millisecond), moment(&n.Started), nodeState(n)}
	}
}

// problem is the error of a command that found something wrong.
func problem(s *api.Cluster) error {
	for _, p := range partsOf(s) {
		if !p.OK {
			return fmt.Errorf("%s: %s", p.name, p.Problem)
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Silent > 0 {
			return fmt.Errorf("node %s (%s) is %s", n.ID, n.Name, nodeState(n))
		}
	}
	return nil
}

type migrateCommand struct {
	Config      string  `help:"Configuration file (TOML)." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
	DatabaseURL *string `name:"database-url" help:"postgres://…" placeholder:"URL"`
}

func (c *migrateCommand) Run(e *env) error {
	cfg, err := load(e, c.Config, map[string]*string{"database_url": c.DatabaseURL})
	if err != nil {
		return err
	}
	return server.Migrate(e.ctx, cfg, e.Out)
}

// load reads the configuration of a command that runs on the server's side.
func load(e *env, file string, flags map[string]*string) (config.Config, error) {
	given := map[string]string{}
	if e.data != "" {
		given["data"] = e.data
	}
	for key, value := range flags {
		if value != nil {
			given[key] = *value
		}
	}
	return config.Load(file, e.environ, given)
}
