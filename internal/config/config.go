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
// A key with secret:"true" is not printed. env is a second variable, which other programs
// know; the one of ours wins.
type Config struct {
	Data           string         `key:"data" default:"./gatehouse-data" help:"directory of the database, keyring, admin socket and outbox (mode 0700)"`
	Listen         string         `key:"listen" default:"127.0.0.1:8080" help:"address of the API, the gate and the console"`
	OpsListen      string         `key:"ops_listen" default:"127.0.0.1:8081" help:"address of /metrics, /livez and /readyz; empty: none"`
	DatabaseURL    string         `key:"database_url" default:"" secret:"true" help:"postgres://… ; empty: SQLite in the data directory"`
	RedisURL       string         `key:"redis_url" default:"" secret:"true" help:"redis://… of Valkey or Redis for nonces and limits; further hosts as ?addr=HOST:PORT, of Sentinels with &master_set=NAME; empty: the database keeps them"`
	Node           string         `key:"node" default:"" help:"name of this process among others, for people; empty: the host's name and the listen address"`
	PublicURL      string         `key:"public_url" default:"" help:"where clients reach this server, such as https://keys.example.com; empty: http:// and the listen address"`
	TrustedProxies []netip.Prefix `key:"trusted_proxies" default:"" help:"networks whose X-Forwarded-For and X-Forwarded-Proto are believed; empty: none"`
	ShutdownGrace  time.Duration  `key:"shutdown_grace" default:"20s" help:"how long running requests may take after SIGTERM"`
	Attempts       string         `key:"attempts" default:"failure" help:"which attempts to use a key are recorded for operators, for 90 days: none, failure or all"`
	LogLevel       string         `key:"log.level" default:"info" help:"debug, info, warn or error"`
	LogFormat      string         `key:"log.format" default:"text" help:"text or json"`

	AdminEmail        string `key:"admin.email" default:"" help:"on an empty store, make this first administrator"`
	AdminPassword     string `key:"admin.password" default:"" secret:"true" help:"its password; better: admin.password_file"`
	AdminPasswordFile string `key:"admin.password_file" default:"" help:"file with its password"`

	Registration    bool          `key:"account.registration" default:"true" help:"anybody may register; false: operators make the accounts"`
	SessionIdle     time.Duration `key:"account.session_idle" default:"30m" help:"a session ends when it is not used for this long"`
	SessionAbsolute time.Duration `key:"account.session_absolute" default:"12h" help:"a session ends after this long in any case"`
	PasswordPattern string        `key:"account.password_pattern" default:"^(?=.*[[:lower:]])(?=.*[[:upper:]])(?=.*[[:digit:]])(?=.*[[:graph:]]).{8,80}$" help:"what a password must look like, as a regular expression with look-aheads at its start"`
	PasswordEntropy float64       `key:"account.password_min_entropy" default:"14" help:"least entropy of a password, in bits"`
	PasswordWords   bool          `key:"account.password_dictionary" default:"true" help:"common words count little towards entropy"`

	SigningEvery time.Duration `key:"signing.rotate_every" default:"720h" help:"signing keys are replaced after this long, at least 1h; the next one is published 10 minutes before it signs; 0: never by itself"`

	RewrapBatch int `key:"keyring.rewrap_batch" default:"100" help:"rows that gatehouse keyring rewrap seals again in one transaction"`

	Database Database `key:"database"`
	Limits   Limits   `key:"limits"`

	Vault  Vault  `key:"vault"`
	Barong Barong `key:"barong"`
	SMTP   SMTP   `key:"smtp"`

	OAuth OAuth `key:"oauth"`

	Shield  Shield  `key:"shield"`
	HTTPSig HTTPSig `key:"httpsig"`

	Gate  Gate  `key:"gate"`
	GRPC  GRPC  `key:"grpc"`
	SPOE  SPOE  `key:"spoe"`
	Proxy Proxy `key:"proxy"`
}

