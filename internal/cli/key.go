// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyCommand struct {
	Create   keyCreate   `cmd:"" help:"Make keys. The secret is printed once."`
	List     keyList     `cmd:"" help:"List keys."`
	Show     keyShow     `cmd:"" help:"Show all of one key."`
	Update   keyUpdate   `cmd:"" help:"Change what a key may, and what is noted about it."`
	Disable  keyDisable  `cmd:"" help:"Take a key out of use, reversibly."`
	Enable   keyEnable   `cmd:"" help:"Make a disabled key active again."`
	Revoke   keyRevoke   `cmd:"" help:"End a key, or all keys that filters select, for good."`
	Delete   keyDelete   `cmd:"" help:"Take away everything but the name of a revoked key."`
	Rotate   keyRotate   `cmd:"" help:"Give a key a new secret, printed once; the old one works on for a time of grace."`
	Rotation keyRotation `cmd:"" help:"Follow a rotation, and end it."`
	Usage    keyUsage    `cmd:"" help:"Show how often a key was verified over time."`
	Attempts keyAttempts `cmd:"" help:"List the newest attempts to use a key, or keys at all."`

	Verify      keyVerify      `cmd:"" secret:"a credential is read from standard input" help:"Check a credential from standard input: a token, or header lines."`
	VerifyBatch keyVerifyBatch `cmd:"" secret:"a credential is read from standard input" help:"Check several requests from standard input: one check of the API as JSON a line. Exit code 3: one is denied."`
}

// keyBounds are what a key may, as create and update take it.
type keyBounds struct {
	limitFlags
	Scope      []string `help:"A right of the key. May be repeated. Default: none; for a new key of shield alone * (all)."`
	Network    []string `help:"Where the key may be used from: a network such as 192.0.2.0/24 or 2001:db8::/32. May be repeated. Default: anywhere." placeholder:"CIDR"`
	Method     []string `help:"A request method that the key may be used for. May be repeated. Default: any."`
	Path       []string `sep:"none" help:"A path that the key may be used for; one that ends in / holds for all below. May be repeated. Default: any."`
	SignedOnly *bool    `negatable:"" help:"Only requests that are signed."`
	NotBefore  string   `help:"When the key begins to work: a duration from now, or a time. Default: at once." placeholder:"WHEN"`
	Expires    string   `help:"When the key ends: a duration such as 90d, 8w or 12h, or a time such as 2027-01-31T00:00:00Z. Default: never." placeholder:"WHEN"`
	Unused     string   `help:"How long the key may lie unused before it ends: a duration such as 365d or 8760h, 1h at least. Default: for ever; for a new key of shield alone what the server's shield.unused_lifetime says." placeholder:"SPAN"`
	Replay     string   `help:"strict (default): a nonce counts once; window: it may repeat." enum:"strict,window," default:"" placeholder:"HOW"`
	Meta       []string `sep:"none" help:"A note about the key. May be repeated." placeholder:"NAME=VALUE"`
}

type keyCreate struct {
	keyBounds
	Scheme []string `required:"" help:"How the key is presented: barong, bearer, httpsig or shield. May be repeated, but shield with bearer only: its secret is shared with no other scheme that signs."`
	Owner  string   `required:"" help:"Account the key speaks for: e-mail address or uid."`
	Name   string   `help:"Name, for people."`
	Prefix string   `help:"First part of a bearer token."`
	Count  int      `help:"How many keys to make." default:"1"`

	PublicKey string `help:"File with a public key (PEM; ed25519 or P-256) to check signatures against, for httpsig. No secret is made." placeholder:"FILE"`
}

// ask is what is asked for.
func (c *keyCreate) ask() (n api.NewKey, err error) {
	n = api.NewKey{
		Owner: c.Owner, Name: c.Name, Prefix: c.Prefix, Schemes: c.Scheme, Scopes: c.Scope, Replay: c.Replay,
		Networks: c.Network, Methods: c.Method, Paths: c.Path, Signed: c.SignedOnly != nil && *c.SignedOnly,
	}
	if c.Count < 1 {
		return n, usageError{errors.New("--count is at least 1")}
	}
	if n.Limits, err = c.limits(); err != nil {
		return n, err
	}
	if n.Metadata, err = parseMeta(c.Meta); err != nil {
		return n, err
	}
	if n.NotBefore, err = future("not-before", c.NotBefore); err != nil {
		return n, err
	}
	if n.Expires, err = future("expires", c.Expires); err != nil {
		return n, err
	}
	if c.Unused != "" {
		if n.Unused, err = parseUnused(c.Unused); err != nil {
			return n, err
		}
	}
	n.PublicKey, err = readPublic(c.PublicKey)
	return n, err
}

