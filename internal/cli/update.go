// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyUpdate struct {
	oneKey
	keyBounds
	Name    *string  `help:"Name, for people."`
	Scheme  []string `help:"How the key may be presented, of the schemes that its secret is stored for. May be repeated."`
	Clear   []string `help:"A bound to take away: scopes, networks, methods, paths, limits, metadata, not-before, expires or unused. May be repeated." enum:"scopes,networks,methods,paths,limits,metadata,not-before,expires,unused"`
	Version int64    `name:"if-version" help:"Change the key only while it has this version." placeholder:"N"`
}

// never takes a time away, see [api.PatchKey].
const never = "never"

// ask is what is asked for. Flags that are not there change nothing.
func (c *keyUpdate) ask() (p api.PatchKey, err error) {
	p = api.PatchKey{
		Name: c.Name, Scopes: changed(c.Scope, c.Clear, "scopes"), Networks: changed(c.Network, c.Clear, "networks"),
		Methods: changed(c.Method, c.Clear, "methods"), Paths: changed(c.Path, c.Clear, "paths"), Schemes: changed(c.Scheme, nil, ""), Signed: c.SignedOnly,
	}
	if c.Replay != "" {
		p.Replay = &c.Replay
	}
	limits, err := c.limits()
	if err != nil {
		return p, err
	}
	p.Limits = changed(limits, c.Clear, "limits")
	meta, err := parseMeta(c.Meta)
	if err != nil {
		return p, err
	}
	if meta != nil || slices.Contains(c.Clear, "metadata") {
		p.Metadata = &meta
		if meta == nil {
			p.Metadata = &map[string]string{}
		}
	}
	if p.NotBefore, err = c.time("not-before", c.NotBefore); err != nil {
		return p, err
	}
	if p.Expires, err = c.time("expires", c.Expires); err != nil {
		return p, err
	}
	if c.Unused != "" || slices.Contains(c.Clear, "unused") {
		p.Unused = new(int64)
	}
	if c.Unused != "" {
		*p.Unused, err = parseUnused(c.Unused)
	}
	return p, err
}

// time is a time that an update sets; nil: it stays.
func (c *keyUpdate) time(flag, text string) (*string, error) {
	if text == never || slices.Contains(c.Clear, flag) {
		text := never
		return &text, nil
	}
	t, err := future(flag, text)
	if t == nil || err != nil {
		return nil, err
	}
	text = t.Format(time.RFC3339Nano)
	return &text, nil
}

func (c *keyUpdate) Run(e *env, cl *client.Client) error {
	p, err := c.ask()
	if err != nil {
		return err
	}
	k, err := cl.UpdateKey(e.ctx, c.Kid, c.Version, p)
	return e.key(k, err)
}
