// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package server is the process: here fillings meet doors, and nowhere else.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/config"
)

// Run serves until ctx ends, and then drains: it takes no new connection, finishes
// what runs, and returns. What people need to know at the start goes to out, the log
// to errs. A configuration or a data directory that cannot be used is an error before
// anything listens.
func Run(ctx context.Context, c config.Config, version string, out, errs io.Writer) error {
	log := newLog(&c, errs)
	p, err := assemble(ctx, &c, version, log)
	if err != nil {
		return err
	}
	defer p.close()
	made, err := p.firstAdmin(ctx, &c)
	if err != nil {
		return fmt.Errorf("make first administrator: %w", err)
	}
	if err := p.noteStart(ctx); err != nil {
		return err
	}
	faces, err := p.listen(&c)
	if err != nil {
		return err
	}
	failed := make(chan error, len(faces))
	for _, f := range faces {
		go func() { failed <- f.serve() }()
	}
	p.ready.Store(true)
	if err := p.greet(ctx, faces, made, out); err != nil {
		return errors.Join(err, drainAll(ctx, faces))
	}
	go p.warnOfNoRules(ctx)
	go tendCollector(ctx)
	for _, c := range p.chores() {
		go every(ctx, c.interval, c.do)
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	log.Info("draining")
	p.ready.Store(false)
	p.draining.Store(true)
	p.api.Drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownGrace)
	defer cancel()
	err = errors.Join(err, drainAll(grace, faces))
	p.flushLast(ctx)
	return err
}

// process is everything that runs, besides the listeners.
type process struct {
	*parts
	version  string
	log      *slog.Logger
	ready    atomic.Bool
	draining atomic.Bool
}

// noteStart writes that the process starts.
func (p *process) noteStart(ctx context.Context) error {
	actor := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: p.tenant}
	return p.store.AppendEvent(ctx, gatehouse.NewEvent(actor, time.Now(), "system.start", p.version, gatehouse.OutcomeSucceeded))
}

// listen opens the public face, the admin socket, the ops face and the gates, in this order.
func (p *process) listen(c *config.Config) ([]*face, error) {
	want := append([]face{
		{addr: c.Listen, serves: func(ln net.Listener) server { return p.web(p.public(), forStrangers)(ln) }},
		{addr: "unix:" + filepath.Join(c.Data, api.SocketName), serves: p.web(p.admin(), forStrangers)},
		{addr: c.OpsListen, serves: p.web(p.ops(), forStrangers), says: "Metrics and health on http://"},
	}, p.gateFaces(c)...)
	var faces []*face
	abandon := func(err error) ([]*face, error) {
		for _, f := range faces {
			_ = f.listener.Close()
		}
		return nil, err
	}
	for i := range want {
		if want[i].addr == "" {
			continue
		}
		if err := want[i].open(); err != nil {
			return abandon(err)
		}
		if l, ok := want[i].listener.(*lastCall); ok {
			l.log = seldomly(p.log)
		}
		faces = append(faces, &want[i])
	}
	if err := p.settle(c, p.base(faces)); err != nil {
		return abandon(err)
	}
	for _, f := range faces {
		f.prepare()
	}
	return faces, nil
}

// settle tells the parts where clients reach the public face, which they know from the
// configuration but for a port that the system chose.
func (p *process) settle(c *config.Config, base string) error {
	if c.Barong.Domain == "" {
		p.door.LinkTo(base)
	}
	if _, port, _ := net.SplitHostPort(c.Listen); port != "0" || c.PublicURL != "" {
		return nil
	}
	return p.issueAs(c, base, p.log)
}

// base is where clients reach the public face, the first one. An address that stands for
// every one of the machine is none to go to.
func (p *parts) base(faces []*face) string {
	if p.publicURL != "" {
		return strings.TrimSuffix(p.publicURL, "/")
	}
	addr := faces[0].listener.Addr().String()
	if host, port, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host).IsUnspecified() {
		addr = "localhost:" + port
	}
	return "http://" + addr
}

