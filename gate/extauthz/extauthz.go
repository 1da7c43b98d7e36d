// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package extauthz answers Envoy's external authorization filter over gRPC
// (envoy.service.auth.v3.Authorization/Check), for Envoy and what is built on it. The contract
// is docs/spec/extauthz.md.
//
// What a check says is taken from its attributes and from nothing else; a field that Envoy
// sends is a fact, a header that a client sends is its credential or nothing. Header fields
// should come raw (encode_raw_headers): Envoy merges repeated ones otherwise, and a
// credential that was sent twice then is one that no scheme reads.
//
// The body counts as known only where the route's configuration says so (context extension
// "gatehouse.body" = "sent", beside with_request_body), Envoy says that it is whole, and
// nothing in the check speaks against it.
package extauthz

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Options are what a [Server] is made with. The zero value is usable.
type Options struct {
	Peers   []netip.Prefix // who may ask; nil: loopback. Whoever opens a unix socket may: its mode says who can
	MaxBody int            // bytes of a body that a check can carry; zero: 1 MiB. A message may have 1 MiB more
	Timeout time.Duration  // of one check; zero: 5 s. Envoy's own is 200 ms unless its configuration says more
	Log     *slog.Logger   // nil: slog.Default

	// Seen is told of each check: the code of its denial, empty where it was allowed, and how
	// long it took. Nil: nobody is.
	Seen func(code string, took time.Duration)
}

const (
	defaultMaxBody = 1 << 20
	defaultTimeout = 5 * time.Second
	besideBody     = 1 << 20 // of a message: headers and attributes
	maxMetadata    = 64 << 10
	maxChecks      = 1000 // of one connection, at the same time
	bodiesRoom     = 64 << 20
)

// Server answers checks. It is safe for concurrent use.
type Server struct {
	auth.UnimplementedAuthorizationServer
	gate    *gate.Gate
	strips  map[string]bool // what the gate says of usual fields
	peers   []netip.Prefix
	timeout time.Duration
	log     *slog.Logger
	grpc    *grpc.Server
	health  *health.Server
	seen    func(code string, took time.Duration)
	room    atomic.Int64 // bytes that bodies of checks may still take, all together
}

// New makes a server. It answers grpc.health.v1.Health/Check too, for the server as a whole
// and for envoy.service.auth.v3.Authorization.
func New(g *gate.Gate, o Options) *Server {
	s := &Server{gate: g, peers: o.Peers, timeout: cmp.Or(o.Timeout, defaultTimeout), log: o.Log, seen: o.Seen, health: health.NewServer(), strips: map[string]bool{}}
	if s.peers == nil {
		s.peers = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.seen == nil {
		s.seen = func(string, time.Duration) {}
	}
	maxBody := cmp.Or(o.MaxBody, defaultMaxBody)
	s.room.Store(max(bodiesRoom, 4*int64(maxBody)))
	for _, name := range usualFields {
		s.strips[name] = g.Strips(name)
	}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxBody+besideBody),
		grpc.MaxConcurrentStreams(maxChecks),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.ConnectionTimeout(5*time.Second),
		// Envoy keeps its connections; its pings come every 30 s at most. One that brings no check for
		// long is told to end, which loses none (RFC 9113 section 6.8).
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 10 * time.Second, MaxConnectionIdle: 10 * time.Minute}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
	auth.RegisterAuthorizationServer(s.grpc, s)
	healthpb.RegisterHealthServer(s.grpc, probes{s.health})
	s.health.SetServingStatus(auth.Authorization_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	return s
}

// probes answer single questions about the server's health. A watcher's stream would have no
// end, and Drain waits for streams.
type probes struct{ *health.Server }

// Watch is not implemented; clients that know health checks go on without (gRPC health
// checking protocol).
func (probes) Watch(*healthpb.HealthCheckRequest, healthpb.Health_WatchServer) error {
	return status.Error(codes.Unimplemented, "use Check")
}

// Serve answers on ln until [Server.Drain]. Then it returns nil.
func (s *Server) Serve(ln net.Listener) error { return s.grpc.Serve(known{ln, s}) }

// known is a listener that closes connections of callers that are on no list, before anything
// is read of them.
type known struct {
	net.Listener
	server *Server
}

// Accept is that of net.Listener.
func (l known) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.server.mayAsk(conn.RemoteAddr()) {
			return conn, err
		}
		l.server.log.Warn("a connection of a gateway that is not known", "peer", conn.RemoteAddr().String())
		_ = conn.Close() // nothing was said
	}
}

// Drain says to health checks that the server goes, takes no new connection and no new check,
// and ends when what runs has been answered, or with ctx, whose error it returns.
func (s *Server) Drain(ctx context.Context) error {
	s.health.Shutdown()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return ctx.Err()
	}
}

func (s *Server) mayAsk(who net.Addr) bool {
	if _, unix := who.(*net.UnixAddr); unix {
		return true
	}
	at, err := netip.ParseAddrPort(who.String())
	if err != nil {
		return false
	}
	for _, n := range s.peers {
		if n.Contains(at.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// Check implements envoy.service.auth.v3.Authorization. A denial is an answer, and so is what
// nobody could decide, 503: an error would be one that Envoy's failure_mode_allow lets pass.
func (s *Server) Check(ctx context.Context, in *auth.CheckRequest) (out *auth.CheckResponse, _ error) {
	begin, code := time.Now(), codeUnavailable
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "request not decided", "panic", p, "stack", string(debug.Stack()))
			out = denied(&gate.Denial{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Title: "The request could not be decided", RetryAfter: time.Second}, nil, nil)
		}
		s.seen(code, time.Since(begin))
	}()
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > s.timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	held := bodySize(in)
	defer s.room.Add(held)
	if s.room.Add(-held) < 0 && held > 0 {
		return denied(busy(), nil, nil), nil
	}
	out, code = s.answer(ctx, in)
	return out, nil
}

// bodySize is how many bytes a check has of the client's body.
func bodySize(in *auth.CheckRequest) int64 {
	h := in.GetAttributes().GetRequest().GetHttp()
	return int64(len(h.GetRawBody()) + len(h.GetBody()))
}

func busy() *gate.Denial {
	return &gate.Denial{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Title: "Too much to do; try again", RetryAfter: time.Second}
}

const codeUnavailable = "unavailable"

// answer decides about a check. code is that of the denial; empty: it passes.
func (s *Server) answer(ctx context.Context, in *auth.CheckRequest) (out *auth.CheckResponse, code string) {
	q, more, flaw := s.question(in)
	var v gate.Verdict
	if flaw != "" {
		s.log.WarnContext(ctx, "a check that cannot be read", "flaw", flaw)
		v.Denial = forbidden("adapter_headers", "The gateway's question cannot be read")
	} else if _, plain := gate.CanonicalPath(q.Target); !plain && q.Target != "*" {
		v.Denial = forbidden(gatehouse.ReasonAmbiguousPath.Code(), "The path can be read in two ways")
	}
	if v.Denial != nil {
		return denied(v.Denial, nil, nil), v.Denial.Code
	}
	if v = s.gate.Judge(ctx, q, more, nil); v.Denial != nil {
		return denied(v.Denial, v.Decision, s.gate.Challenge(q, v.Denial)), v.Denial.Code
	}
	return s.allowed(&v, q), ""
}

func forbidden(code, title string) *gate.Denial {
	return &gate.Denial{Status: http.StatusForbidden, Code: code, Title: title}
}
