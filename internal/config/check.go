// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var uidPrefix = regexp.MustCompile(`^[A-Za-z]{2,6}$`)

// check refuses values that fit their kind but not each other or their meaning.
func (c *Config) check() error {
	for _, word := range []struct {
		key, value string
		allowed    []string
	}{
		{"attempts", c.Attempts, []string{"none", "failure", "all"}},
		{"log.level", c.LogLevel, []string{"debug", "info", "warn", "error"}},
		{"log.format", c.LogFormat, []string{"text", "json"}},
		{"barong.replay", c.Barong.Replay, []string{"strict", "window"}},
		{"barong.secret_format", c.Barong.SecretFormat, []string{"vault", "string"}},
		{"smtp.tls", c.SMTP.TLS, []string{"starttls", "tls", "none"}},
	} {
		if !slices.Contains(word.allowed, word.value) {
			return fmt.Errorf("%s: is none of %s", word.key, strings.Join(word.allowed, ", "))
		}
	}
	for key, value := range map[string]string{"public_url": c.PublicURL, "barong.domain": c.Barong.Domain} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			return fmt.Errorf("%s: is no http or https URL", key)
		}
	}
	if _, _, err := net.SplitHostPort(c.SMTP.Address); c.SMTP.Address != "" && err != nil {
		return errors.New("smtp.address: is no address such as 127.0.0.1:25")
	}
	for _, part := range []func() error{c.checkListeners, c.checkSchemes, c.checkGates} {
		if err := part(); err != nil {
			return err
		}
	}
	if c.OAuth.Lifetime < time.Second || c.OAuth.Lifetime > 24*time.Hour {
		return errors.New("oauth.lifetime: is not between 1s and 24h")
	}
	switch {
	case c.Data == "":
		return errors.New("data: is empty")
	case c.Listen == "":
		return errors.New("listen: is empty")
	case !uidPrefix.MatchString(c.Barong.UIDPrefix):
		return errors.New("barong.uid_prefix: is not 2 to 6 letters")
	case c.Barong.NonceWindow > 60*time.Second:
		return errors.New("barong.nonce_window: is longer than 60s")
	case c.SigningEvery != 0 && c.SigningEvery < time.Hour:
		return errors.New("signing.rotate_every: is less than an hour, and not 0")
	case c.SessionIdle > c.SessionAbsolute:
		return errors.New("account.session_idle: is longer than account.session_absolute")
	case (c.AdminPassword != "" || c.AdminPasswordFile != "") && c.AdminEmail == "":
		return errors.New("admin.email: is empty, though admin.password or admin.password_file is set")
	case c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://"):
		return errors.New("database_url: is no postgres:// URL")
	case c.Database.Lease < 0 || c.Database.Lease > 5*time.Second || c.Database.Lease != 0 && c.Database.Lease < 100*time.Millisecond:
		return errors.New("database.lease: is not between 100ms and 5s, and not 0")
	case c.Limits.Lease != 0 && (c.Limits.Lease < 10*time.Millisecond || c.Limits.Lease > time.Second):
		return errors.New("limits.lease: is not between 10ms and 1s, and not 0")
	case c.Database.CacheMB < 1 || c.Database.CacheMB > 1_000_000:
		return errors.New("database.cache_mb: is not between 1 and 1000000")
	case c.Database.MaxConns < 2 || c.Database.MaxConns > 10_000:
		return errors.New("database.max_conns: is not between 2 and 10000")
	case c.RedisURL != "" && c.DatabaseURL == "":
		return errors.New("redis_url: is set, though database_url is not; one process alone keeps nonces and limits itself")
	}
	return nil
}

var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // a token of RFC 9110 section 5.6.2

// longestClaim is how long the replay cache remembers at most.
const longestClaim = 2 * time.Minute

func (c *Config) checkSchemes() error {
	switch {
	case !fieldName.MatchString(c.Shield.Header):
		return errors.New("shield.header: is no name of a header field")
	case c.Shield.Unused != 0 && c.Shield.Unused < time.Hour:
		return errors.New("shield.unused_lifetime: is less than an hour, and not 0")
	case c.HTTPSig.MaxAge < time.Second || c.HTTPSig.Skew < time.Second || c.HTTPSig.MaxAge+c.HTTPSig.Skew > longestClaim:
		return errors.New("httpsig.max_age, httpsig.skew: one is less than a second, or they are more than 2m together")
	}
	return nil
}