// web makes a server of HTTP for a listener.
func (p *process) web(h http.Handler, l limits) func(net.Listener) server {
	return func(ln net.Listener) server { return newWeb(ln, h, l, &p.draining, p.log) }
}

// public is what clients reach: the native API, Barong's door and gate, the signing keys,
// the console.
func (p *process) public() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", p.api.Public())
	gate.Mount(mux, p.console.Routes())
	gate.Mount(mux, []gate.Route{{Pattern: "GET /.well-known/jwks.json", MaxBody: 1, Timeout: 5 * time.Second, Handler: p.jwks}})
	if p.oauth != nil {
		gate.Mount(mux, p.oauth.Routes())
	}
	door := p.door.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect an ambiguous path to a clean one. The door must see it,
		// and elsewhere it is nothing.
		if strings.HasPrefix(r.RequestURI, "/api/v2/") {
			door.ServeHTTP(w, r)
			return
		}
		if _, ok := gate.CanonicalPath(r.RequestURI); !ok {
			twoWays(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// twoWays answers where the path can be read in two ways.
func twoWays(w http.ResponseWriter, r *http.Request) {
	const title = "the path can be read in two ways"
	if strings.HasPrefix(r.RequestURI, "/v1/") {
		gate.Problems(w, r, &gate.Denial{Status: http.StatusBadRequest, Code: gatehouse.ReasonAmbiguousPath.Code(), Title: title})
		return
	}
	http.Error(w, title, http.StatusBadRequest)
}

// admin is what the admin socket offers.
func (p *process) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", p.api.Socket())
	return mux
}

// ops is what operators' tools reach.
func (p *process) ops() http.Handler {
	mux := http.NewServeMux()
	const quick = 5 * time.Second
	gate.Mount(mux, []gate.Route{
		{Pattern: "GET /metrics", MaxBody: 1, Timeout: quick, Handler: p.metrics.Handler().ServeHTTP},
		{Pattern: "GET /livez", MaxBody: 1, Timeout: quick, Handler: func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") }},
		{Pattern: "GET /readyz", MaxBody: 1, Timeout: quick, Handler: p.readyz},
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// jwks publishes the public halves of the signing keys (RFC 7517).
func (p *process) jwks(w http.ResponseWriter, r *http.Request) {
	set, etag := p.keys.JWKS()
	h := w.Header()
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(assertion.MaxAge/time.Second)))
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(set)
}

// greet says where the process listens, where mail goes that is not sent, and which first administrator the configuration
// made (made; empty: none) or, while there is no account, how one is made with a
// one-time link.
func (p *process) greet(ctx context.Context, faces []*face, made string, out io.Writer) error {
	base := p.base(faces)
	var b strings.Builder
	fmt.Fprintf(&b, "Gatehouse %s listens on %s\n", p.version, base)
	for _, f := range faces {
		if f.says != "" {
			fmt.Fprintf(&b, "%s%s\n", f.says, f.listener.Addr())
		}
	}
	if p.outbox != "" {
		fmt.Fprintf(&b, "Mail is not sent: it goes to files in %s, where its links can be read. To have it sent set smtp.address\n", p.outbox)
	}
	if made != "" {
		fmt.Fprintf(&b, "The first administrator is %s\n", made)
	} else if err := p.invite(ctx, &b, base); err != nil {
		return err
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// invite writes the one-time link, where there is no account yet.
func (p *process) invite(ctx context.Context, b *strings.Builder, base string) error {
	token, err := p.directory.IssueSetup(ctx)
	if isExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("issue setup link: %w", err)
	}
	fmt.Fprintf(b, "\nMake the first administrator, once, in a browser:\n  %s/setup?token=%s\nor with curl:\n", base, token.Reveal())
	fmt.Fprintf(b, "  curl %s/setup -d token=%s -d email=admin@example.com --data-urlencode password='CHOOSE-one-4-yourself'\n\n", base, token.Reveal())
	return nil
}
