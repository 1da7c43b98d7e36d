// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// shared is a folder for what all tests use. It goes with them.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "gatehouse-e2e-"); err != nil {
		panic(err)
	}
	code := testenv.Main(m)
	_ = os.RemoveAll(shared)
	os.Exit(code)
}

// patience is how long a test waits for what must happen. A loaded machine needs seconds.
const patience = 45 * time.Second

// raceAtOnce lets a program that looks for races end without the second of sleep that it
// takes otherwise.
const raceAtOnce = "GORACE=atexit_sleep_ms=0"

// racing are the tests whose servers look for races, if the tests do: together they go through all that a
// server does, alone and as one of several. Those of the others would find what these do and take several
// times the processor. With GATEHOUSE_NODES_FULL all do.
var racing = map[string]bool{
	"TestSeed": true, "TestNoSecretLeaks": true, "TestLimit": true, "TestNodesOnce": true, "TestNodesRolling": true,
}

// program is the path of gatehouse for a test.
func program(t *testing.T) string {
	t.Helper()
	if top, _, _ := strings.Cut(t.Name(), "/"); racing[top] || fullNodes {
		return testenv.RaceBinary(t)
	}
	return testenv.Binary(t)
}

// eventually calls ok every 10 ms until it is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// server is a running gatehouse serve.
type server struct {
	*testenv.Program
	t        *testing.T
	dir      string // working directory; the data is in gatehouse-data below it
	addr     string // of the API
	ops      string // base URL of the operators' face
	greeting string // what it printed to standard output at the start
	out, log *testenv.Output
}

var (
	listensOn = regexp.MustCompile(`listens on http://(\S+)\n`)
	opsOn     = regexp.MustCompile(`health on (http://\S+)\n`)
)

// serve starts gatehouse serve in dir and returns when it listens. It listens on addr;
// empty: on any free port. It is killed at the end of the test.
func serve(t *testing.T, dir, addr string, environ ...string) *server {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s := &server{t: t, dir: dir}
	s.begin(addr, environ)
	t.Cleanup(func() {
		s.Kill()
		if testenv.RaceFound(s.log.String()) {
			t.Error("gatehouse serve has a data race")
		}
		if t.Failed() {
			t.Logf("gatehouse serve in %s:\n%s\n%s", dir, s.out, s.log)
		}
	})
	eventually(t, "gatehouse serve listens", func() bool {
		s.greeting = s.out.String()
		api, ops := listensOn.FindStringSubmatch(s.greeting), opsOn.FindStringSubmatch(s.greeting)
		if api == nil || ops == nil {
			if s.lostAddress() {
				s.begin(addr, environ)
			}
			s.mustRun()
			return false
		}
		s.addr, s.ops = api[1], ops[1]
		return true
	})
	return s
}

// begin starts a process.
func (s *server) begin(addr string, environ []string) {
	s.t.Helper()
	s.out, s.log = new(testenv.Output), new(testenv.Output)
	cmd := exec.Command(program(s.t), "serve", "--listen", addr, "--ops-listen", "127.0.0.1:0")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.out, s.log
	cmd.Env = append([]string{"GATEHOUSE_TRUSTED_PROXIES=127.0.0.1/32", raceAtOnce}, environ...)
	var err error
	if s.Program, err = testenv.Start(cmd); err != nil {
		s.t.Fatal(err)
	}
}

// lostAddress reports whether the process ended because, between two of them, somebody
// else's connection was given the port.
func (s *server) lostAddress() bool {
	select {
	case <-s.Done:
		return strings.Contains(s.log.String(), "address already in use")
	default:
		return false
	}
}

// mustRun fails the test if the process has ended.
func (s *server) mustRun() {
	s.t.Helper()
	select {
	case <-s.Done:
		s.t.Fatalf("gatehouse serve ended: %v\n%s\n%s", s.Err, s.out, s.log)
	default:
	}
}

// restart starts another process on the data and the address of one that has ended.
func (s *server) restart() *server {
	s.t.Helper()
	return serve(s.t, s.dir, s.addr, s.Cmd.Env...)
}

func (s *server) data() string { return filepath.Join(s.dir, "gatehouse-data") }

// client speaks to the admin socket.
func (s *server) client() *client.Client {
	return client.Socket(filepath.Join(s.data(), api.SocketName))
}

// gatehouse runs a command on the server's data and returns what it printed.
func (s *server) gatehouse(stdin string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(program(s.t), args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, []string{raceAtOnce}, strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = errors.New(err.Error() + ": " + string(exit.Stderr))
		}
		s.t.Fatalf("gatehouse %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// signingKeys waits until the key for JWTs is made, which takes the first start a while.
func (s *server) signingKeys() {
	s.t.Helper()
	eventually(s.t, "the RSA key is published", func() bool {
		resp, err := http.Get("http://" + s.addr + "/.well-known/jwks.json")
		if err != nil {
			s.t.Fatal(err)
		}
		return strings.Contains(body(s.t, resp), "RS256")
	})
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
