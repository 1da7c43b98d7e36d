// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// guesses is how often a network may fail. A network is one IPv4 address or one IPv6 /64.
var guesses = []gatehouse.Limit{{Name: "guesses", Count: 100, Period: 10 * time.Minute, Burst: 100}}

// guess asks for an answer that a stranger may have guessed at. The attempt is taken from
// the budget of its network before anything is checked, so that parallel guesses cannot
// outrun the count, and given back where the proof held or there is no answer.
func (d *Door) guess(c *call, ask func(context.Context) (held bool, err error)) error {
	ctx, budget := c.Context(), "oauth:network:"+network(c.peer)
	ok, after, err := d.c.Limiter.Take(ctx, budget, guesses)
	if err != nil {
		return gatehouse.Unavailable("throttle", err)
	}
	if !ok {
		return tooMany("too many failed attempts from this network", after)
	}
	held, err := ask(ctx)
	if held || err != nil {
		// A failure leaves the budget smaller than it should be, which is no reason to
		// refuse who was right.
		_ = d.c.Limiter.Refund(context.WithoutCancel(ctx), budget, guesses)
	}
	return err
}

// network names the network of an address for the budgets.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return "unknown"
	}
	return p.String()
}

// client is the key that a client's credentials are of, granted under all its rules. The
// other credentials of the request are not looked at.
func (d *Door) client(c *call, p *pair) (*gatehouse.Decision, error) {
	var said gatehouse.Decision
	err := d.guess(c, func(ctx context.Context) (held bool, err error) {
		r := d.request(c)
		if r.Header, err = d.bearer(ctx, p); err != nil {
			return false, err
		}
		if said, err = d.c.Authority.Verify(ctx, &r); err != nil {
			return false, err
		}
		if said.Key == nil && said.Reason == gatehouse.ReasonMalformedCredential {
			// A checksum is refused before any look-up, and whether it fits depends on the
			// key's prefix. One that cannot fail makes both ways cost the same.
			_, err = d.c.Authority.Inspect(ctx, &gatehouse.Request{Header: bearerHeader("decoy_" + p.id + "_" + strings.Repeat("1", 32))})
		}
		return said.Key != nil, err
	})
	switch {
	case err != nil:
		return nil, err
	case said.Key != nil && said.Key.ID != p.id:
		return nil, errClient
	case !said.Granted:
		return nil, denial(&said, errClient)
	}
	return &said, nil
}

// bearer is the header field of a bearer token with the client's credentials. A secret
// holds no underscore and a token two, so the client may send either.
func (d *Door) bearer(ctx context.Context, p *pair) (gatehouse.Header, error) {
	secret := p.secret.Reveal()
	if strings.Contains(secret, "_") {
		return bearerHeader(secret), nil
	}
	prefix, err := d.c.Authority.TokenPrefix(ctx, p.id)
	return bearerHeader(prefix + "_" + p.id + "_" + secret), err
}

func bearerHeader(token string) gatehouse.Header {
	return gatehouse.Header{"Authorization": {"Bearer " + token}}
}

// caller is the key that asks, by client credentials or as keys are presented everywhere
// else. Nil: the request carries no credential.
func (d *Door) caller(c *call) (*gatehouse.Decision, error) {
	p, err := c.pair()
	if err != nil {
		return nil, err
	}
	if p != nil {
		return d.client(c, p)
	}
	var said gatehouse.Decision
	err = d.guess(c, func(ctx context.Context) (held bool, err error) {
		r := d.request(c)
		said, err = d.c.Authority.Verify(ctx, &r)
		return said.Key != nil || said.Reason == gatehouse.ReasonNoCredential, err
	})
	switch {
	case err != nil:
		return nil, err
	case said.Granted:
		return &said, nil
	case said.Reason == gatehouse.ReasonNoCredential:
		return nil, nil
	}
	return nil, denial(&said, errToken)
}
