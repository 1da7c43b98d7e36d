// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/testenv"
	schemebarong "github.com/seed14544106/gatehouse/scheme/barong"
)

// BenchmarkGate compares Barong's gate with a bare net/http handler that answers 200
// with three header fields. Each is a process of its own behind the same listener code,
// on processor 0; the clients are this process, on the others. Slices of a tenth of a
// second take turns, so that a noisy machine is noisy for both. Reported are the ratio
// of requests a second at 32 connections, the ratio of the median latencies, and that of the
// latencies that one request in a thousand exceeds, over all slices. Every answer is checked.
func BenchmarkGate(b *testing.B) {
	gateAddr, keys := benchStart(b, "gate")
	bareAddr, _ := benchStart(b, "bare")
	const slice = 100 * time.Millisecond
	for _, row := range []struct {
		name  string
		conns int
	}{{"connections=32", 32}, {"connections=1", 1}} {
		b.Run(row.name, func(b *testing.B) {
			bare, gate := benchClients(b, bareAddr, keys, row.conns), benchClients(b, gateAddr, keys, row.conns)
			drive(b, gate, slice) // the signed JWTs are there
			var bareRate, gateRate, bareP50, gateP50, bareAll, gateAll []float64
			for b.Loop() {
				n, took := drive(b, bare, slice)
				bareRate, bareP50, bareAll = append(bareRate, n), append(bareP50, median(took)), append(bareAll, took...)
				n, took = drive(b, gate, slice)
				gateRate, gateP50, gateAll = append(gateRate, n), append(gateP50, median(took)), append(gateAll, took...)
			}
			b.ReportMetric(late(gateAll), "gate-p99.9-µs")
			b.ReportMetric(late(gateAll)/late(bareAll), "p99.9-gate/bare")
			b.ReportMetric(median(gateRate), "gate-req/s")
			b.ReportMetric(median(bareRate), "bare-req/s")
			b.ReportMetric(median(gateRate)/median(bareRate), "gate/bare")
			b.ReportMetric(median(gateP50)/median(bareP50), "p50-gate/bare")
			b.ReportMetric(median(gateP50), "gate-p50-µs")
		})
	}
}

// benchServer names the environment variable that makes this test binary a server.
const benchServer = "GATEHOUSE_BENCH_SERVER"

// hello is what a server of the benchmark says first.
type hello struct {
	Addrs []string // of its faces
	Keys  []benchKey
}

// TestMain runs the tests, or a server of the benchmark.
func TestMain(m *testing.M) {
	if kind := os.Getenv(benchServer); kind != "" {
		if err := benchRun(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testenv.Main(m))
}

// benchStart starts a server of the benchmark on processor 0. It ends when its
// standard input does, which is when this process ends, however it ends.
func benchStart(b *testing.B, kind string) (addr string, keys []benchKey) {
	b.Helper()
	h, _ := benchBegin(b, benchPinned(b, kind))
	return h.Addrs[0], h.Keys
}

// benchPinned is a server of the benchmark on processor 0.
func benchPinned(b *testing.B, kind string) *exec.Cmd {
	cmd := exec.Command("taskset", "-c", "0", os.Args[0])
	cmd.Env = append(os.Environ(), benchServer+"="+kind, "GATEHOUSE_BENCH_DIR="+b.TempDir())
	return cmd
}

// benchBegin starts a server of the benchmark.
func benchBegin(b *testing.B, cmd *exec.Cmd) (h hello, pid int) {
	b.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if err := json.NewDecoder(out).Decode(&h); err != nil {
		b.Fatal(err)
	}
	return h, cmd.Process.Pid
}

// benchKinds are the servers of the benchmarks: each opens what it is made of, and fills in
// what it says of its keys.
var benchKinds = map[string]func(*hello) (faces []face, done func(), err error){
	"bare": func(*hello) ([]face, func(), error) {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Authorization", "Bearer x")
			h.Set("Cache-Control", "no-store")
			h.Set("Content-Type", "text/html; charset=utf-8")
		})
		return []face{benchFace(h, forStrangers)}, func() {}, nil
	},
	"gate": func(h *hello) ([]face, func(), error) { return benchDoor(h, 64) },
	"node": func(h *hello) ([]face, func(), error) { return benchDoor(h, 0) }, // it uses the keys of the first one
}

func benchFace(h http.Handler, l limits) face {
	return face{addr: "127.0.0.1:0", serves: func(ln net.Listener) server {
		return newWeb(ln, h, l, new(atomic.Bool), slog.New(slog.DiscardHandler))
	}}
}

// benchDoor is the public face of a process, with so many keys made.
func benchDoor(h *hello, keys int) ([]face, func(), error) {
	p, err := benchProcess(os.Getenv("GATEHOUSE_BENCH_DIR"))
	if err != nil {
		return nil, nil, err
	}
	if keys > 0 {
		h.Keys, err = benchKeys(p, keys)
	}
	return []face{benchFace(p.public(), forStrangers)}, p.close, err
}

