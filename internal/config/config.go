// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package config is the process's configuration: one struct, whose fields say their
// key, default and meaning, read from a TOML file, the environment and flags.
package config

import (
	"net/netip"
	"time"
)

// Config is everything that can be set. The tag key is the name in the file; the
// environment variable is GATEHOUSE_ with the name in upper case and dots as
// underscores; default is the value where nothing is set; help is one line for people.
// A key with secret:"true" is not printed.
type Config struct {
	Data           string         `key:"data" default:"./gatehouse-data" help:"directory of the database, keyring, admin socket and outbox (mode 0700)"`
	Listen         string         `key:"listen" default:"127.0.0.1:8080" help:"address of the API, the gate and the console"`
	OpsListen      string         `key:"ops_listen" default:"127.0.0.1:8081" help:"address of /metrics, /livez and /readyz; empty: none"`
	DatabaseURL    string         `key:"database_url" default:"" secret:"true" help:"postgres://… ; empty: SQLite in the data directory"`
	PublicURL      string         `key:"public_url" default:"" help:"where clients reach this server, such as https://keys.example.com; empty: http:// and the listen address"`
	TrustedProxies []netip.Prefix `key:"trusted_proxies" default:"" help:"networks whose X-Forwarded-For and X-Forwarded-Proto are believed; empty: none"`
	ShutdownGrace  time.Duration  `key:"shutdown_grace" default:"20s" help:"how long running requests may take after SIGTERM"`
	LogLevel       string         `key:"log.level" default:"info" help:"debug, info, warn or error"`
	LogFormat      string         `key:"log.format" default:"text" help:"text or json"`

	AdminEmail        string `key:"admin.email" default:"" help:"on an empty store, make this first administrator"`
	AdminPassword     string `key:"admin.password" default:"" secret:"true" help:"its password; better: admin.password_file"`
	AdminPasswordFile string `key:"admin.password_file" default:"" help:"file with its password"`

	SessionIdle     time.Duration `key:"account.session_idle" default:"30m" help:"a session ends when it is not used for this long"`
	SessionAbsolute time.Duration `key:"account.session_absolute" default:"12h" help:"a session ends after this long in any case"`
	PasswordPattern string        `key:"account.password_pattern" default:"^(?=.*[[:lower:]])(?=.*[[:upper:]])(?=.*[[:digit:]])(?=.*[[:graph:]]).{8,80}$" help:"what a password must look like, as a regular expression with look-aheads at its start"`
	PasswordEntropy float64       `key:"account.password_min_entropy" default:"14" help:"least entropy of a password, in bits"`
	PasswordWords   bool          `key:"account.password_dictionary" default:"true" help:"common words count little towards entropy"`

	Barong Barong `key:"barong"`
	SMTP   SMTP   `key:"smtp"`
}

// Barong is what can be set of Barong's door.
type Barong struct {
	AppName       string        `key:"barong.app_name" default:"Gatehouse" help:"name shown in authenticator apps"`
	Domain        string        `key:"barong.domain" default:"" help:"front end that mails link to, such as https://exchange.example.com; empty: public_url"`
	UIDPrefix     string        `key:"barong.uid_prefix" default:"ID" help:"first letters of account uids, 2 to 6"`
	SessionName   string        `key:"barong.session_name" default:"_barong_session" help:"name of the session cookie"`
	CSRF          bool          `key:"barong.csrf_protection" default:"true" help:"demand X-CSRF-Token on changing requests with a session"`
	NonceWindow   time.Duration `key:"barong.nonce_window" default:"5s" help:"how far a nonce may be from this server's time"`
	Replay        string        `key:"barong.replay" default:"strict" help:"strict: a nonce counts once; window: it may repeat inside the window, as in Barong"`
	SecretFormat  string        `key:"barong.secret_format" default:"vault" help:"shape of a new key's secret: vault (an envelope, Barong up to 2.5) or string (Barong 2.6)"`
	JWTLifetime   time.Duration `key:"barong.jwt_lifetime" default:"1h" help:"life of the JWT for services"`
	JWTPrivateKey string        `key:"barong.jwt_private_key" default:"" help:"PEM file of an RSA key to sign with, to take over a Barong; empty: made on first start"`
	RulesFile     string        `key:"barong.rules_file" default:"" help:"TOML file with pass, block, permissions and restrictions; empty: Barong's defaults"`
	CORSOrigins   []string      `key:"barong.cors_origins" default:"*" help:"origins that browsers may call from"`
}

// SMTP says how mail is sent. Without an address mail is written to the outbox
// directory below data.
type SMTP struct {
	Address      string `key:"smtp.address" default:"" help:"host:port of the mail server; empty: write mail to DATA/outbox"`
	From         string `key:"smtp.from" default:"gatehouse@localhost" help:"sender of mail"`
	Username     string `key:"smtp.username" default:"" help:"user name at the mail server; empty: none"`
	PasswordFile string `key:"smtp.password_file" default:"" help:"file with the password at the mail server"`
	TLS          string `key:"smtp.tls" default:"starttls" help:"starttls, tls, or none (loopback only)"`
}
