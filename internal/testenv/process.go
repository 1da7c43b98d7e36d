// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attempts is how often a server is started anew because another process took its port.
const attempts = 3

// process is a server that this process started and that does not outlive it.
type process struct {
	*Program
	log string // the file that holds its output
}

// start runs cmd as the account, or as this process does if it is nil. Its output is appended to the
// file log. The signal dying reaches it when this process dies (on Linux).
func start(cmd *exec.Cmd, log string, as *account, dying syscall.Signal) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.credential()}
	p, err := launch(cmd, dying)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return &process{Program: p, log: log}, nil
}

// stop sends the signal, and kills the process if it has not ended five seconds later.
func (p *process) stop(sig syscall.Signal) {
	_ = p.Cmd.Process.Signal(sig) // fails only if it has ended
	late := time.NewTimer(5 * time.Second)
	defer late.Stop()
	select {
	case <-p.Done:
	case <-late.C:
		p.Kill()
	}
}

// output is what the process has printed so far, at most the last 4 KiB.
func (p *process) output() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-4096):]))
}

// lostPort reports whether the process ended because another one has its port.
func (p *process) lostPort() bool {
	select {
	case <-p.Done:
		return strings.Contains(strings.ToLower(p.output()), "address already in use")
	default:
		return false
	}
}

// account is an account of the operating system that servers run as. nil is the one of this process.
type account struct{ uid, gid int }

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// unprivileged returns the first of the named accounts that exists, or nil if this process is not root.
func unprivileged(names ...string) (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("look up account %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, fmt.Errorf("look up account %s: %w", name, err)
		}
		return &account{uid: uid, gid: gid}, nil
	}
	return nil, fmt.Errorf("look up accounts: none of %s exists", strings.Join(names, ", "))
}

// program finds an executable in PATH or else in the folders. The error names the Debian package.
func program(name, debian string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range folders {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find %s: %w", name, err)
		}
	}
	return "", fmt.Errorf("%s is not installed (Debian package %s); run: make deps", name, debian)
}
