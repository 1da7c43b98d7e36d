// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/console"
	"github.com/seed14544106/gatehouse/internal/datadir"
	"github.com/seed14544106/gatehouse/internal/oauth"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/internal/rest"
	schemebarong "github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

// parts are the fillings, wired.
type parts struct {
	data      *datadir.Dir
	tenant    string
	publicURL string
	outbox    string // folder that mail goes to; empty: it is sent

	shieldUnused time.Duration // of new Shield keys; zero: for ever

	proxies    gate.Proxies
	authority  *gatehouse.Authority // every scheme
	gateOnly   *gatehouse.Authority // Barong's scheme alone
	guesses    *memory.Limiter      // of what strangers may try: they can fill it, so it is not the keys' own
	codes      gatehouse.Limiter    // of second factors and mail, which only existing accounts touch
	directory  *account.Directory
	keys       *assertion.Keys
	door       *barong.Door
	api        *rest.Handler
	oauth      *oauth.Door // nil: there is none
	console    *console.Console
	gates      gates
	keeper     *seal.Keeper
	metrics    *observe.Metrics
	uses       *observe.Uses
	usage      *observe.Usage
	attempts   *observe.Attempts
	receiptKey []byte // keys the hashes of requests that were made under an Idempotency-Key
	chainKey   []byte // signs the heads of the chains of events
	store      stores
	nodes      nodes
	shared     shared
	sealer     *seal.Sealer
	vault      atomic.Pointer[error] // what became of asking Vault the last time; nil: it was not asked
	closers    []func()
}

// schemeNames are the names of all schemes.
var schemeNames = []string{schemebarong.Name, bearer.Name, shield.Name, httpsig.Name}

// close closes what was opened, in reverse order.
func (p *parts) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

// ping reports whether the store answers the question that every verification asks.
func (p *parts) ping(ctx context.Context) error {
	if _, err := p.store.Lookup(ctx, "no-such-key"); err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
		return err
	}
	return nil
}

// keepDead is how long what has expired is kept: as long as Barong keeps a session, so
// that who comes back within a day is told that the session ended.
const keepDead = 24 * time.Hour

// keepAttempts is how long attempts are kept.
const keepAttempts = 90 * 24 * time.Hour

// purge deletes sessions and tickets that have long expired, and attempts of long ago.
func (p *parts) purge(ctx context.Context, now time.Time) error {
	return errors.Join(p.store.PurgeExpired(ctx, now.Add(-keepDead)), p.store.PurgeAttempts(ctx, now.Add(-keepAttempts)))
}

// assemble opens the store, the keyring and everything on top. Where it fails, it
// closes what it opened.
func assemble(ctx context.Context, c *config.Config, version string, log *slog.Logger) (_ *process, err error) {
	p := &parts{tenant: gatehouse.DefaultTenant, publicURL: c.PublicURL, outbox: outbox(c), shieldUnused: c.Shield.Unused, proxies: gate.TrustProxies(c.TrustedProxies...)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	p.metrics = observe.New(version, schemeNames...)
	if p.data, err = datadir.Open(c.Data); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { _ = p.data.Close() })
	if p.store, err = p.openStore(ctx, c, version, log); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { _ = p.store.Close() })
	// Before the keyring, which binds a new database to this directory.
	if err := p.openShared(ctx, c, log); err != nil {
		return nil, err
	}
	keyring, err := p.data.Keyring(ctx, p.store)
	if err != nil {
		return nil, err
	}
	keyring.UseVault(vault(c))
	p.chainKey, p.receiptKey = keyring.Derive("audit-chain"), keyring.Derive("receipt")
	p.store.SignChain(p.chainKey)
	sealer, err := seal.NewSealer(ctx, keyring, p.store, time.Now)
	if err != nil {
		return nil, err
	}
	p.sealer = sealer
	p.metrics.WatchKEK(func() bool { return p.vaultDown() == nil })
	p.keeper = seal.NewKeeper(seal.KeeperConfig{Sealer: sealer, Rows: p.store, Audit: p.store, Batch: c.RewrapBatch, Log: log})
	p.closers = append(p.closers, p.keeper.Close)
	if err := p.keeper.Resume(ctx, p.tenant); err != nil {
		return nil, err
	}
	if err := p.openAuthority(ctx, c, keyring, sealer, version, log); err != nil {
		return nil, err
	}
	if err := p.openKeys(ctx, c, sealer, log); err != nil {
		return nil, err
	}
	if err := p.openDoor(c, version, log); err != nil {
		return nil, err
	}
	if err := p.openAPI(c, log); err != nil {
		return nil, err
	}
	if err := p.openConsole(c, version, log); err != nil {
		return nil, err
	}
	if err := p.issueAs(c, issuer(c), log); err != nil {
		return nil, err
	}
	if err := p.openGates(ctx, c, log); err != nil {
		return nil, err
	}
	return &process{parts: p, version: version, log: log}, nil
}

