// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/internal/testenv"
	schemebarong "github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
)

// BenchmarkForwardAuth compares the checks of gateways with a bare net/http handler that
// answers 200 with as many header fields, in the way of [BenchmarkGate]: what nginx asks with
// deploy/nginx/nginx.conf, and what services ask of /v1/verify. GATEHOUSE_BENCH_KEYS says how
// many keys there are (default 20,000; the bars are meant for 1,000,000), half of them for
// each scheme. The rows: another key at random each time; a few keys, whose JWTs are handed
// out again; a gate that makes no JWT. Beside the ratio of rates stands that of the processor
// time which the servers took for a request: others on the machine take nothing of that.
//
// In the rows at 5,000 requests a second a request is sent when it is due, whether those
// before it are answered or not, and its latency counts from then.
func BenchmarkForwardAuth(b *testing.B) {
	openGateBench(b, benchPinned(b, "gates")).run(b, []gateRow{
		{"5000/hot/bearer", faceGate, 64, bearer.Name, 0, true, 1.75},
		{"random/bearer", faceGate, 0, bearer.Name, 0, false, 0},
		{"random/barong", faceGate, 0, schemebarong.Name, 0, false, 0},
		{"hot/bearer", faceGate, 64, bearer.Name, 0.5, false, 0},
		{"hot/barong", faceGate, 64, schemebarong.Name, 0.5, false, 0},
		{"tokens=off/bearer", faceSilent, 0, bearer.Name, 0, false, 0},
		{"tokens=off/barong", faceSilent, 0, schemebarong.Name, 0, false, 0},
		{"verify/random", faceAPI, 0, bearer.Name, 0, false, 0},
		{"verify/hot", faceAPI, 64, bearer.Name, 0.4, false, 0},
		{"5000/tokens=off/bearer", faceSilent, 0, bearer.Name, 0, true, 0},
	})
}

// BenchmarkForwardAuthShared is [BenchmarkForwardAuth] on a node that shares PostgreSQL with
// others, once it keeps the rows of all keys.
func BenchmarkForwardAuthShared(b *testing.B) {
	node := benchPinned(b, "gates")
	node.Env = append(node.Env, benchDatabase+"="+testenv.Postgres(b))
	s := openGateBench(b, node)
	s.kept = true
	s.run(b, []gateRow{
		{"random/bearer", faceGate, 0, bearer.Name, 0, false, 0},
		{"tokens=off/bearer", faceSilent, 0, bearer.Name, 0.5, false, 0},
		{"verify", faceAPI, 0, bearer.Name, 0, false, 0},
	})
}

type gateRow struct {
	name   string
	face   int
	keys   int // that take turns; zero: all
	scheme string
	bar    float64 // of rates; zero: they are told, nothing is demanded
	paced  bool    // 5,000 requests a second; else as many as there can be
	late   float64 // bar of the latencies that one request in a hundred exceeds; zero: told
}

func (s *gateBench) run(b *testing.B, rows []gateRow) {
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			bare, gate := s.clients(b, s.bare, 0, row.scheme, row.keys), s.clients(b, s.gate, row.face, row.scheme, row.keys)
			if row.face == faceAPI {
				for i := range bare {
					bare[i].ask, gate[i].ask, gate[i].want = s.askAPI(bare[i].ask), s.askAPI(gate[i].ask), []byte(`"granted":true`)
				}
			}
			drive(b, bare, 100*time.Millisecond) // the server waits for the first request of a connection no longer than for a header
			for s.kept && gate[0].next < s.total/2/len(gate) {
				drive(b, gate, time.Second)
			}
			if row.paced {
				s.paced(b, bare, gate, row.late)
				return
			}
			s.closed(b, bare, gate, row.bar)
		})
	}
}

// gateBench is the two servers.
type gateBench struct {
	bare, gate benchSite
	total      int     // keys
	kept       bool    // each key is asked for before anything is measured
	last       []int64 // nonces, by key
}

type benchSite struct {
	hello
	pid int
}

// The faces of the server with the gates.
const (
	faceGate   = iota
	faceSilent // a gate that makes no JWT
	faceAPI
)

