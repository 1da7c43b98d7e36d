// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/seed14544106/gatehouse"
)

// SMTPConfig says how to reach a mail server.
type SMTPConfig struct {
	Address  string // host:port
	From     string // sender, as in RFC 5322: an address, or a name and an address
	Username string // empty: no authentication
	Password gatehouse.Secret
	// TLS is "starttls" (also when empty), "tls" (from the first byte), or "none", which
	// is for a server on the same machine only. A server without STARTTLS is refused.
	TLS   string
	Roots *x509.CertPool // who may vouch for the server; nil: the system's
}

// SMTP sends mail through a server. It is safe for concurrent use; each mail has a
// connection of its own.
type SMTP struct {
	from    string
	host    string
	options []mail.Option
}

const smtpTimeout = 20 * time.Second // to connect, and for each command

// NewSMTP makes an SMTP. It fails, in words, on an address that is no host and port, a
// sender that is no address ([ErrSender]), a TLS mode that is not known, "none" for
// another machine than this, and a password that would travel in clear.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	host, port, err := net.SplitHostPort(c.Address)
	number, notNumber := strconv.Atoi(port)
	if err != nil || notNumber != nil || host == "" || number < 1 || number > 65535 {
		return nil, errors.New("mail server: the address is not host:port")
	}
	if _, err := compose(c.From, c.From, "", ""); err != nil {
		return nil, fmt.Errorf("mail server: %w", ErrSender)
	}
	options := []mail.Option{
		mail.WithTimeout(smtpTimeout), mail.WithPort(number),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}),
	}
	switch c.TLS {
	case "", "starttls":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		if !loopback(host) {
			return nil, errors.New(`mail server: TLS "none" is for a server on this machine only`)
		}
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, errors.New(`mail server: TLS is none of "starttls", "tls" and "none"`)
	}
	if c.Username != "" {
		if c.TLS == "none" {
			return nil, errors.New("mail server: a password needs TLS")
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.Username), mail.WithPassword(c.Password.Reveal()))
	}
	if _, err := mail.NewClient(host, options...); err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return &SMTP{from: c.From, host: host, options: options}, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Send delivers one mail to the server. The error says what failed, and nothing of the
// text; [ErrRecipient]. Once ctx ends, Send gives up.
func (s *SMTP) Send(ctx context.Context, to, subject, text string) error {
	m, err := compose(s.from, to, subject, text)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		return fmt.Errorf("deliver mail: %w", err)
	}
	return nil
}
