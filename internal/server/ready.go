// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/seal"
)

// standing is what a look at everything that decisions rest on has found; nil: it is well.
type standing struct {
	store  error
	seals  error // of opening what was just sealed
	vault  error // as of the last time that Vault was asked
	nonces error
}

// longestAsk is how long a look at everything takes at most.
const longestAsk = 2 * time.Second

// askAll looks at everything, side by side: what is slow must not make another look ill.
func (p *parts) askAll(ctx context.Context) (s standing) {
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.store = p.ping(ctx) })
	wg.Go(func() { s.seals = p.openSomething(ctx) })
	if p.shared.ping != nil {
		wg.Go(func() { s.nonces = p.shared.ping(ctx) })
	}
	wg.Wait()
	s.vault = p.vaultDown()
	return s
}

// openSomething opens what it has just sealed.
func (p *parts) openSomething(ctx context.Context) error {
	b := gatehouse.Binding{Purpose: "key-secret", Tenant: p.tenant, ID: "readiness", Version: 1}
	sealed, err := p.sealer.Seal(ctx, b, []byte("ready"))
	if err == nil {
		_, err = p.sealer.Open(ctx, b, sealed)
	}
	return err
}

// lacksKey reports whether what other nodes seal cannot be opened by the keyring of this one.
func (s *standing) lacksKey() bool {
	return s.seals != nil && (errors.Is(s.seals, seal.ErrKeyring) || !errors.Is(s.seals, gatehouse.ErrUnavailable))
}

// ready reports whether requests should come here. They should without nonces, without the feed
// and without Vault: what rests on them is refused, or slower, and elsewhere it would be no
// better.
func (s *standing) ready() bool { return s.store == nil && !s.lacksKey() }

// ring tells of the keyring.
func (s *standing) ring(inVault bool) api.Part {
	kind, err := "file", s.seals
	if inVault {
		kind = "vault"
	}
	if err == nil || s.store != nil && !s.lacksKey() { // data keys that cannot be read are no fault of the keyring
		err = s.vault
	}
	out := part(kind, err)
	if err != nil && !s.lacksKey() {
		out.Problem += "; keys in use stay so, data keys cannot be made, and a start fails"
	}
	return out
}

// longestReach is how long Vault is asked at most.
const longestReach = 10 * time.Second

// reachVault asks Vault, where KEKs are there: no request does.
func (p *process) reachVault(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, longestReach)
	defer cancel()
	err := p.sealer.Reach(asking)
	if ctx.Err() != nil {
		return
	}
	p.vault.Store(&err)
	if err != nil {
		p.log.Warn("what holds the KEKs does not answer", "error", err)
	}
}

// vaultDown says why Vault did not open a data key the last time that it was asked; nil: it
// did, or was not.
func (p *parts) vaultDown() error {
	if err := p.vault.Load(); err != nil {
		return *err
	}
	return nil
}

// readyz says whether requests can be decided here and now, and how what decisions rest on
// stands.
func (p *process) readyz(w http.ResponseWriter, r *http.Request) {
	if !p.ready.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	s := p.askAll(r.Context())
	c := p.tell(&s)
	status, lines := http.StatusOK, []string{"ready"}
	if !s.ready() {
		status, lines[0] = http.StatusServiceUnavailable, "not ready"
	}
	type named struct {
		name string
		api.Part
	}
	all := []named{{"store", c.Store}, {"keyring", c.Keyring}, {"feed", c.Feed}, {"nonces", c.Nonces}, {"limits", c.Limits}}
	if c.Rules != nil {
		all = append(all, named{"rules", *c.Rules})
	}
	for _, part := range all {
		state := "ok"
		if !part.OK {
			state = "unavailable"
			p.log.WarnContext(r.Context(), "not well", "part", part.name, "problem", part.Problem)
		}
		lines = append(lines, part.name+": "+state)
	}
	say(w, status, strings.Join(lines, "\n"))
}
