// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/extauthz"
)

// A message has room for a body of the limit and a megabyte beside it.
func TestSize(t *testing.T) {
	t.Parallel()
	_, conn := serve(t, gateOf(t, &judge{say: granted}, gate.Options{}), extauthz.Options{MaxBody: 1 << 10}, loopback(t))
	c := auth.NewAuthorizationClient(conn)
	r := client{method: "POST", target: "/"}
	if code := ask(t, c, sent(r.check(true), strings.Repeat("x", 1<<20), true)); code != "granted" {
		t.Error(code)
	}
	if out, err := c.Check(t.Context(), sent(r.check(true), strings.Repeat("x", 1<<20+1<<10+1), true)); status.Code(err) != codes.ResourceExhausted {
		t.Error(out, err)
	}
	if code := ask(t, c, r.check(true)); code != "granted" {
		t.Errorf("after one that is too large: %s", code)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	_, conn := serve(t, gateOf(t, &judge{}, gate.Options{}), extauthz.Options{}, loopback(t))
	c := healthpb.NewHealthClient(conn)
	for name, want := range map[string]codes.Code{"": codes.OK, "envoy.service.auth.v3.Authorization": codes.OK, "other": codes.NotFound} {
		out, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if status.Code(err) != want || err == nil && out.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", name, out, err)
		}
	}
	watch, err := c.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("watch: %v", err)
	}
}

// held is a server with one check that is being answered.
func held(t *testing.T) (j *judge, s *extauthz.Server, ln net.Listener, code <-chan string) {
	t.Helper()
	j = &judge{say: granted, hold: make(chan struct{}), began: make(chan struct{}, 1)}
	ln = loopback(t)
	s, conn := serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{}, ln)
	answer := make(chan string, 1)
	go func() {
		out, err := auth.NewAuthorizationClient(conn).Check(context.Background(), plain().check(true))
		if err != nil {
			answer <- status.Code(err).String()
			return
		}
		answer <- codeOf(t, out)
	}()
	<-j.began
	return j, s, ln, answer
}

// What runs is answered, and nothing new is taken.
func TestDrain(t *testing.T) {
	t.Parallel()
	j, s, ln, code := held(t)
	done := make(chan error, 1)
	go func() { done <- s.Drain(context.Background()) }()
	for { // until the listener is closed, which is the first that it does
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	if out, err := auth.NewAuthorizationClient(dial(t, ln.Addr())).Check(t.Context(), plain().check(true)); status.Code(err) != codes.Unavailable {
		t.Errorf("a new check: %v %v", out, err)
	}
	select {
	case err := <-done:
		t.Fatalf("drained with a check that runs: %v", err)
	default:
	}
	close(j.hold)
	if got := <-code; got != "granted" {
		t.Error(got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := extauthz.Health(s); got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Error(got)
	}
}

// A check that does not end does not keep the process.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	_, s, _, code := held(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := <-code; got != codes.Unavailable.String() {
		t.Error(got)
	}
}

// The connection of who is on no list ends before anything is read.
func TestPeers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		peers []netip.Prefix
		known bool
	}{
		"loopback":    {nil, true},
		"listed":      {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}, true},
		"not listed":  {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, false},
		"nobody":      {[]netip.Prefix{}, false},
		"IPv6's only": {[]netip.Prefix{netip.MustParsePrefix("::1/128")}, false},
	} {
		ln, j := loopback(t), &judge{say: granted}
		_, conn := serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{Peers: row.peers}, ln)
		want := codes.Unavailable
		if row.known {
			want = codes.OK
		}
		_, err := auth.NewAuthorizationClient(conn).Check(t.Context(), plain().check(true))
		_, probe := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if asked, _ := j.questions(); status.Code(err) != want || status.Code(probe) != want || (asked == 0) == row.known {
			t.Errorf("%s: %v, %v, asked %d times", name, err, probe, asked)
		}
		if row.known {
			continue
		}
		raw, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.SetReadDeadline(time.Now().Add(20 * time.Second)) // the read says what is wrong
		if n, err := raw.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: a stranger who says nothing is kept: %d, %v", name, n, err)
		}
		_ = raw.Close()
	}
}