func openGateBench(b *testing.B, gates *exec.Cmd) *gateBench {
	s := &gateBench{total: gateKeys()}
	s.last = make([]int64, s.total)
	s.gate.hello, s.gate.pid = benchBegin(b, gates)
	s.bare.hello, s.bare.pid = benchBegin(b, benchPinned(b, "bare-gates"))
	return s
}

// closed drives both in turns, each connection sending when it has its answer.
func (s *gateBench) closed(b *testing.B, bare, gate []*benchClient, bar float64) {
	const slice = 100 * time.Millisecond
	drive(b, gate, slice) // what is made once is there
	sites := [2]benchSite{s.bare, s.gate}
	var rates, p50, cpu, sent [2][]float64
	for b.Loop() {
		for i, clients := range [2][]*benchClient{bare, gate} {
			before := sites[i].processor(b)
			rate, took := drive(b, clients, slice)
			rates[i], p50[i], sent[i] = append(rates[i], rate), append(p50[i], median(took)), append(sent[i], float64(len(took)))
			cpu[i] = append(cpu[i], sites[i].processor(b)-before)
		}
	}
	each := func(i int) float64 { return sum(cpu[i]) / sum(sent[i]) }
	ratio := median(rates[1]) / median(rates[0])
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	b.ReportMetric(median(rates[1]), "gate-req/s")
	b.ReportMetric(median(rates[0]), "bare-req/s")
	b.ReportMetric(ratio, "gate/bare")
	b.ReportMetric(median(p50[1])/median(p50[0]), "p50-gate/bare")
	b.ReportMetric(each(1), "gate-cpu-µs")
	b.ReportMetric(each(0), "bare-cpu-µs")
	b.ReportMetric(each(0)/each(1), "cpu-bare/gate")
	if saved := each(0) / each(1); max(ratio, saved) < bar && s.total >= 1_000_000 {
		b.Errorf("%.2f of the bare handler's requests a second, %.2f of them for its processor time, want %v at least", ratio, saved, bar)
	}
}

// paced sends 5,000 requests a second to both in turns.
func (s *gateBench) paced(b *testing.B, bare, gate []*benchClient, bar float64) {
	const slice = 500 * time.Millisecond
	// Who waits for the next moment must not wait for the clients on the same processor.
	before := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(before)
	pace(b, gate, slice)
	var all [2][]float64
	for b.Loop() {
		all[0] = append(all[0], pace(b, bare, slice)...)
		all[1] = append(all[1], pace(b, gate, slice)...)
	}
	p99 := func(i int) float64 {
		slices.Sort(all[i])
		return all[i][len(all[i])-1-len(all[i])/100]
	}
	ratio := p99(1) / p99(0)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p99(1), "gate-p99-µs")
	b.ReportMetric(p99(0), "bare-p99-µs")
	b.ReportMetric(ratio, "p99-gate/bare")
	b.ReportMetric(median(all[1])/median(all[0]), "p50-gate/bare")
	if bar > 0 && ratio > bar && s.total >= 1_000_000 {
		b.Errorf("one request in a hundred takes %.0f µs, %.2f times as long as with the bare handler, want %v at most", p99(1), ratio, bar)
	}
}

// pace sends a request every 200 µs, for a while, by whichever client is free, and returns
// the latencies in microseconds since each was due.
func pace(b *testing.B, clients []*benchClient, span time.Duration) (all []float64) {
	b.Helper()
	const every = 200 * time.Microsecond
	due := make(chan time.Time, span/every)
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			c.took = c.took[:0]
			for at := range due {
				if err := c.once(time.Now()); err != nil {
					b.Error(err)
					return
				}
				c.took = append(c.took, float64(time.Since(at).Nanoseconds())/1000)
			}
		})
	}
	go func() {
		defer close(due)
		runtime.LockOSThread() // and never unlock: the thread is not used again
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, 1, 0)
		for at, end := time.Now(), time.Now().Add(span); at.Before(end); at = at.Add(every) {
			// The timers of the runtime are for milliseconds.
			if rest := syscall.NsecToTimespec(time.Until(at).Nanoseconds()); rest.Nsec > 0 {
				_ = syscall.Nanosleep(&rest, nil)
			}
			due <- at
		}
	}()
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	for _, c := range clients {
		all = append(all, c.took...)
	}
	return all
}

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