// benchRun is the other process.
func benchRun(kind string) error {
	var h hello
	faces, done, err := benchKinds[kind](&h)
	if err != nil {
		return err
	}
	defer done()
	if kind != "bare" {
		go tendCollector(context.Background()) // as Run does
	}
	for i := range faces {
		f := &faces[i]
		if err := f.open(); err != nil {
			return err
		}
		f.prepare()
		defer func() { _ = f.server.(*web).Close() }()
		go func() { _ = f.serve() }()
		h.Addrs = append(h.Addrs, f.listener.Addr().String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func benchProcess(dir string) (*process, error) {
	c, err := config.Load("", nil, map[string]string{
		"data": filepath.Join(dir, "data"), "database_url": os.Getenv(benchDatabase), "redis_url": os.Getenv(benchRedis),
	})
	if err != nil {
		return nil, err
	}
	return assemble(context.Background(), &c, "bench", slog.New(slog.DiscardHandler))
}

// benchKeys makes keys of one account with a second factor, as the gate demands.
func benchKeys(p *process, n int) ([]benchKey, error) {
	ctx := context.Background()
	system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: p.tenant}
	a, err := p.directory.CreateAccount(ctx, system, account.NewAccount{Email: "bench@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		return nil, err
	}
	a.OTP = true
	if err := p.store.UpdateAccount(ctx, &a, account.Effects{}, gatehouse.NewEvent(system, time.Now(), "account.update", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		return nil, err
	}
	var keys []benchKey
	for range n {
		k, err := p.authority.Create(ctx, system, gatehouse.NewKey{Principal: a.ID, Schemes: []string{schemebarong.Name}})
		if err != nil {
			return nil, err
		}
		keys = append(keys, benchKey{ID: k.Key.ID, Secret: k.Secret.Reveal()})
	}
	return keys, nil
}

// benchClient is one connection that sends signed requests one after another.
type benchClient struct {
	conn net.Conn
	r    *bufio.Reader
	keys []*benchKey
	next int
	ask  func(c *benchClient, at time.Time) // puts a request into buf
	want []byte                             // is part of the answer's body; nil: it has none
	buf  []byte
	took []float64
}

type benchKey struct {
	ID, Secret string
	last       int64
}

func benchClients(b *testing.B, addr string, keys []benchKey, conns int) []*benchClient {
	b.Helper()
	var out []*benchClient
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		c := &benchClient{conn: conn, r: bufio.NewReader(conn), ask: (*benchClient).askBarong}
		for j := i; j < len(keys); j += conns {
			c.keys = append(c.keys, &keys[j])
		}
		out = append(out, c)
	}
	return out
}

// late is what one in a thousand exceeds.
func late(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)-1-len(all)/1000]
}

// drive lets every client send for a while. It returns requests a second and all latencies
// in microseconds.
func drive(b *testing.B, clients []*benchClient, span time.Duration) (rate float64, all []float64) {
	b.Helper()
	begin := time.Now()
	end := begin.Add(span)
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			c.took = c.took[:0]
			for time.Now().Before(end) {
				at := time.Now()
				if err := c.once(at); err != nil {
					b.Error(err)
					return
				}
				c.took = append(c.took, float64(time.Since(at).Nanoseconds())/1000)
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	for _, c := range clients {
		all = append(all, c.took...)
	}
	return float64(len(all)) / time.Since(begin).Seconds(), all
}

var okLine = []byte("HTTP/1.1 200 OK\r\n")

// askBarong is one request to Barong's gate, with a nonce of its own.
func (c *benchClient) askBarong(at time.Time) {
	k := c.keys[c.next%len(c.keys)]
	c.next++
	k.last = max(k.last+1, at.UnixMilli())
	nonce := strconv.FormatInt(k.last, 10)
	c.buf = fmt.Appendf(c.buf[:0], "GET /api/v2/auth/api/v2/barong/resource/users/me HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nX-Auth-Apikey: %s\r\nX-Auth-Nonce: %s\r\nX-Auth-Signature: %s\r\n\r\n",
		k.ID, nonce, schemebarong.Sign(k.Secret, nonce, k.ID))
}

// once sends one request and reads the answer.
func (c *benchClient) once(at time.Time) error {
	c.ask(c, at)
	if _, err := c.conn.Write(c.buf); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Equal(line, okLine) {
		return fmt.Errorf("answer %q", line)
	}
	for length := 0; ; {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			return c.body(length)
		}
	}
}

// body reads the body of an answer.
func (c *benchClient) body(length int) error {
	text, err := c.r.Peek(length)
	if err != nil {
		return err
	}
	if (length == 0) != (c.want == nil) || !bytes.Contains(text, c.want) {
		return fmt.Errorf("body %q", text)
	}
	_, err = c.r.Discard(length)
	return err
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// BenchmarkGateHandler is what the gate costs without a network: from the parsed
// request to the header of the answer.
func BenchmarkGateHandler(b *testing.B) {
	p, err := benchProcess(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.close)
	keys, err := benchKeys(p, 64)
	if err != nil {
		b.Fatal(err)
	}
	h := p.public()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := &keys[i%len(keys)]
		k.last = max(k.last+1, time.Now().UnixMilli()-2000)
		nonce := strconv.FormatInt(k.last, 10)
		r := httptest.NewRequest(http.MethodGet, "/api/v2/auth/api/v2/barong/resource/users/me", nil)
		r.Header["X-Auth-Apikey"] = []string{k.ID}
		r.Header["X-Auth-Nonce"] = []string{nonce}
		r.Header["X-Auth-Signature"] = []string{schemebarong.Sign(k.Secret, nonce, k.ID)}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
