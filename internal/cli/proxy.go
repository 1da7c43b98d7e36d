// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/internal/config"
)

// proxyCommand is serve with a proxy: the whole server, so that a service is protected with
// one command.
type proxyCommand struct {
	Upstream  []string `help:"Service to protect: a URL such as http://127.0.0.1:3000, or HOST/PATH=URL for requests to this host and path. Repeatable. Without it: proxy.upstreams." placeholder:"URL"`
	Listen    *string  `help:"Address of the proxy. Without it: proxy.listen, or ${proxyListen} where no configuration file is." placeholder:"ADDR"`
	APIListen *string  `name:"api-listen" help:"Address of the API and the console, as --listen of serve (default ${listen})." placeholder:"ADDR"`
	serverFlags
}

// proxyListen is where a proxy listens that nobody has configured.
const proxyListen = "127.0.0.1:8000"

func (c *proxyCommand) Run(e *env) error {
	nowhere := func(key string) bool { // nothing but a flag can have set it
		variable := config.EnvName(key) + "="
		return c.Config == "" && !slices.ContainsFunc(e.environ, func(v string) bool { return strings.HasPrefix(v, variable) })
	}
	if len(c.Upstream) == 0 && nowhere("proxy.upstreams") {
		return usageError{errors.New("--upstream URL is missing: the service to protect, such as --upstream http://127.0.0.1:3000")}
	}
	if c.Listen == nil && nowhere("proxy.listen") {
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
