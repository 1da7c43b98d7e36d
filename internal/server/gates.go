// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/extauthz"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
	"github.com/seed14544106/gatehouse/gate/proxy"
	"github.com/seed14544106/gatehouse/gate/spoe"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/console"
)

// gates is what gateways ask, each kind on a listener of its own: whoever reaches the public
// one could ask in the name of a gateway.
type gates struct {
	asked    *gate.Gate       // by gateways; nil: there is no gate
	proxy    http.Handler     // that is a gateway itself; nil: there is none
	token    gatehouse.Secret // that gateways show over HTTP; empty: none is demanded
	rules    *rulesFile       // nil: the rules are those of the tenant
	vouchers vouchers
	seen     seenFunc
}

// openGates makes what the gates need. Without a listener for one there is nothing to make.
func (p *parts) openGates(ctx context.Context, c *config.Config, log *slog.Logger) (err error) {
	g := &p.gates
	if !hasGates(c) {
		return nil
	}
	if g.token, err = gatewayToken(c.Gate.TokenFile); err != nil {
		return err
	}
	if err := p.warnOfGates(ctx, c, log); err != nil {
		return err
	}
	o, err := p.gateOptions(c, log)
	if err != nil {
		return err
	}
	if g.asked, err = gate.New(p.authority, o); err != nil {
		return err
	}
	g.seen = p.metrics.Gates(gateNames...)
	if c.Proxy.Listen == "" {
		return nil
	}
	upstreams, err := proxy.ParseUpstreams(c.Proxy.Upstreams)
	if err != nil {
		return fmt.Errorf("proxy.upstreams: %w", err)
	}
	roots, err := authorities(c.Proxy.CAFile)
	if err != nil {
		return err
	}
	// A gate of its own: bodies that wait here take no room from those of the gateways.
	serving, err := gate.New(p.authority, watchProxy(o))
	if err != nil {
		return err
	}
	if g.proxy, err = proxy.New(serving, proxy.Options{Upstreams: upstreams, Proxies: p.proxies, Log: log, Roots: roots}); err != nil {
		return fmt.Errorf("proxy.upstreams: %w", err)
	}
	return nil
}

// authorities reads certificates. Nil: those of the system.
func authorities(path string) (*x509.CertPool, error) {
	const key = "proxy.ca_file"
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s: holds no certificate in PEM", key, path)
	}
	return pool, nil
}

func hasGates(c *config.Config) bool {
	return c.Gate.Listen+c.GRPC.Listen+c.SPOE.Listen+c.Proxy.Listen != ""
}

// gateOptions are the same for all gates.
func (p *parts) gateOptions(c *config.Config, log *slog.Logger) (gate.Options, error) {
	var book gate.Rulebook = gate.NewBook(p.store, gate.AnyKey())
	if path := c.Gate.RulesFile; path != "" {
		rules, err := openRulesFile(path, schemeNames, log)
		if err != nil {
			return gate.Options{}, fmt.Errorf("gate.rules_file: %w", err)
		}
		p.closers = append(p.closers, rules.Close)
		p.gates.rules, book = rules, rules
	}
	maxBody := int64(c.Gate.MaxBody) << 10
	return gate.Options{
		Book: book, Tenant: c.Gate.Tenant, Tokens: &p.gates.vouchers, TokenField: c.Gate.TokenField, Proxies: p.proxies,
		MaxBody: maxBody, MaxBuffered: max(64<<20, 4*maxBody), Strip: []string{c.Shield.Header}, Cookies: append(console.Cookies(), c.Barong.SessionName), Log: log,
	}, nil
}

// warnOfGates says what is no mistake for certain. The secret of gateways is for HTTP only.
func (p *parts) warnOfGates(ctx context.Context, c *config.Config, log *slog.Logger) error {
	anybody := c.Gate.Listen != "" && p.gates.token.Empty() || c.GRPC.Listen+c.SPOE.Listen != ""
	if wide := widerThanHost(c.Gate.Peers); wide != "" && anybody {
		log.Warn("every machine in a network of gate.peers may ask as a gateway; over HTTP gate.token_file would let only gateways", "network", wide)
	}
	t, err := p.store.Tenant(ctx, c.Gate.Tenant)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound):
		log.Warn("there is no tenant of the name in gate.tenant: no key passes the gates", "tenant", c.Gate.Tenant)
	case err != nil:
		return fmt.Errorf("gate.tenant: %w", err)
	case t.State != gatehouse.TenantActive:
		log.Warn("the tenant in gate.tenant is not active: no key passes the gates", "tenant", c.Gate.Tenant)
	}
	return nil
}

