// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Program is a process that this one started and that does not outlive it (on Linux).
type Program struct {
	Cmd  *exec.Cmd
	Done chan struct{} // closed when it has ended
	Err  error         // how it ended, as of [exec.Cmd.Wait]; read after Done
}

// Start runs cmd.
func Start(cmd *exec.Cmd) (*Program, error) { return launch(cmd, syscall.SIGKILL) }

// launch runs cmd, which gets the signal dying when this process dies.
func launch(cmd *exec.Cmd, dying syscall.Signal) (*Program, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	dieWithParent(cmd.SysProcAttr, dying)
	p := &Program{Cmd: cmd, Done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel takes the thread that forked for the parent. It has to live as long as the child.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.Err = cmd.Wait()
			close(p.Done)
		}
	}()
	return p, <-started
}

// Kill ends the program as kill -9 does, and waits until it has ended.
func (p *Program) Kill() {
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.Done
}

// Output is what a program has printed. The zero value is empty. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is what has been printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
