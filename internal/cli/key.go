// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

type keyCommand struct {
	Create  keyCreate  `cmd:"" help:"Make keys. The secret is printed once."`
	List    keyList    `cmd:"" help:"List keys."`
	Show    keyShow    `cmd:"" help:"Show one key."`
	Disable keyDisable `cmd:"" help:"Take a key out of use, reversibly."`
	Enable  keyEnable  `cmd:"" help:"Make a disabled key active again."`
	Revoke  keyRevoke  `cmd:"" help:"End a key, or all keys of an account, for good."`
	Verify  keyVerify  `cmd:"" help:"Check a credential from standard input: a token, or header lines."`

	Attempts keyAttempts `cmd:"" help:"List the newest attempts to use a key, or keys at all."`
}

type keyCreate struct {
	format
	Owner   string   `required:"" help:"Account the key speaks for: e-mail address or uid."`
	Scheme  []string `required:"" help:"How the key is presented: barong, bearer, httpsig or shield. May be repeated, but shield with bearer only: its secret is shared with no other scheme that signs."`
	Name    string   `help:"Name, for people."`
	Scope   []string `help:"A right of the key. May be repeated. Default: none; for a key of shield alone * (all)."`
	Prefix  string   `help:"First part of a bearer token."`
	Expires string   `help:"When the key ends: a duration such as 90d or 12h, or a time such as 2027-01-31T00:00:00Z. Default: never."`
	Unused  string   `help:"How long the key may lie unused before it ends: a duration such as 365d or 8760h, 1h at least. Default: for ever; for a key of shield alone what the server's shield.unused_lifetime says."`
	Replay  string   `help:"strict: a nonce counts once; window: it may repeat." enum:"strict,window" default:"strict"`
	Count   int      `help:"How many keys to make." default:"1"`

	PublicKey string `help:"File with a public key (PEM; ed25519 or P-256) to check signatures against, for httpsig. No secret is made." placeholder:"FILE"`
}

func (c *keyCreate) Run(e *env) error {
	if c.Count < 1 {
		return usageError{errors.New("--count is at least 1")}
	}
	n := api.NewKey{Owner: c.Owner, Name: c.Name, Prefix: c.Prefix, Schemes: c.Scheme, Scopes: c.Scope, Replay: c.Replay}
	if c.Expires != "" {
		t, err := parseExpiry(c.Expires, time.Now())
		if err != nil {
			return err
		}
		n.Expires = &t
	}
	if c.Unused != "" {
		var err error
		if n.Unused, err = parseUnused(c.Unused); err != nil {
			return err
		}
	}
	if c.PublicKey != "" {
		var err error
		if n.PublicKey, err = readPublic(c.PublicKey); err != nil {
			return err
		}
	}
	cl := e.client()
	columns := append([]string{"KID", "SECRET", "TOKEN"}, keyColumns[1:]...)
	row := func(k *api.CreatedKey) []string {
		return append([]string{k.ID, k.Secret, k.Token}, keyRow(&k.Key)[1:]...)
	}
	var made []api.CreatedKey
	for range c.Count {
		k, err := cl.CreateKey(e.ctx, n)
		if err != nil {
			// What was made must not be lost: its secrets are shown nowhere else.
			if len(made) > 0 {
				err = errors.Join(print(e, c.format, made, columns, row), err)
			}
			return err
		}
		made = append(made, k)
	}
	return print(e, c.format, made, columns, row)
}

// readPublic reads a public key. A private one does not leave this machine.
func readPublic(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read public key: %w", err)
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN PUBLIC KEY-----")) || bytes.Contains(text, []byte("PRIVATE")) {
		return "", fmt.Errorf("%s: is not one PEM block PUBLIC KEY; openssl pkey -pubout makes it of a private key", path)
	}
	return string(text), nil
}

// parseExpiry reads a time, or a duration from now that may also count days.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if d, ok := parseSpan(text); ok {
		return now.Add(d).UTC(), nil
	}
	return time.Time{}, usageError{errors.New("--expires is neither a duration such as 90d or 12h nor a time such as 2027-01-31T00:00:00Z")}
}

type keyList struct {
	format
	Owner string `help:"Only keys of this account: e-mail address or uid."`
}

func (c *keyList) Run(e *env) error {
	var all []api.Key
	for {
		p, err := e.client().Keys(e.ctx, c.Owner, len(all), listPage)
		if err != nil {
			return err
		}
		all = append(all, p.Keys...)
		if len(p.Keys) == 0 || len(all) >= p.Total {
			return print(e, c.format, all, keyColumns, keyRow)
		}
	}
}