// widerThanHost is the first network that goes beyond this machine; empty: there is none.
func widerThanHost(networks []netip.Prefix) string {
	for _, n := range networks {
		if !n.Addr().IsLoopback() || n.Addr().Is4() && n.Bits() < 8 || n.Addr().Is6() && n.Bits() < 128 {
			return n.String()
		}
	}
	return ""
}

// leastToken is how many characters a gateway's secret has at least.
const leastToken = 16

// gatewayToken reads the secret of gateways. It is sent as the value of a header field.
func gatewayToken(path string) (gatehouse.Secret, error) {
	const key = "gate.token_file"
	if path == "" {
		return gatehouse.Secret{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return gatehouse.Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return gatehouse.Secret{}, fmt.Errorf("%s: %s: everybody may read it; run: chmod o= %s", key, path, path)
	}
	token, err := readSecretFile(key, path)
	if err != nil {
		return gatehouse.Secret{}, err
	}
	odd := func(c rune) bool { return c <= ' ' || c > '~' }
	if text := token.Reveal(); len(text) < leastToken || strings.ContainsFunc(text, odd) {
		return gatehouse.Secret{}, fmt.Errorf("%s: %s: is not one line of %d or more visible characters", key, path, leastToken)
	}
	return token, nil
}

// issuer is what signed statements of this server are signed as, but for a port that the system
// chooses.
func issuer(c *config.Config) string {
	return cmp.Or(strings.TrimSuffix(c.PublicURL, "/"), "http://"+c.Listen)
}

// issueAs makes what signs statements with an issuer. Call it before the first request.
func (p *parts) issueAs(c *config.Config, issuer string, log *slog.Logger) error {
	audience := c.Gate.Audience
	if len(audience) == 0 {
		audience = []string{issuer}
	}
	p.gates.vouchers.minter = assertion.NewMinter(assertion.MinterConfig{
		Keys: p.keys, Profile: assertion.Default, Issuer: issuer, Audience: audience, Lifetime: c.Gate.JWTLifetime,
	})
	return p.openOAuth(c, issuer, log)
}

// vouchers makes the JWT for services behind gates.
type vouchers struct{ minter *assertion.Minter }

// Mint implements [gate.Minter].
func (v *vouchers) Mint(ctx context.Context, d *gatehouse.Decision) (string, error) {
	return v.minter.Mint(ctx, assertion.Subject{Principal: *d.Principal, Key: d.Key, Scheme: d.Scheme, Body: d.Body, Digest: d.Digest})
}

// gateFaces are the faces of the gates.
func (p *process) gateFaces(c *config.Config) []face {
	g := &p.gates
	if g.asked == nil {
		return nil
	}
	log := seldomly(p.log)
	overHTTP := forwardauth.New(g.asked, forwardauth.Options{Peers: c.Gate.Peers, Token: g.token, Proxies: p.proxies, Log: log})
	return []face{
		{addr: c.Gate.Listen, serves: p.web(watchChecks(overHTTP, g.seen), forGateways), says: "Gates on http://"},
		{addr: c.GRPC.Listen, says: "Gate for Envoy (ext_authz, gRPC) on ", serves: func(net.Listener) server {
			return extauthz.New(g.asked, extauthz.Options{Peers: c.Gate.Peers, MaxBody: c.Gate.MaxBody << 10, Log: log, Seen: g.seen.of("extauthz")})
		}},
		{addr: c.SPOE.Listen, says: "Gate for HAProxy (SPOE) on ", serves: func(net.Listener) server {
			return spoe.New(g.asked, spoe.Options{Peers: c.Gate.Peers, Proxies: p.proxies, Log: log, Seen: g.seen.of("spoe")})
		}},
		{addr: c.Proxy.Listen, serves: p.web(watchRequests(g.proxy, g.seen), forServices), says: "Proxy on http://"},
	}
}
