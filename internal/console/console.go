// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package console is what people see in a browser: holders their keys, operators everything.
//
// It is a client of the native API, in the same process: a page asks and changes through it,
// as the account of the session, and so may do nothing that the API would refuse. What the API
// does not have, such as signing in and second factors, it asks of the directory of accounts.
//
// A page works without scripts wherever a form can do it. Nothing is loaded from elsewhere.
package console

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// Config is what a [Console] is made with. All fields are required but those that say what zero means.
type Config struct {
	Directory  *account.Directory
	Tenant     string
	Proxies    gate.Proxies
	API        http.Handler // the native API, below /v1
	Door       http.Handler // Barong's door, below /api/v2/barong: it registers people and sends mail
	Cookie     string       // name of the session cookie that API and Door read
	Schemes    []string     // names of the schemes that keys are presented by
	Name       string       // of this site, as people read it
	PublicURL  string       // where clients reach the gate that ready-made commands are for; empty: the address of the page
	MailServer string       // host:port that mail is sent by; empty: it goes to files that the operator reads
	Version    string
	Log        *slog.Logger // nil: slog.Default
}

// Console is the pages. Use [New].
type Console struct {
	Config
	assets  *assets
	pages   *pages
	origins http.CrossOriginProtection
	set     atomic.Bool // an administrator was seen: the hint to set up is not looked for any more
}

// New makes the pages.
func New(c Config) (*Console, error) {
	if c.Directory == nil || c.API == nil || c.Door == nil || c.Cookie == "" {
		return nil, errors.New("new console: directory, API, door and cookie are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	out := &Console{Config: c}
	if origin := strings.TrimSuffix(c.PublicURL, "/"); origin != "" {
		// A proxy may have rewritten Host. A public URL with a path has no origin to trust.
		_ = out.origins.AddTrustedOrigin(origin)
	}
	var err error
	if out.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if out.pages, err = loadPages(out.assets); err != nil {
		return nil, err
	}
	return out, nil
}

// need is who may see a page.
type need uint8

const (
	anyone   need = iota
	holder        // who is signed in
	operator      // who manages the records of others: the roles admin and superadmin
)

// route is one page, or one thing that a form does.
type route struct {
	pattern string // with its method
	need    need
	serve   func(*visit) error
	form    int64 // bytes of its form at most; zero: maxForm
}

// Every page and every form is in one of these lists, which stand beside what they list.
func (c *Console) routes() (out []route) {
	for _, list := range [][]route{
		c.setupRoutes(), c.signInRoutes(), c.joinRoutes(), c.accountRoutes(), c.keyRoutes(), c.serviceRoutes(), c.operateRoutes(), c.recordRoutes(), c.ruleRoutes(), c.systemRoutes(),
	} {
		out = append(out, list...)
	}
	return out
}

const (
	maxForm  = 16 << 10 // bytes
	pageTime = 20 * time.Second
)

// Routes returns the console's routes.
func (c *Console) Routes() []gate.Route {
	out := []gate.Route{{Pattern: "GET /assets/{name}", MaxBody: 1, Timeout: pageTime, Handler: c.assets.serve}}
	for _, r := range c.routes() {
		out = append(out, gate.Route{Pattern: r.pattern, MaxBody: cmp.Or(r.form, maxForm), Timeout: pageTime, Handler: func(w http.ResponseWriter, req *http.Request) { c.visit(w, req, &r) }})
	}
	return out
}