type oneKey struct {
	format
	Kid string `arg:"" help:"Key id."`
}

func (c *oneKey) run(e *env, verb func(context.Context, string) (api.Key, error)) error {
	k, err := verb(e.ctx, c.Kid)
	if err != nil {
		return err
	}
	return print(e, c.format, []api.Key{k}, keyColumns, keyRow)
}

type keyShow struct{ oneKey }

func (c *keyShow) Run(e *env) error { return c.run(e, e.client().Key) }

type keyDisable struct{ oneKey }

func (c *keyDisable) Run(e *env) error { return c.run(e, e.client().DisableKey) }

type keyEnable struct{ oneKey }

func (c *keyEnable) Run(e *env) error { return c.run(e, e.client().EnableKey) }

type keyRevoke struct {
	format
	Kid    string `arg:"" optional:"" help:"Key id."`
	All    bool   `help:"End all keys of --owner."`
	Owner  string `aliases:"principal" help:"With --all: e-mail address or uid."`
	Scheme string `help:"With --all: only keys that allow this scheme." placeholder:"NAME"`
}

func (c *keyRevoke) Run(e *env) error {
	if c.All == (c.Kid != "") || c.All != (c.Owner != "") || c.Scheme != "" && !c.All {
		return usageError{errors.New("either a key id is expected, or --all with --owner")}
	}
	if !c.All {
		one := oneKey{c.format, c.Kid}
		return one.run(e, e.client().RevokeKey)
	}
	n, err := e.client().RevokeKeys(e.ctx, c.Owner, c.Scheme)
	if err != nil {
		return err
	}
	return print(e, c.format, []api.RevokedKeys{{Revoked: n}}, []string{"REVOKED"}, func(r *api.RevokedKeys) []string {
		return []string{strconv.Itoa(r.Revoked)}
	})
}

type keyVerify struct {
	format
	Scope  []string `help:"A scope the request needs. May be repeated."`
	Peer   string   `help:"The client's address."`
	Method string   `short:"X" help:"The request's method." default:"GET"`
	URL    string   `name:"url" help:"The request's URL, for credentials that sign it." placeholder:"URL"`
	Body   string   `short:"d" help:"The request's body, for credentials that sign it: @FILE, or the text itself. Without it the body counts as not known." placeholder:"DATA"`
	NoBody bool     `help:"The request has no body."`
}

// check is the question about a request with these header fields.
func (c *keyVerify) check(headers map[string][]string) (api.Check, error) {
	q := api.Check{Method: c.Method, Target: "/", Peer: c.Peer, Headers: headers, Scopes: c.Scope}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return q, usageError{errors.New("--url is no http or https URL")}
		}
		q.Scheme, q.Authority, q.Target = u.Scheme, u.Host, u.RequestURI()
	}
	if c.Body == "" && !c.NoBody {
		return q, nil
	}
	body := []byte(c.Body)
	if path, ok := strings.CutPrefix(c.Body, "@"); ok {
		var err error
		if body, err = os.ReadFile(path); err != nil {
			return q, fmt.Errorf("read body: %w", err)
		}
	}
	q.Body = &body
	return q, nil
}

func (c *keyVerify) Run(e *env) error {
	headers, err := e.readCredential()
	if err != nil {
		return err
	}
	q, err := c.check(headers)
	if err != nil {
		return err
	}
	d, err := e.client().Verify(e.ctx, q)
	if err != nil {
		return err
	}
	err = print(e, c.format, []api.Decision{d}, []string{"GRANTED", "REASON", "STATUS", "SCHEME", "KID"}, func(d *api.Decision) []string {
		kid := ""
		if d.Key != nil {
			kid = d.Key.ID
		}
		return []string{strconv.FormatBool(d.Granted), d.Reason, strconv.Itoa(d.Status), d.Scheme, kid}
	})
	if err == nil && !d.Granted {
		return errDenied
	}
	return err
}

// readCredential reads header lines ("Name: value") or one bare token from standard
// input: a credential on a command line could be seen by every user of the machine.
func (e *env) readCredential() (map[string][]string, error) {
	text, err := e.readLines("a credential")
	if err != nil {
		return nil, err
	}
	if len(text) == 1 && !strings.Contains(text[0], ":") {
		return map[string][]string{"Authorization": {"Bearer " + strings.TrimSpace(text[0])}}, nil
	}
	headers := map[string][]string{}
	for i, line := range text {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, usageError{fmt.Errorf("line %d of standard input is no header line", i+1)}
		}
		headers[name] = append(headers[name], strings.TrimSpace(value))
	}
	return headers, nil
}
