// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/spoe"
	"github.com/seed14544106/gatehouse/internal/spop"
)

// verifier grants what it is asked, after it has kept the request, unless it says otherwise.
type verifier struct {
	asked chan *gatehouse.Request
	hold  chan struct{} // nil: answers at once
	deny  gatehouse.Reason
	err   error
	panic bool
}

func (v *verifier) Verify(ctx context.Context, r *gatehouse.Request) (gatehouse.Decision, error) {
	if v.panic {
		panic("of the verifier")
	}
	if v.asked != nil {
		v.asked <- r
	}
	if v.hold != nil {
		select {
		case <-v.hold:
		case <-ctx.Done():
			return gatehouse.Decision{}, ctx.Err()
		}
	}
	if v.err != nil || v.deny != 0 {
		return gatehouse.Decision{Reason: v.deny}, v.err
	}
	scopes := gatehouse.Scopes{"a", "b"}
	if r.Header["Long"] != nil {
		scopes = gatehouse.Scopes{gatehouse.Scope(strings.Repeat("l", 1<<10))}
	}
	return gatehouse.Decision{Granted: true, Scheme: "bearer", Key: &gatehouse.Key{ID: "k", Tenant: "t", Scopes: scopes}, Principal: &gatehouse.Principal{UID: "u", Role: "r"}}, nil
}
func (*verifier) WantsBody(*gatehouse.Request) bool { return true }
func (*verifier) Challenges() gatehouse.Header {
	return gatehouse.Header{"Www-Authenticate": {"A", "B"}}
}

