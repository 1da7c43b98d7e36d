// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
)

// Outbox writes each mail to a file of its own, for an operator without a mail server
// and for tests. It is safe for concurrent use, also by several processes.
type Outbox struct {
	dir  string
	from string
	log  *slog.Logger
	warn sync.Once
}

// NewOutbox makes the directory, if it is not there, and takes everyone else's access
// to it away (mode 0700). The first mail leaves a warning in log (nil: slog.Default): nobody
// gets it by itself. [ErrSender], or an error of the file system.
func NewOutbox(dir, from string, log *slog.Logger) (*Outbox, error) {
	if _, err := compose(from, from, "", ""); err != nil {
		return nil, fmt.Errorf("outbox: %w", ErrSender)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make outbox: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close outbox: %w", err)
	}
	if log == nil {
		log = slog.Default()
	}
	return &Outbox{dir: dir, from: from, log: log}, nil
}

// Send writes one mail as a message of RFC 5322 to a file of mode 0600, whose name ends
// in ".eml" and sorts by time. The file appears with its whole text, in which a link stands
// on one line, as it is to be copied. [ErrRecipient], or an error of the file system.
func (o *Outbox) Send(ctx context.Context, to, subject, text string) error {
	m, err := compose(o.from, to, subject, text, mail.WithEncoding(mail.NoEncoding))
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
	o.warn.Do(func() {
		o.log.WarnContext(ctx, "mail is written to files and sent to nobody: set smtp.address to have it sent", "folder", o.dir)
	})
	return nil
}