// Database is what can be set of a database that nodes share: PostgreSQL.
type Database struct {
	Lease    time.Duration `key:"database.lease" default:"1s" help:"how long a node may answer from records it has read, after its last look at what others changed; a change that cannot be told to a node takes as long; 5s at most; 0: every request reads the database"`
	CacheMB  int           `key:"database.cache_mb" default:"256" help:"megabytes of records to keep in memory as they are asked for, about 300 for a million keys"`
	Hints    bool          `key:"database.hints" default:"true" help:"use LISTEN and NOTIFY, which only save time; off behind a pooler in transaction mode"`
	MaxConns int           `key:"database.max_conns" default:"16" help:"connections for keys at most, and 12 more for notices, nonces and limits"`
	Unsafe   bool          `key:"database.allow_unsafe" default:"false" help:"start although the server may forget what it acknowledged (fsync, full_page_writes or synchronous_commit off)"`
}

// Limits is what can be set of limits that nodes share.
type Limits struct {
	Lease time.Duration `key:"limits.lease" default:"0s" help:"how long a node may admit requests from what it charged for many at once, where it charges the same limits 200 times a second; a limit then admits this much more time's worth; 10ms to 1s; without database_url it does nothing; 0: every request asks"`
}

// OAuth is what can be set of the endpoints for OAuth-aware clients.
type OAuth struct {
	Audiences []string      `key:"oauth.audiences" default:"" help:"what tokens from /oauth2/token may be for, such as https://api.example.com; empty: the issuer, which is public_url"`
	Lifetime  time.Duration `key:"oauth.lifetime" default:"1m" help:"life of these tokens, at least 1s; a revocation ends it sooner where the service follows /v1/revocations"`
	Scopes    []string      `key:"oauth.scopes" default:"" help:"scopes to list in the metadata for programs; empty: no list"`
	Docs      string        `key:"oauth.docs" default:"" help:"URL of what developers should read; empty: none"`
}

// Shield is what can be set of the scheme of CodeIgniter Shield's HMAC keys.
type Shield struct {
	Header   string        `key:"shield.header" default:"Authorization" help:"header field of the credential, as Shield's authenticatorHeader"`
	PHPInput bool          `key:"shield.php_input" default:"false" help:"accept forms (multipart) signed as the text php://input, as Shield does: their body is then not covered"`
	Unused   time.Duration `key:"shield.unused_lifetime" default:"8760h" help:"new Shield keys end when unused for this long, at least 1h; 0: never"`
}

// HTTPSig is what can be set of RFC 9421 signatures.
type HTTPSig struct {
	Tag         string        `key:"httpsig.tag" default:"" help:"only signatures with this tag count; empty: a request has one signature, and it counts"`
	MaxAge      time.Duration `key:"httpsig.max_age" default:"1m" help:"age at which a signature is too old; with httpsig.skew 2m at most"`
	Skew        time.Duration `key:"httpsig.skew" default:"5s" help:"how far a signature's time may be ahead of this server's"`
	NonceAlways bool          `key:"httpsig.nonce_always" default:"false" help:"demand a nonce for GET, HEAD and OPTIONS too"`
}

// Vault says where a HashiCorp Vault or OpenBao server is, whose transit engine holds KEKs.
type Vault struct {
	Address   string `key:"vault.address" env:"VAULT_ADDR" default:"" help:"address of Vault or OpenBao for KEKs that are there, such as https://vault.example.com:8200; also VAULT_ADDR"`
	Token     string `key:"vault.token" env:"VAULT_TOKEN" default:"" secret:"true" help:"token for it; better: vault.token_file; also VAULT_TOKEN"`
	TokenFile string `key:"vault.token_file" env:"VAULT_TOKEN_FILE" default:"" help:"file with the token, read before every call; also VAULT_TOKEN_FILE"`
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
	Address      string `key:"smtp.address" default:"" help:"host:port of the mail server; empty: mail is sent to nobody, and written to files in DATA/outbox"`
	From         string `key:"smtp.from" default:"gatehouse@localhost" help:"sender of mail"`
	Username     string `key:"smtp.username" default:"" help:"user name at the mail server; empty: none"`
	PasswordFile string `key:"smtp.password_file" default:"" help:"file with the password at the mail server"`
	TLS          string `key:"smtp.tls" default:"starttls" help:"starttls, tls, or none (loopback only)"`
}