// haproxy speaks to an agent as HAProxy does.
type haproxy struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// serve starts an agent of a verifier.
func serve(t testing.TB, v *verifier, o spoe.Options) (*spoe.Agent, string) {
	t.Helper()
	g, err := gate.New(v, gate.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, l := spoe.New(g, o), listen(t)
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Drain(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return a, l.Addr().String()
}

func dial(t testing.TB, network, addr string) *haproxy {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &haproxy{t, c, bufio.NewReader(c)}
}

func (h *haproxy) send(kind spop.Type, flags uint32, stream uint64, payload []byte) {
	h.t.Helper()
	id := min(stream, 1)
	if _, err := h.Write(spop.Frame{Type: kind, Flags: flags, Stream: stream, ID: id, Payload: payload}.Append(nil)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *haproxy) next(kind spop.Type) spop.Frame {
	h.t.Helper()
	f, err := spop.ReadFrame(h.r, 1<<20)
	if err != nil || f.Type != kind || f.Flags != spop.Fin {
		h.t.Fatalf("got %+v, %v, want a frame of type %d", f, err, kind)
	}
	return f
}

// ends reads a disconnect and the end of the connection.
func (h *haproxy) ends(code spop.Code) {
	h.t.Helper()
	d, err := spop.ParseDisconnect(h.next(spop.AgentDisconnect).Payload)
	if err != nil || d.Code != code || d.Message == "" {
		h.t.Errorf("disconnect %+v, %v, want code %d", d, err, code)
	}
	if _, err := h.r.ReadByte(); !errors.Is(err, io.EOF) {
		h.t.Errorf("after the disconnect: %v", err)
	}
	_ = h.Close() // as HAProxy does
}

var greeting = spop.Hello{Versions: []string{"2.0"}, MaxFrame: 16380, Capabilities: []string{"pipelining", "async"}, Engine: "e"}

func (h *haproxy) greet(hello spop.Hello) spop.Welcome {
	h.t.Helper()
	h.send(spop.HAProxyHello, spop.Fin, 0, hello.Append(nil))
	w, err := spop.ParseWelcome(h.next(spop.AgentHello).Payload)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// args are the arguments of a good question; changes replace one, or add it.
func args(changes ...spop.Item) []spop.Item {
	list := spop.AppendPairs(nil, []spop.Pair{{Name: "host", Value: "a.test"}, {Name: "x-api-key", Value: "1"}, {Name: "x-api-key", Value: "2"}, {Name: ":path", Value: "/"}, {Name: "x_api_key", Value: "3"}})
	out := []spop.Item{
		{Name: "method", Value: spop.String("POST")}, {Name: "target", Value: spop.String("/a?b")}, {Name: "host", Value: spop.String("a.test")},
		{Name: "scheme", Value: spop.String("https")}, {Name: "src", Value: spop.Addr(netip.MustParseAddr("192.0.2.7"))}, {Name: "hdrs", Value: spop.Binary(list)},
		{Name: "waited", Value: spop.Bool(true)}, {Name: "body", Value: spop.Binary([]byte("body"))}, {Name: "body_size", Value: spop.Int64(4)},
	}
next:
	for _, c := range changes {
		for i := range out {
			if out[i].Name == c.Name {
				out[i].Value = c.Value
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

func question(args []spop.Item) []byte {
	return spop.Message{Name: "check-request", Args: args}.Append(nil)
}

// ask asks and returns the variables of the answer, the status as text.
func (h *haproxy) ask(payload []byte) map[string]string {
	h.t.Helper()
	h.send(spop.Notify, spop.Fin, 7, payload)
	f := h.next(spop.Ack)
	if f.Stream != 7 || f.ID != 1 {
		h.t.Errorf("the answer is for %d %d", f.Stream, f.ID)
	}
	actions, err := spop.ParseActions(f.Payload)
	if err != nil {
		h.t.Fatal(err)
	}
	vars := map[string]string{}
	for _, a := range actions {
		if _, twice := vars[a.Name]; twice || a.Op != spop.SetVar || a.Scope != spop.Transaction {
			h.t.Errorf("action %+v", a)
		}
		if vars[a.Name], _ = a.Value.Text(); a.Value.Kind == spop.KindInt32 {
			vars[a.Name] = strconv.FormatUint(a.Value.Num, 10)
		}
	}
	return vars
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &verifier{}, spoe.Options{MaxFrame: 8 << 10})
	h := dial(t, "tcp", addr)
	want := spop.Welcome{Version: "2.0", MaxFrame: 8 << 10, Capabilities: []string{"pipelining"}}
	if diff := cmp.Diff(want, h.greet(greeting)); diff != "" {
		t.Error(diff)
	}
	plain := greeting
	plain.MaxFrame, plain.Capabilities = 512, nil
	if diff := cmp.Diff(spop.Welcome{Version: "2.0", MaxFrame: 512}, dial(t, "tcp", addr).greet(plain)); diff != "" {
		t.Error(diff)
	}
	health := greeting
	health.HealthCheck = true
	h = dial(t, "tcp", addr)
	h.greet(health)
	if _, err := h.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after a health check: %v", err)
	}
}

func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &verifier{}, spoe.Options{})
	old, tiny := greeting, greeting
	old.Versions, tiny.MaxFrame = []string{"1.5"}, 255
	for name, row := range map[string]struct {
		kind    spop.Type
		flags   uint32
		stream  uint64
		payload []byte
		want    spop.Code
	}{
		"old":            {spop.HAProxyHello, spop.Fin, 0, old.Append(nil), spop.BadVersion},
		"tiny":           {spop.HAProxyHello, spop.Fin, 0, tiny.Append(nil), spop.BadFrameSize},
		"nothing":        {spop.HAProxyHello, spop.Fin, 0, nil, spop.NoVersion},
		"a piece":        {spop.HAProxyHello, 0, 0, greeting.Append(nil), spop.Invalid},
		"of a stream":    {spop.HAProxyHello, spop.Fin, 1, greeting.Append(nil), spop.Invalid},
		"no hello":       {spop.Notify, spop.Fin, 1, question(args()), spop.Invalid},
		"a large hello":  {spop.HAProxyHello, spop.Fin, 0, make([]byte, 64<<10), spop.TooBig},
		"a broken hello": {spop.HAProxyHello, spop.Fin, 0, []byte{200}, spop.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := dial(t, "tcp", addr)
			h.send(row.kind, row.flags, row.stream, row.payload)
			h.ends(row.want)
		})
	}
	for name, row := range map[string]struct {
		kind    spop.Type
		flags   uint32
		payload []byte
		want    spop.Code
	}{
		"a first fragment": {spop.Notify, 0, question(args()), spop.Fragmented},
		"a later fragment": {spop.Unset, spop.Fin, nil, spop.Fragmented},
		"a second hello":   {spop.HAProxyHello, spop.Fin, greeting.Append(nil), spop.Invalid},
		"an answer":        {spop.Ack, spop.Fin, nil, spop.Invalid},
		"no messages":      {spop.Notify, spop.Fin, []byte{5}, spop.Invalid},
		"a large frame":    {spop.Notify, spop.Fin, make([]byte, 16380), spop.TooBig},
		"goodbye":          {spop.HAProxyDisconnect, spop.Fin, spop.Disconnect{}.Append(nil), spop.Normal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := dial(t, "tcp", addr)
			h.greet(greeting)
			h.send(99, spop.Fin, 1, nil) // nobody knows it
			h.send(row.kind, row.flags, 1, row.payload)
			h.ends(row.want)
		})
	}
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request), hold: make(chan struct{})}
	_, addr := serve(t, v, spoe.Options{})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	const n = 20
	for i := range uint64(n) {
		h.send(spop.Notify, spop.Fin, i+1, question(args()))
		<-v.asked // the ones before it are not answered
	}
	close(v.hold)
	seen := map[uint64]bool{}
	for range n {
		seen[h.next(spop.Ack).Stream] = true
	}
	if len(seen) != n {
		t.Errorf("%d streams have an answer", len(seen))
	}
}

// lines are what is logged.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	log := make(lines, 1)
	_, addr := serve(t, &verifier{}, spoe.Options{Peers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Log: slog.New(slog.NewTextHandler(log, nil))})
	h := dial(t, "tcp", addr)
	if _, err := h.r.ReadByte(); err == nil {
		t.Error("a stranger has an answer")
	}
	if line := <-log; !strings.Contains(line, "a stranger") {
		t.Error(line)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	a, _ := serve(t, &verifier{}, spoe.Options{Peers: []netip.Prefix{}})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = a.Serve(l) }() // the agent of the TCP listener is drained
	h := dial(t, "unix", path)
	h.greet(greeting)
	if got := h.ask(question(args()))["status"]; got != "200" {
		t.Error(got)
	}
}
