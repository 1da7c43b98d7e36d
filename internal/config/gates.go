// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"time"
)

// Gate is what can be set of the gates, by which gateways ask. What is not about the
// listener of its own is of grpc, spoe and proxy too.
type Gate struct {
	Listen      string         `key:"gate.listen" default:"" help:"address where gateways ask over HTTP (nginx, Caddy, Traefik, HAProxy, Envoy), such as 127.0.0.1:8082; empty: none"`
	Peers       []netip.Prefix `key:"gate.peers" default:"127.0.0.0/8,::1/128" help:"networks of the gateways that may ask; wider than this machine, set gate.token_file too"`
	TokenFile   string         `key:"gate.token_file" default:"" help:"file with a secret of 16 characters or more that gateways send as X-Gatehouse-Gateway; empty: none is demanded"`
	Tenant      string         `key:"gate.tenant" default:"default" help:"tenant whose keys and rules count at the gates"`
	RulesFile   string         `key:"gate.rules_file" default:"" help:"TOML file with the rules of the routes, read again when it changes; empty: the tenant's rules of the API, and any valid key where it has none"`
	TokenField  string         `key:"gate.token_field" default:"Authorization" help:"header field that carries the JWT to the service; Authorization: as Bearer"`
	Audience    []string       `key:"gate.audience" default:"" help:"whom the JWT is for, such as https://api.example.com; empty: the issuer, which is public_url"`
	JWTLifetime time.Duration  `key:"gate.jwt_lifetime" default:"1m" help:"life of the JWT, at least 1s"`
	MaxBody     int            `key:"gate.max_body" default:"1024" help:"kilobytes (1024 bytes) of a body that a proof covers, at most"`
}

// GRPC is what can be set of Envoy's ext_authz over gRPC.
type GRPC struct {
	Listen string `key:"grpc.listen" default:"" help:"address where Envoy asks over gRPC (ext_authz); empty: none"`
}

// SPOE is what can be set of HAProxy's stream processing offload.
type SPOE struct {
	Listen string `key:"spoe.listen" default:"" help:"address where HAProxy asks over SPOE; empty: none"`
}

// Proxy is what can be set of the proxy that is a gateway itself.
type Proxy struct {
	Listen    string   `key:"proxy.listen" default:"" help:"address of a proxy in front of services; empty: none"`
	Upstreams []string `key:"proxy.upstreams" default:"" help:"the services: a URL such as http://127.0.0.1:3000, or HOST/PATH=URL for requests to this host and path, such as api.example.com/=http://127.0.0.1:3000"`
	CAFile    string   `key:"proxy.ca_file" default:"" help:"PEM file with the authorities that certificates of https services are checked against; empty: those of the system"`
}

// listener is an address to listen on.
type listener struct{ key, addr string }

func (c *Config) listeners() []listener {
	return []listener{
		{"listen", c.Listen},
		{"ops_listen", c.OpsListen},
		{"gate.listen", c.Gate.Listen},
		{"grpc.listen", c.GRPC.Listen},
		{"spoe.listen", c.SPOE.Listen},
		{"proxy.listen", c.Proxy.Listen},
	}
}

// checkListeners refuses what is no address, and one address for two listeners. Port 0 is
// any free one.
func (c *Config) checkListeners() error {
	var out []error
	taken := map[string]string{}
	for _, l := range c.listeners() {
		if l.addr == "" {
			continue
		}
		_, port, err := net.SplitHostPort(l.addr)
		if err != nil {
			out = append(out, fmt.Errorf("%s: is no address such as 127.0.0.1:8080", l.key))
			continue
		}
		if other := taken[l.addr]; other != "" && port != "0" {
			out = append(out, fmt.Errorf("%s: is the address of %s too", l.key, other))
		}
		taken[l.addr] = l.key
	}
	return errors.Join(out...)
}

func (c *Config) checkGates() error {
	g := &c.Gate
	return problems(
		problem{!fieldName.MatchString(g.TokenField), "gate.token_field: is no name of a header field"},
		problem{carries(g.TokenField), "gate.token_field: carries something else already"},
		problem{g.JWTLifetime < time.Second || g.JWTLifetime > 24*time.Hour, "gate.jwt_lifetime: is not between 1s and 24h"},
		problem{g.MaxBody > 64<<10, "gate.max_body: is more than 65536"},
		problem{len(g.Peers) == 0 && g.Listen+c.GRPC.Listen+c.SPOE.Listen != "", "gate.peers: is empty, and nobody may ask"},
		problem{c.Proxy.Listen != "" && len(c.Proxy.Upstreams) == 0, "proxy.upstreams: is empty, though proxy.listen is set; gatehouse proxy takes it as --upstream URL"},
		problem{c.Proxy.Listen == "" && len(c.Proxy.Upstreams) > 0, "proxy.listen: is empty, though proxy.upstreams is set"},
	)
}

// carries reports whether a field has a meaning of its own on the way to a service, so that
// a JWT there would break the request or be taken for an identity.
func carries(field string) bool {
	switch name := textproto.CanonicalMIMEHeaderKey(field); name {
	case "Host", "Cookie", "Connection", "Content-Length", "Content-Type", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Forwarded":
		return true
	default:
		return strings.HasPrefix(name, "X-Auth-") || strings.HasPrefix(name, "X-Forwarded-")
	}
}
