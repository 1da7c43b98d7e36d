// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"errors"

	"github.com/wneessen/go-mail"
)

// Errors of [SMTP] and [Outbox], compared with errors.Is.
var (
	// ErrSender: the sender is no e-mail address.
	ErrSender = errors.New("the sender is no e-mail address")
	// ErrRecipient: the recipient is no e-mail address.
	ErrRecipient = errors.New("the recipient is no e-mail address")
)

// compose makes a message of RFC 5322 in plain text. ErrSender, ErrRecipient: the
// library's own errors repeat the address.
func compose(from, to, subject, text string, how ...mail.MsgOption) (*mail.Msg, error) {
	m := mail.NewMsg(append(how, mail.WithNoDefaultUserAgent())...)
	if m.From(from) != nil {
		return nil, ErrSender
	}
	if m.To(to) != nil {
		return nil, ErrRecipient
	}
	m.Subject(subject)
	m.SetDate()
	m.SetMessageID()
	// No answering machine shall answer (RFC 3834 section 5).
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(mail.TypeTextPlain, text)
	return m, nil
}
