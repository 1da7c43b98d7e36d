// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/observe"
	schemebarong "github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

// parts are the fillings, wired.
type parts struct {
	tenant    string
	publicURL string
	proxies   gate.Proxies
	authority *gatehouse.Authority // every scheme
	gateOnly  *gatehouse.Authority // Barong's scheme alone
	guesses   *memory.Limiter      // of what strangers may try: they can fill it, so it is not the keys' own
	codes     *memory.Limiter      // of second factors and mail, which only existing accounts touch
	directory *account.Directory
	keys      *assertion.Keys
	door      *barong.Door
	metrics   *observe.Metrics
	store     stores
	closers   []func()
}

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

// purge deletes sessions and tickets that have long expired.
func (p *parts) purge(ctx context.Context, now time.Time) error {
	return p.store.PurgeExpired(ctx, now.Add(-keepDead))
}

// assemble opens the store, the keyring and everything on top. Where it fails, it
// closes what it opened.
func assemble(ctx context.Context, c *config.Config, version string, log *slog.Logger) (_ *process, err error) {
	p := &parts{tenant: gatehouse.DefaultTenant, publicURL: c.PublicURL, proxies: gate.TrustProxies(c.TrustedProxies...)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := prepareData(c.Data); err != nil {
		return nil, err
	}
	lock, err := lockData(c.Data)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { _ = lock.Close() })
	if p.store, err = openStore(ctx, c); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { _ = p.store.Close() })
	keyring, err := openKeyring(ctx, c.Data, p.store)
	if err != nil {
		return nil, err
	}
	sealer, err := seal.NewSealer(ctx, keyring, p.store, time.Now)
	if err != nil {
		return nil, err
	}
	if err := p.openAuthority(ctx, c, keyring, sealer, version); err != nil {
		return nil, err
	}
	if err := p.openKeys(ctx, c, sealer, log); err != nil {
		return nil, err
	}
	if err := p.openDoor(c, version, log); err != nil {
		return nil, err
	}
	return &process{parts: p, version: version, log: log}, nil
}

// fillings that both the authority and the directory stand on.
type shared struct {
	replay  *memory.Replay
	limiter *memory.Limiter
}

func (p *parts) openShared(ctx context.Context, c *config.Config) (*shared, error) {
	// A store without accounts has no keys: nothing was ever claimed.
	_, accounts, err := p.store.ListAccounts(ctx, account.Query{Tenant: p.tenant, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	dir := filepath.Join(c.Data, "replay")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make replay directory: %w", err)
	}
	replay, err := memory.OpenReplay(memory.Options{Dir: dir, Fresh: accounts == 0, MaxAhead: c.Barong.NonceWindow + time.Second, MaxWindow: 2 * time.Minute})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { _ = replay.Close() })
	return &shared{replay: replay, limiter: memory.NewLimiter(0, nil)}, nil
}

func (p *parts) openAuthority(ctx context.Context, c *config.Config, kr *seal.Keyring, sealer *seal.Sealer, version string) error {
	s, err := p.openShared(ctx, c)
	if err != nil {
		return err
	}
	b := schemebarong.New(schemebarong.Options{Window: c.Barong.NonceWindow, Repeat: c.Barong.Replay == "window"})
	p.metrics = observe.New(version, schemebarong.Name, bearer.Name)
	base := gatehouse.Config{Store: p.store, Sealer: sealer, Replay: s.replay, Limiter: s.limiter, Observer: p.metrics}
	all, gateOnly := base, base
	all.Schemes = []gatehouse.Scheme{b, bearer.New(kr)}
	gateOnly.Schemes = []gatehouse.Scheme{b}
	if p.authority, err = gatehouse.New(ctx, all); err != nil {
		return err
	}
	if p.gateOnly, err = gatehouse.New(ctx, gateOnly); err != nil {
		return err
	}
	p.guesses, p.codes = memory.NewLimiter(0, nil), memory.NewLimiter(0, nil)
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
	})
	return err
}

func passwordPolicy(c *config.Config) account.PasswordPolicy {
	return account.PasswordPolicy{Pattern: c.PasswordPattern, MinEntropy: c.PasswordEntropy, Dictionary: c.PasswordWords}
}

func (p *parts) openKeys(ctx context.Context, c *config.Config, sealer *seal.Sealer, log *slog.Logger) (err error) {
	kc := assertion.KeysConfig{Store: p.store, Sealer: sealer, Tenant: p.tenant, Logger: log}
	if c.Barong.JWTPrivateKey != "" {
		if kc.ImportRSA, err = os.ReadFile(c.Barong.JWTPrivateKey); err != nil {
			return fmt.Errorf("barong.jwt_private_key: %w", err)
		}
	}
	if p.keys, err = assertion.OpenKeys(ctx, kc); err != nil {
		return err
	}
	p.closers = append(p.closers, p.keys.Close)
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
	return a.Email, err
}

func isExists(err error) bool { return errors.Is(err, gatehouse.ErrExists) }