// processor is how many microseconds of processor time the server has taken. The system
// counts in hundredths of a second.
func (s benchSite) processor(b *testing.B) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, first := strconv.Atoi(fields[11])
	system, second := strconv.Atoi(fields[12])
	if first != nil || second != nil {
		b.Fatal(first, second)
	}
	return float64(user+system) * 1e4
}

// clients are 32 connections that send, as nginx does, checks of requests with keys of their
// own.
func (s *gateBench) clients(b *testing.B, site benchSite, face int, scheme string, keys int) []*benchClient {
	const conns = 32
	if keys == 0 {
		keys = s.total / 2
	}
	clients := benchClients(b, site.Addrs[face], nil, conns)
	for i, c := range clients {
		c.ask = func(c *benchClient, at time.Time) {
			nth := c.next
			c.next++
			if !s.kept || nth >= keys/conns {
				nth = rand.IntN(keys / conns)
			}
			key := i + conns*nth // of the scheme's
			c.buf = append(c.buf[:0], nginxCheck...)
			if scheme == bearer.Name {
				c.buf = fmt.Appendf(c.buf, "Authorization: Bearer %s\r\n\r\n", bearerToken(2*key))
				return
			}
			key = 2*key + 1
			s.last[key] = max(s.last[key]+1, at.UnixMilli())
			id, secret := gateKey(key)
			nonce := strconv.FormatInt(s.last[key], 10)
			c.buf = fmt.Appendf(c.buf, "X-Auth-Apikey: %s\r\nX-Auth-Nonce: %s\r\nX-Auth-Signature: %s\r\n\r\n", id, nonce, schemebarong.Sign(secret, nonce, id))
		}
	}
	return clients
}

// nginxCheck is what nginx sends before the client's own fields.
const nginxCheck = "GET /v1/authz/nginx HTTP/1.1\r\nX-Original-Method: GET\r\nX-Original-URI: /orders/7?x=1\r\nX-Original-Host: api.example.com\r\n" +
	"X-Original-Proto: http\r\nX-Original-Addr: 203.0.113.7\r\nHost: gatehouse\r\nX-Original-Body: none\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"

// askAPI asks /v1/verify what nginx asks, for a service with a key of its own.
func (s *gateBench) askAPI(nginx func(*benchClient, time.Time)) func(*benchClient, time.Time) {
	return func(c *benchClient, at time.Time) {
		nginx(c, at)
		_, token, _ := strings.Cut(string(c.buf), "Bearer ")
		body := `{"method":"GET","scheme":"http","authority":"api.example.com","target":"/orders/7?x=1","peer":"203.0.113.7","headers":{"Authorization":["Bearer ` +
			strings.TrimSpace(token) + `"]}}`
		c.buf = fmt.Appendf(c.buf[:0], "POST /v1/verify HTTP/1.1\r\nHost: gatehouse\r\nUser-Agent: service\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			s.gate.Keys[0].Secret, len(body), body)
	}
}

// gateKeys is how many keys there are.
func gateKeys() int {
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_BENCH_KEYS")); err == nil {
		return max(n, 1000)
	}
	return 20_000
}

// gateKey is the key of a number: those with even ones are for bearer, the others for barong.
// Both processes know them, so that a million need not be told.
func gateKey(i int) (id, secret string) {
	sum := sha256.Sum256(strconv.AppendInt(nil, int64(i), 10))
	text := hex.EncodeToString(sum[:])
	return text[:16], text[16:48]
}

func bearerToken(i int) string {
	id, secret := gateKey(i)
	return "bench_" + id + "_" + secret
}

func init() {
	benchKinds["gates"], benchKinds["bare-gates"] = benchGates, benchBareGates
}

