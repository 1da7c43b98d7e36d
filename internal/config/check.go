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

// problem is what is wrong with a value, if it is.
type problem struct {
	wrong bool
	text  string
}

// problems are those that there are, joined.
func problems(rows ...problem) error {
	var out []error
	for _, p := range rows {
		if p.wrong {
			out = append(out, errors.New(p.text))
		}
	}
	return errors.Join(out...)
}

// check refuses values that fit their kind but not each other or their meaning.
func (c *Config) check() error {
	return errors.Join(c.checkWords(), c.checkListeners(), c.checkSchemes(), c.checkGates(), c.checkValues())
}

func (c *Config) checkWords() error {
	var out []error
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
			out = append(out, fmt.Errorf("%s: is none of %s", word.key, strings.Join(word.allowed, ", ")))
		}
	}
	for _, at := range []struct{ key, value string }{{"public_url", c.PublicURL}, {"barong.domain", c.Barong.Domain}} {
		if u, err := url.Parse(at.value); at.value != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			out = append(out, fmt.Errorf("%s: is no http or https URL", at.key))
		}
	}
	if _, _, err := net.SplitHostPort(c.SMTP.Address); c.SMTP.Address != "" && err != nil {
		out = append(out, errors.New("smtp.address: is no address such as 127.0.0.1:25"))
	}
	return errors.Join(out...)
}

func (c *Config) checkValues() error {
	return problems(
		problem{c.OAuth.Lifetime < time.Second || c.OAuth.Lifetime > 24*time.Hour, "oauth.lifetime: is not between 1s and 24h"},
		problem{c.Data == "", "data: is empty"},
		problem{c.Listen == "", "listen: is empty"},
		problem{!uidPrefix.MatchString(c.Barong.UIDPrefix), "barong.uid_prefix: is not 2 to 6 letters"},
		problem{c.Barong.NonceWindow > 60*time.Second, "barong.nonce_window: is longer than 60s"},
		problem{c.SigningEvery != 0 && c.SigningEvery < time.Hour, "signing.rotate_every: is less than an hour, and not 0"},
		problem{c.SessionIdle > c.SessionAbsolute, "account.session_idle: is longer than account.session_absolute"},
		problem{(c.AdminPassword != "" || c.AdminPasswordFile != "") && c.AdminEmail == "", "admin.email: is empty, though admin.password or admin.password_file is set"},
		problem{c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://"), "database_url: is no postgres:// URL"},
		problem{c.Database.Lease < 0 || c.Database.Lease > 5*time.Second || c.Database.Lease != 0 && c.Database.Lease < 100*time.Millisecond, "database.lease: is not between 100ms and 5s, and not 0"},
		problem{c.Limits.Lease != 0 && (c.Limits.Lease < 10*time.Millisecond || c.Limits.Lease > time.Second), "limits.lease: is not between 10ms and 1s, and not 0"},
		problem{c.Database.CacheMB < 1 || c.Database.CacheMB > 1_000_000, "database.cache_mb: is not between 1 and 1000000"},
		problem{c.Database.MaxConns < 2 || c.Database.MaxConns > 10_000, "database.max_conns: is not between 2 and 10000"},
		problem{c.RedisURL != "" && c.DatabaseURL == "", "redis_url: is set, though database_url is not; one process alone keeps nonces and limits itself"},
	)
}

var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // a token of RFC 9110 section 5.6.2

// longestClaim is how long the replay cache remembers at most.
const longestClaim = 2 * time.Minute

func (c *Config) checkSchemes() error {
	return problems(
		problem{!fieldName.MatchString(c.Shield.Header), "shield.header: is no name of a header field"},
		problem{c.Shield.Unused != 0 && c.Shield.Unused < time.Hour, "shield.unused_lifetime: is less than an hour, and not 0"},
		problem{c.HTTPSig.MaxAge < time.Second || c.HTTPSig.Skew < time.Second || c.HTTPSig.MaxAge+c.HTTPSig.Skew > longestClaim, "httpsig.max_age, httpsig.skew: one is less than a second, or they are more than 2m together"},
	)
}