func (p *parts) openAuthority(ctx context.Context, c *config.Config, kr *seal.Keyring, sealer *seal.Sealer, version string, log *slog.Logger) error {
	var err error
	b := schemebarong.New(schemebarong.Options{Window: c.Barong.NonceWindow, Repeat: c.Barong.Replay == "window"})
	base := gatehouse.Config{Store: p.store, Sealer: sealer, Replay: p.shared.replay, Limiter: p.shared.charges, Observer: p.watch(c)}
	all, gateOnly := base, base
	all.Schemes = []gatehouse.Scheme{
		b, bearer.New(kr), shield.New(shield.Options{Header: c.Shield.Header, PHPInput: c.Shield.PHPInput}),
		httpsig.New(httpsig.Options{Tag: c.HTTPSig.Tag, MaxAge: c.HTTPSig.MaxAge, Skew: c.HTTPSig.Skew, NonceAlways: c.HTTPSig.NonceAlways}),
	}
	gateOnly.Schemes = []gatehouse.Scheme{b}
	if p.authority, err = gatehouse.New(ctx, all); err != nil {
		return err
	}
	if p.gateOnly, err = gatehouse.New(ctx, gateOnly); err != nil {
		return err
	}
	// Each node counts the guesses of strangers by itself: N nodes admit N times as many.
	p.guesses, p.codes = memory.NewLimiter(0, nil), p.shared.limiter
	if p.shared.ping == nil {
		p.codes = memory.NewLimiter(0, nil)
	}
	return p.openDirectory(c, kr, sealer)
}

func (p *parts) openDirectory(c *config.Config, kr *seal.Keyring, sealer *seal.Sealer) error {
	policy, err := account.Compile(passwordPolicy(c))
	if err != nil {
		return fmt.Errorf("account.password_pattern: %w", err)
	}
	p.directory, err = account.New(account.Config{
		Store: p.store, Sessions: p.store, Tickets: p.store, Audit: p.store, Sealer: sealer, Limiter: p.guesses, Codes: p.codes,
		Hasher: account.NewHasher(account.HasherConfig{}), Policy: policy, Pepper: kr.Derive("recovery-code"),
		Issuer: c.Barong.AppName, UIDPrefix: c.Barong.UIDPrefix, Idle: c.SessionIdle, Absolute: c.SessionAbsolute, Tenant: p.tenant,
		NoRegistration: !c.Registration,
	})
	return err
}

func passwordPolicy(c *config.Config) account.PasswordPolicy {
	return account.PasswordPolicy{Pattern: c.PasswordPattern, MinEntropy: c.PasswordEntropy, Dictionary: c.PasswordWords}
}

func (p *parts) openKeys(ctx context.Context, c *config.Config, sealer *seal.Sealer, log *slog.Logger) (err error) {
	kc := assertion.KeysConfig{Store: p.store, Sealer: sealer, Tenant: p.tenant, Every: c.SigningEvery, Logger: log}
	if c.Barong.JWTPrivateKey != "" {
		if kc.ImportRSA, err = os.ReadFile(c.Barong.JWTPrivateKey); err != nil {
			return fmt.Errorf("barong.jwt_private_key: %w", err)
		}
	}
	if p.keys, err = assertion.OpenKeys(ctx, kc); err != nil {
		if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok && len(kc.ImportRSA) > 0 {
			err = fmt.Errorf("barong.jwt_private_key: %s: %s", c.Barong.JWTPrivateKey, e.Problem)
		}
		return err
	}
	p.closers = append(p.closers, p.keys.Close)
	p.nodes.signing.Store(p.keys)
	p.keys.Hear() // what was heard until now was heard by nobody
	return nil
}

// firstAdmin makes the first administrator that the configuration names, where there is
// none, and returns its e-mail address.
func (p *parts) firstAdmin(ctx context.Context, c *config.Config) (string, error) {
	if c.AdminEmail == "" {
		return "", nil
	}
	there, err := p.directory.HasAdministrator(ctx)
	if err != nil || there {
		return "", err
	}
	password := gatehouse.NewSecret(c.AdminPassword)
	if c.AdminPasswordFile != "" {
		if password, err = readSecretFile("admin.password_file", c.AdminPasswordFile); err != nil {
			return "", err
		}
	}
	if password.Empty() {
		return "", errors.New("admin.email is set, and neither admin.password nor admin.password_file holds a password")
	}
	a, err := p.directory.CreateAccount(ctx, gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: p.tenant}, account.NewAccount{
		Email: c.AdminEmail, Role: "superadmin", State: gatehouse.PrincipalActive, Password: password,
	})
	if taken := (*account.TakenError)(nil); errors.As(err, &taken) {
		if there, second := p.directory.HasAdministrator(ctx); there || second != nil {
			return "", second // another node was faster
		}
	}
	return a.Email, err
}

func isExists(err error) bool { return errors.Is(err, gatehouse.ErrExists) }

// openConsole makes the pages, on top of the API and Barong's door.
func (p *parts) openConsole(c *config.Config, version string, log *slog.Logger) (err error) {
	p.console, err = console.New(console.Config{
		Directory: p.directory, Tenant: p.tenant, Proxies: p.proxies, API: p.api.Public(), Door: p.door.Handler(), Cookie: c.Barong.SessionName,
		Schemes: p.authority.SchemeNames(), Name: c.Barong.AppName, PublicURL: c.PublicURL, MailServer: c.SMTP.Address, Version: version, Log: seldomly(log),
	})
	return err
}
