// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bufio"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// BenchmarkColdStart is the time from starting the process in an empty directory to
// its first answer, with the database, the keyring and the tables made on the way.
// The RSA key is made in the background and is not waited for.
func BenchmarkColdStart(b *testing.B) {
	binary := testenv.Binary(b)
	var total time.Duration
	for b.Loop() {
		cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
		cmd.Dir = b.TempDir()
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			b.Fatal("the server said nothing")
		}
		_, base, _ := strings.Cut(lines.Text(), " listens on ")
		resp, err := http.Get(base + "/api/v2/barong/identity/ping")
		if err != nil {
			b.Fatal(err)
		}
		total += time.Since(begin)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
		http.DefaultClient.CloseIdleConnections()
		b.StopTimer()
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		b.StartTimer()
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/start")
}
