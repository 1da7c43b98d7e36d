// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyRevoke struct {
	sure
	keyFilter
	Kid    string `arg:"" optional:"" help:"Key id."`
	All    bool   `help:"End all keys that the filters select; there is at least one filter."`
	Reason string `help:"Why; kept in the audit log." placeholder:"TEXT"`
}

func (c *keyRevoke) Run(e *env, cl *client.Client) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if filtered := c.filtered(); c.All == (c.Kid != "") || c.All != filtered {
		return usageError{errors.New("either a key id is expected, or --all with --owner or another filter")}
	}
	switch {
	case !c.All:
		if err := c.confirm(e, "End the key "+printable(c.Kid)+"?"); err != nil {
			return err
		}
		begin := time.Now()
		k, err := cl.RevokeKey(e.ctx, c.Kid, c.Reason)
		if err == nil {
			_, _ = fmt.Fprintf(e.Err, "in force everywhere after %v\n", time.Since(begin).Round(time.Millisecond))
		}
		return e.key(k, err)
	case c.owned():
		if err := c.confirm(e, "End the keys of "+printable(c.Owner)+"?"); err != nil {
			return err
		}
		n, err := cl.RevokeKeys(e.ctx, c.Owner, c.Scheme)
		return e.revoked(n, ofOwner(err))
	}
	n, err := c.each(e, cl, q)
	return e.revoked(n, err)
}

// filtered reports whether a filter is set.
func (c *keyRevoke) filtered() bool {
	f := &c.keyFilter
	return c.owned() || f.Owner+f.Scheme+f.Scope+f.ExpiresBefore+f.UnusedSince+f.Text != "" || len(f.State)+len(f.Meta) > 0
}

// owned reports whether the server can do it all at once.
func (c *keyRevoke) owned() bool {
	f := &c.keyFilter
	return f.Owner != "" && c.Reason == "" && f.Scope+f.ExpiresBefore+f.UnusedSince+f.Text == "" && len(f.State)+len(f.Meta) == 0
}

// each ends the keys that a query selects, one after the other. Those that were ended stay
// so when one cannot be.
func (c *keyRevoke) each(e *env, cl *client.Client, q client.KeyQuery) (int, error) {
	var ids []string
	for k, err := range cl.Keys(e.ctx, q) {
		if err != nil {
			return 0, ofOwner(err)
		}
		if k.State != "revoked" {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) > 0 {
		if err := c.confirm(e, fmt.Sprintf("End %d keys?", len(ids))); err != nil {
			return 0, err
		}
	}
	bar := newProgress(e.Err, len(ids))
	defer bar.end()
	for n, kid := range ids {
		if _, err := cl.RevokeKey(e.ctx, kid, c.Reason); err != nil {
			return n, fmt.Errorf("%w\nOf %d keys %d were ended and stay so; run it again for the rest", err, len(ids), n)
		}
		bar.step()
	}
	return len(ids), nil
}

// revoked prints how many keys were ended.
func (e *env) revoked(n int, err error) error {
	if err != nil {
		return err
	}
	return one(e, api.RevokedKeys{Revoked: n}, []string{"REVOKED"}, func(r *api.RevokedKeys) []string {
		return []string{strconv.Itoa(r.Revoked)}
	})
}

type keyDelete struct {
	sure
	oneKey
}

func (c *keyDelete) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "Delete the key "+printable(c.Kid)+"?"); err != nil {
		return err
	}
	return cl.DeleteKey(e.ctx, c.Kid)
}

type selfCommand struct {
	Show   selfShow   `cmd:"" default:"1" help:"Say who the command line is to the server, and what it may do."`
	Revoke selfRevoke `cmd:"" help:"End the key that the command line uses, for good."`
}

type selfShow struct{}

func (c *selfShow) Run(e *env, cl *client.Client) error {
	s, err := cl.Self(e.ctx)
	if err != nil {
		return err
	}
	if e.format != "table" {
		return e.plain(s)
	}
	return e.fields(selfFields(&s))
}

func selfFields(s *api.Self) []field {
	var kid, account []string
	if s.Key != nil {
		kid = []string{s.Key.ID}
	}
	if s.Account != nil {
		account = []string{s.Account.UID}
	}
	return []field{
		{"kid", kid}, {"account", account}, {"tenant", []string{s.Tenant}}, {"everyone", []string{yesNo(s.Everyone)}}, {"scope", s.Scopes},
		{"ends", []string{moment(s.Ends)}},
	}
}

type selfRevoke struct {
	sure
	Reason string `help:"Why; kept in the audit log." placeholder:"TEXT"`
}

func (c *selfRevoke) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "End the key that this command line uses?"); err != nil {
		return err
	}
	k, err := cl.RevokeSelf(e.ctx, c.Reason)
	return e.key(k, err)
}
