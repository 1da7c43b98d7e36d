// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/server"
)

type configCommand struct {
	Example configExample `cmd:"" help:"Print a configuration file with every setting, its default and its meaning."`
	Check   configCheck   `cmd:"" help:"Check a configuration file, the environment, and the files that they name, as serve reads them."`
}

type configExample struct{}

func (*configExample) Run(e *env) error {
	_, err := fmt.Fprint(e.Out, config.Example())
	return err
}

type configCheck struct {
	File   string `arg:"" optional:"" help:"Configuration file (TOML). Without it: that of serve."`
	Config string `help:"Configuration file, as serve takes it." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
}

func (c *configCheck) Run(e *env) error {
	if c.File != "" && c.Config != "" && c.Config != e.variable("GATEHOUSE_CONFIG") {
		return usageError{errors.New("one configuration file is checked: FILE or --config")}
	}
	cfg, err := load(e, cmp.Or(c.File, c.Config), nil)
	if err == nil {
		err = server.Check(e.ctx, cfg)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.Out, "The configuration is sound.")
	return err
}