// Bodies of all checks together are bounded. Who has none is answered all the same.
func TestBodiesTogether(t *testing.T) {
	t.Parallel()
	j := &judge{say: granted, hold: make(chan struct{}), began: make(chan struct{}, 3)}
	s, conn := serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{}, loopback(t))
	extauthz.SetRoom(s, 150)
	c := auth.NewAuthorizationClient(conn)
	with := func(size int) *auth.CheckRequest {
		return sent(client{method: "POST", target: "/"}.check(true), strings.Repeat("x", size), true)
	}
	answer := make(chan string, 2)
	for _, in := range []*auth.CheckRequest{with(100), with(0)} {
		go func() {
			out, err := c.Check(context.Background(), in)
			if err != nil {
				answer <- err.Error()
				return
			}
			answer <- codeOf(t, out)
		}()
		<-j.began
	}
	if code := ask(t, c, with(51)); code != "unavailable" {
		t.Errorf("without room: %s", code)
	}
	close(j.hold)
	for range 2 {
		if code := <-answer; code != "granted" {
			t.Error(code)
		}
	}
	if code := ask(t, c, with(150)); code != "granted" {
		t.Errorf("with room again: %s", code)
	}
}

// A socket of the file system is open to whom its mode lets in.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "x") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	_, conn := serve(t, gateOf(t, &judge{say: granted}, gate.Options{}), extauthz.Options{Peers: []netip.Prefix{}}, ln)
	if code := ask(t, auth.NewAuthorizationClient(conn), plain().check(true)); code != "granted" {
		t.Error(code)
	}
}

// A check ends with the server's patience, as a denial, or with the caller's.
func TestDeadline(t *testing.T) {
	t.Parallel()
	j := &judge{say: granted, hold: make(chan struct{})}
	_, conn := serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{Timeout: time.Millisecond}, loopback(t))
	if code := ask(t, auth.NewAuthorizationClient(conn), plain().check(true)); code != "unavailable" {
		t.Error(code)
	}
	_, conn = serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{}, loopback(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	out, err := auth.NewAuthorizationClient(conn).Check(ctx, plain().check(true))
	if status.Code(err) != codes.DeadlineExceeded && (err != nil || codeOf(t, out) != "unavailable") {
		t.Error(out, err)
	}
}

// broken is a verifier with a bug.
type broken struct{ judge }

func (*broken) Verify(context.Context, *gatehouse.Request) (gatehouse.Decision, error) {
	panic("a bug")
}

// A bug denies the one request, and the process lives.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, conn := serve(t, gateOf(t, &broken{}, gate.Options{}), extauthz.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, loopback(t))
	for range 2 {
		if code := ask(t, auth.NewAuthorizationClient(conn), plain().check(true)); code != "unavailable" {
			t.Error(code)
		}
	}
	if !strings.Contains(log.String(), "a bug") {
		t.Error(log.String())
	}
}

// bytesAsTheyAre is a codec for messages that no generated code would write.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Name() string { return "proto" }
func (bytesAsTheyAre) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (bytesAsTheyAre) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// A message that is none, such as one with text that is no UTF-8, is an error and no grant.
func TestBrokenMessage(t *testing.T) {
	t.Parallel()
	j := &judge{say: granted}
	_, conn := serve(t, gateOf(t, j, gate.Options{}), extauthz.Options{}, loopback(t))
	for name, message := range map[string][]byte{
		"no UTF-8": {0x0a, 0x09, 0x22, 0x07, 0x12, 0x05, 0x22, 0x03, '/', 0xff, 'a'}, // attributes.request.http.path
		"cut":      {0x0a, 0x09, 0x22},
	} {
		var out []byte
		err := conn.Invoke(t.Context(), auth.Authorization_Check_FullMethodName, &message, &out, grpc.ForceCodecV2(bytesAsTheyAre{}))
		if asked, _ := j.questions(); status.Code(err) != codes.Internal || asked != 0 {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
	}
}
