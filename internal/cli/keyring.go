// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyringCommand struct {
	List    keyringList    `cmd:"" help:"List the keys of the keyring, and what refers to them. Key material is never shown."`
	Add     keyringAdd     `cmd:"" help:"Add a KEK or pepper."`
	Primary keyringPrimary `cmd:"" help:"Make a KEK or pepper the one that new things are made with."`
	Rewrap  keyringRewrap  `cmd:"" help:"Bring everything that is sealed under the primary KEK, while the server works."`
	Retire  keyringRetire  `cmd:"" help:"Remove a KEK or pepper that nothing refers to any more."`
}

type keyringList struct{}

func (c *keyringList) Run(e *env, cl *client.Client) error {
	k, err := cl.Keyring(e.ctx)
	return e.keyring(k, err)
}

// keyring prints a keyring, and says on the side where a rewrap is under way or rows
// cannot be read.
func (e *env) keyring(k api.Keyring, err error) error {
	if err != nil {
		return err
	}
	if k.Rewrap.State == rewrapRunning {
		e.tell(&k.Rewrap)
	}
	if k.Unreadable > 0 {
		_, _ = fmt.Fprintf(e.Err, "%d rows of keys cannot be read and are not counted; no pepper can be retired\n", k.Unreadable)
	}
	return print(e, k.Keys, keyringColumns, keyringRow)
}

var keyringColumns = []string{"ID", "KIND", "ALGORITHM", "SOURCE", "RANK", "CREATED", "DATA-KEYS", "RECORDS"}

func keyringRow(k *api.KeyringKey) []string {
	return []string{k.ID, k.Kind, k.Algorithm, k.Source, k.Rank, moment(&k.Created), strconv.Itoa(k.DataKeys), strconv.Itoa(k.Records)}
}

type keyringAdd struct {
	Kind      string `help:"kek or pepper." enum:"kek,pepper" default:"kek"`
	Algorithm string `help:"Of a KEK: aes-256-gcm (default), xchacha20-poly1305; one in Vault has vault-transit."`
	ID        string `help:"Its name: 1 to 32 of a-z, 0-9, - and _. Default: a random one."`
	File      string `help:"The key is in this file on the server's machine: 32 bytes, raw or in base64, mode 0600." placeholder:"PATH" xor:"source"`
	EnvFile   string `help:"The key is in this file of lines NAME=base64, mode 0600; --name says which." placeholder:"PATH" xor:"source"`
	Name      string `help:"The line of --env-file."`
	Vault     string `help:"The key is in the transit engine of Vault or OpenBao and stays there." placeholder:"MOUNT/NAME" xor:"source"`
	Primary   bool   `help:"Make it primary at once."`
}

func (c *keyringAdd) Run(e *env, cl *client.Client) error {
	n := api.NewKeyringKey{Kind: c.Kind, Algorithm: c.Algorithm, ID: c.ID, Primary: c.Primary}
	if (c.EnvFile == "") != (c.Name == "") {
		return usageError{errors.New("--env-file and --name go together")}
	}
	// The server runs in another directory.
	switch path, err := filepath.Abs(c.File + c.EnvFile); {
	case err != nil:
		return fmt.Errorf("find file: %w", err)
	case c.File != "":
		n.Source = "file:" + path
	case c.EnvFile != "":
		n.Source = "env:" + path + "#" + c.Name
	case c.Vault != "":
		n.Source = "vault:" + c.Vault
	}
	k, err := cl.AddKeyringKey(e.ctx, n)
	return e.keyring(api.Keyring{Keys: []api.KeyringKey{k}}, err)
}

type keyringPrimary struct {
	ID string `arg:"" help:"The key's id."`
}

func (c *keyringPrimary) Run(e *env, cl *client.Client) error {
	k, err := cl.SetPrimaryKeyringKey(e.ctx, c.ID)
	return e.keyring(api.Keyring{Keys: []api.KeyringKey{k}}, err)
}

type keyringRetire struct {
	ID string `arg:"" help:"The key's id."`
}

func (c *keyringRetire) Run(e *env, cl *client.Client) error {
	k, err := cl.RetireKeyringKey(e.ctx, c.ID)
	return e.keyring(k, err)
}

type keyringRewrap struct {
	Detach bool `help:"Return at once; keyring list says how far it is."`
}

// The states of a rewrap, see [api.Rewrap].
const (
	rewrapRunning = "running"
	rewrapFailed  = "failed"
)

func (c *keyringRewrap) Run(e *env, cl *client.Client) error {
	p, err := cl.Rewrap(e.ctx)
	if err == nil && !c.Detach {
		p, err = e.follow(cl, p)
	}
	if err != nil {
		return err
	}
	err = one(e, p, []string{"STATE", "KEK", "ROWS", "SEALED", "BROKEN"}, func(p *api.Rewrap) []string {
		return []string{p.State, p.KEK, fmt.Sprintf("%d/%d", p.Done, p.Total), strconv.Itoa(p.Sealed), strconv.Itoa(p.Broken)}
	})
	if err == nil && p.State == rewrapFailed {
		return errors.New(p.Problem)
	}
	return err
}

// follow tells how a rewrap comes on until it ends.
func (e *env) follow(cl *client.Client, p api.Rewrap) (api.Rewrap, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	told := p
	for p.State == rewrapRunning {
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return p, context.Cause(e.ctx)
		}
		var err error
		if p, err = cl.RewrapProgress(e.ctx); err != nil {
			return p, err
		}
		if p != told {
			e.tell(&p)
			told = p
		}
	}
	return p, nil
}

// tell says on the error output how far a rewrap is.
func (e *env) tell(p *api.Rewrap) {
	text := fmt.Sprintf("rewrap to KEK %s, %s: %d of %d rows, %d sealed again", p.KEK, p.State, p.Done, p.Total, p.Sealed)
	if p.Problem != "" {
		text += "; " + p.Problem
	}
	_, _ = fmt.Fprintln(e.Err, printable(text))
}
