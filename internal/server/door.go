// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/mail"
)

// openDoor makes Barong's door on top of everything else.
func (p *parts) openDoor(c *config.Config, version string, log *slog.Logger) error {
	post, err := mailer(c, log)
	if err != nil {
		return err
	}
	var rules barong.Rules
	if c.Barong.RulesFile != "" {
		if err := config.Decode(c.Barong.RulesFile, &rules); err != nil {
			return fmt.Errorf("barong.rules_file: %w", err)
		}
	}
	minter := assertion.NewMinter(assertion.MinterConfig{Keys: p.keys, Profile: assertion.Barong, Lifetime: c.Barong.JWTLifetime.Truncate(time.Second)})
	p.door, err = barong.New(barong.Config{
		Gate: p.gateOnly, Keys: p.authority, Accounts: p.directory, Audit: p.store, Limiter: p.codes,
		Tokens: tokens{keys: p.keys, minter: minter}, Mailer: post, Proxies: p.proxies, Rules: rules, Policy: passwordPolicy(c), Tenant: p.tenant,
		Window: c.Barong.NonceWindow, SecretFormat: c.Barong.SecretFormat, SessionName: c.Barong.SessionName, SessionIdle: c.SessionIdle,
		NoCSRF: !c.Barong.CSRF, Domain: cmp.Or(c.Barong.Domain, c.PublicURL, "http://"+c.Listen), AppName: c.Barong.AppName,
		CORSOrigins: append([]string{}, c.Barong.CORSOrigins...), Version: barong.Version{Tag: version, Name: version}, Logger: log,
	})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, p.door.Close)
	return nil
}

// outbox is the folder that mail goes to where no server sends it; empty: one does.
func outbox(c *config.Config) string {
	if c.SMTP.Address != "" {
		return ""
	}
	return filepath.Join(c.Data, "outbox")
}

// mailer sends by SMTP where a server is configured, else into the outbox.
func mailer(c *config.Config, log *slog.Logger) (barong.Mailer, error) {
	if c.SMTP.Address == "" {
		box, err := mail.NewOutbox(outbox(c), c.SMTP.From, log)
		if err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
		return box, nil
	}
	sc := mail.SMTPConfig{Address: c.SMTP.Address, From: c.SMTP.From, Username: c.SMTP.Username, TLS: c.SMTP.TLS}
	if c.SMTP.PasswordFile != "" {
		var err error
		if sc.Password, err = readSecretFile("smtp.password_file", c.SMTP.PasswordFile); err != nil {
			return nil, err
		}
	}
	s, err := mail.NewSMTP(sc)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return s, nil
}