// benchBareGates answers with the fields of a gate's answer.
func benchBareGates(*hello) ([]face, func(), error) {
	token := "Bearer " + strings.Repeat("x", 600)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Authorization", token)
		h.Set("Cache-Control", "no-store")
		h.Set(gate.HeaderKey, "6b86b273ff34fce1")
		h.Set(gate.HeaderSubject, "ID0000000001")
		h.Set(gate.HeaderRole, "member")
		h.Set(gate.HeaderTenant, "default")
		h.Set(gate.HeaderScopes, "orders:read")
		h.Set(gate.HeaderScheme, "bearer")
		h.Set(gate.HeaderBody, "unavailable")
		h.Set(forwardauth.HeaderStatus, "200")
		h.Set(forwardauth.HeaderError, "")
	})
	return []face{benchFace(h, forGateways)}, func() {}, nil
}

// benchGates is a process with the keys, its gate as the process opens it, one that makes no
// JWT, and the public face. Where GATEHOUSE_BENCH_PROFILE names a file it leaves a profile
// there.
func benchGates(h *hello) ([]face, func(), error) {
	ctx, cancel := context.WithCancel(context.Background())
	c, err := config.Load("", nil, map[string]string{
		"data": filepath.Join(os.Getenv("GATEHOUSE_BENCH_DIR"), "data"), "database_url": os.Getenv(benchDatabase), "gate.listen": "127.0.0.1:0",
		"public_url": "https://keys.example.com",
	})
	if err != nil {
		return nil, cancel, err
	}
	p, err := assemble(ctx, &c, "bench", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, cancel, err
	}
	if err := fillGates(ctx, p, h); err != nil {
		return nil, cancel, err
	}
	for i := range gateKeys() { // or the first to read a page of the file has the system map it
		id, _ := gateKey(i)
		if _, err := p.store.Lookup(ctx, id); err != nil {
			return nil, cancel, err
		}
	}
	o, err := p.gateOptions(&c, p.log)
	if err != nil {
		return nil, cancel, err
	}
	o.Tokens = nil
	silent, err := gate.New(p.authority, o)
	if err != nil {
		return nil, cancel, err
	}
	go every(ctx, flushUses, p.flushUses)
	go every(ctx, observe.UsageInterval, p.flushUsage)
	faces := append(p.gateFaces(&c)[:1], benchFace(watchChecks(forwardauth.New(silent, forwardauth.Options{Log: p.log}), p.gates.seen), forGateways), benchFace(p.public(), forStrangers))
	done := func() { cancel(); p.close() }
	name := os.Getenv("GATEHOUSE_BENCH_PROFILE")
	if name == "" {
		return faces, done, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, done, err
	}
	return faces, func() { pprof.StopCPUProfile(); _ = f.Close(); done() }, pprof.StartCPUProfile(f)
}

// fillGates makes the keys of one account, and one that may ask the API.
func fillGates(ctx context.Context, p *process, h *hello) error {
	system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: p.tenant}
	a, err := p.directory.CreateAccount(ctx, system, account.NewAccount{Email: "bench@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		return err
	}
	k, err := p.authority.Create(ctx, system, gatehouse.NewKey{Principal: a.ID, Schemes: []string{bearer.Name}, Scopes: gatehouse.Scopes{gatehouse.ScopeKeysVerify}})
	if err != nil {
		return err
	}
	h.Keys = []benchKey{{ID: k.Key.ID, Secret: k.Token.Reveal()}}
	for next, total := 0, gateKeys(); next < total; {
		var batch []gatehouse.Foreign
		for ; next < total && len(batch) < gatehouse.MaxAdopt; next++ {
			id, secret := gateKey(next)
			f := gatehouse.Foreign{ID: id, Principal: a.ID, Secret: gatehouse.NewSecret(secret), Scheme: bearer.Name, Prefix: "bench", Scopes: gatehouse.Scopes{"orders:read"}}
			if next%2 == 1 {
				f.Scheme, f.Prefix = schemebarong.Name, ""
			}
			batch = append(batch, f)
		}
		answers, written, err := p.authority.Adopt(ctx, system, batch, false)
		if err != nil || !written {
			return fmt.Errorf("adopt: %v %w", answers, err)
		}
	}
	return nil
}
