// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/internal/config"
)

// proxyCommand is serve with a proxy: the whole server, so that a service is protected with
// one command.
type proxyCommand struct {
	Upstream  []string `help:"Service to protect: a URL such as http://127.0.0.1:3000, or HOST/PATH=URL for requests to this host and path. Repeatable. Without it: proxy.upstreams." placeholder:"URL"`
	Listen    *string  `help:"Address of the proxy. Without it: proxy.listen, or ${proxyListen} where no configuration file is." placeholder:"ADDR"`
	APIListen *string  `name:"api-listen" help:"Address of the API and the console, as --listen of serve." placeholder:"ADDR"`
	serverFlags
}

// proxyListen is where a proxy listens that nobody has configured.
const proxyListen = "127.0.0.1:8000"

func (c *proxyCommand) Run(e *env) error {
	variable := config.EnvName("proxy.listen") + "="
	if c.Listen == nil && c.Config == "" && !slices.ContainsFunc(e.environ, func(v string) bool { return strings.HasPrefix(v, variable) }) {
		address := proxyListen
		c.Listen = &address
	}
	more := map[string]*string{"listen": c.APIListen, "proxy.listen": c.Listen}
	if len(c.Upstream) > 0 {
		upstreams := strings.Join(c.Upstream, ",")
		more["proxy.upstreams"] = &upstreams
	}
	return c.serve(e, more)
}