func (c *keyCreate) Run(e *env, cl *client.Client) error {
	n, err := c.ask()
	if err != nil {
		return err
	}
	var made []api.CreatedKey
	for range c.Count {
		k, err := cl.CreateKey(e.ctx, n)
		if err != nil {
			// What was made must not be lost: its secrets are shown nowhere else.
			if len(made) > 0 {
				err = errors.Join(e.made(made...), err)
			}
			return ofOwner(err)
		}
		made = append(made, k)
	}
	return e.made(made...)
}

// ofOwner says what was not found, where something is made or listed: it needs no other record.
func ofOwner(err error) error {
	if p, ok := errors.AsType[*client.Error](err); ok && p.Status == http.StatusNotFound && p.Field == "" {
		return fmt.Errorf("owner: %w", err)
	}
	return err
}

// readPublic reads a public key; without a path there is none. A private one does not
// leave this machine.
func readPublic(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read public key: %w", err)
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN PUBLIC KEY-----")) || bytes.Contains(text, []byte("PRIVATE")) {
		return "", fmt.Errorf("%s: is not one PEM block PUBLIC KEY; openssl pkey -pubout makes it of a private key", path)
	}
	return string(text), nil
}

// keyFilter selects keys.
type keyFilter struct {
	Owner         string   `aliases:"principal" help:"Keys of this account: e-mail address or uid."`
	State         []string `help:"Keys in this state: active, disabled or revoked. May be repeated."`
	Scheme        string   `help:"Keys that allow this scheme." placeholder:"NAME"`
	Scope         string   `help:"Keys that have this scope."`
	ExpiresBefore string   `help:"Keys that end within a duration from now, or before a time." placeholder:"WHEN"`
	UnusedSince   string   `help:"Keys that were not used for a duration, or since a time." placeholder:"WHEN"`
	Meta          []string `sep:"none" help:"Keys with this note. May be repeated: all of them." placeholder:"NAME=VALUE"`
	Text          string   `help:"Keys whose name has words that begin so, or whose id begins so."`
}

func (f *keyFilter) query() (q client.KeyQuery, err error) {
	q = client.KeyQuery{Owner: f.Owner, States: f.State, Scheme: f.Scheme, Scope: f.Scope, Text: f.Text}
	before, err := future("expires-before", f.ExpiresBefore)
	if err != nil {
		return q, err
	}
	if before != nil {
		q.ExpiresBefore = *before
	}
	if q.UnusedSince, err = past("unused-since", f.UnusedSince); err != nil {
		return q, err
	}
	q.Metadata, err = parseMeta(f.Meta)
	return q, err
}

type keyList struct{ keyFilter }

func (c *keyList) Run(e *env, cl *client.Client) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	all, err := collect(cl.Keys(e.ctx, q))
	if err != nil {
		return ofOwner(err)
	}
	return print(e, all, keyColumns, keyRow)
}

type oneKey struct {
	Kid string `arg:"" help:"Key id."`
}

func (c *oneKey) run(e *env, verb func(context.Context, string) (api.Key, error)) error {
	k, err := verb(e.ctx, c.Kid)
	return e.key(k, err)
}

// key prints a key.
func (e *env) key(k api.Key, err error) error {
	if err != nil {
		return err
	}
	return one(e, k, keyColumns, keyRow)
}

type keyShow struct{ oneKey }

func (c *keyShow) Run(e *env, cl *client.Client) error {
	k, err := cl.Key(e.ctx, c.Kid)
	if err != nil {
		return err
	}
	return e.whole(&k)
}

type keyDisable struct{ oneKey }

func (c *keyDisable) Run(e *env, cl *client.Client) error { return c.run(e, cl.DisableKey) }

type keyEnable struct{ oneKey }

func (c *keyEnable) Run(e *env, cl *client.Client) error { return c.run(e, cl.EnableKey) }
