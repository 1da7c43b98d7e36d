// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Outbox writes each mail to a file of its own, for an operator without a mail server
// and for tests. It is safe for concurrent use, also by several processes.
type Outbox struct {
	dir  string
	from string
}

// NewOutbox makes the directory, if it is not there, and takes everyone else's access
// to it away (mode 0700). [ErrSender], or an error of the file system.
func NewOutbox(dir, from string) (*Outbox, error) {
	if _, err := compose(from, from, "", ""); err != nil {
		return nil, fmt.Errorf("outbox: %w", ErrSender)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make outbox: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close outbox: %w", err)
	}
	return &Outbox{dir: dir, from: from}, nil
}

// Send writes one mail as a message of RFC 5322 to a file of mode 0600, whose name ends
// in ".eml" and sorts by time. The file appears with its whole text. [ErrRecipient], or
// an error of the file system.
func (o *Outbox) Send(_ context.Context, to, subject, text string) error {
	m, err := compose(o.from, to, subject, text)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(o.dir, "mail-*.part") // mode 0600
	if err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	_, err = m.WriteTo(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		name := time.Now().UTC().Format("20060102T150405.000000Z") + "-" + rand.Text()[:8] + ".eml"
		err = os.Rename(f.Name(), filepath.Join(o.dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // nobody reads half a mail
		return fmt.Errorf("write mail: %w", err)
	}
	return nil
}
