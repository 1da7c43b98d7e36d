// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// sure is the flag of commands that cannot be taken back.
type sure struct {
	Yes bool `short:"y" help:"Do not ask whether it is meant. Needed where nobody can be asked."`
}

// confirm asks on a terminal whether a command is meant; elsewhere --yes says so.
func (s *sure) confirm(e *env, question string) error {
	switch {
	case s.Yes:
		return nil
	case !terminal(e.In):
		return usageError{errors.New("this cannot be taken back: --yes is needed where nobody can be asked")}
	}
	_, _ = fmt.Fprintf(e.Err, "%s This cannot be taken back. Type yes: ", question)
	if !isYes(e.In) {
		return errors.New("nothing was done")
	}
	return nil
}

// isYes reads an answer byte by byte: what follows its line is for the command.
func isYes(r io.Reader) bool {
	var line []byte
	for b := make([]byte, 1); len(line) < 16; line = append(line, b[0]) {
		if n, err := r.Read(b); n == 0 && err != nil || b[0] == '\n' {
			break
		}
	}
	return strings.EqualFold(strings.TrimSpace(string(line)), "yes")
}

// terminal reports whether a stream is a terminal, and not just nothing.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nothing, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, nothing)
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	w           io.Writer
	done, total int
}

func newProgress(w io.Writer, total int) progress {
	if !terminal(w) {
		return progress{}
	}
	return progress{w: w, total: max(total, 1)}
}

const progressWidth = 40

func (p *progress) step() {
	if p.done++; p.w == nil || p.done*100/p.total == (p.done-1)*100/p.total {
		return
	}
	full := min(p.done*progressWidth/p.total, progressWidth)
	_, _ = fmt.Fprintf(p.w, "\r[%s%s] %d of %d", strings.Repeat("=", full), strings.Repeat(" ", progressWidth-full), p.done, p.total)
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.w != nil && p.done > 0 {
		_, _ = fmt.Fprintln(p.w)
	}
}
