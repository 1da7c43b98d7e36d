// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/intake"
)

type importCommand struct {
	Shield   importShield   `cmd:"" help:"Take over the HMAC keys of a CodeIgniter Shield database."`
	Prefixed importPrefixed `cmd:"" help:"Take over prefixed API keys from a file of their hashes (JSON lines or CSV)."`
}

// importing is what both commands share.
type importing struct {
	DryRun         bool   `help:"Only report what would be imported."`
	ExistingOwners bool   `help:"Let keys go to ordinary accounts that are here already and have the owner's e-mail address."`
	Source         string `help:"Name of the system the keys come from, to tell its owners from those of another (default: shield, prefixed)." placeholder:"NAME"`
}

type importShield struct {
	importing
	SQLite        string        `name:"sqlite" help:"Database file of SQLite. The database is one of --sqlite, --mysql and --postgres." placeholder:"FILE" xor:"source" required:""`
	MySQL         string        `name:"mysql" help:"Database of MySQL or MariaDB: mysql://user:password@host/database." placeholder:"DSN" env:"GATEHOUSE_IMPORT_MYSQL" xor:"source" required:""`
	Postgres      string        `name:"postgres" help:"Database of PostgreSQL: postgres://user:password@host/database." placeholder:"DSN" env:"GATEHOUSE_IMPORT_POSTGRES" xor:"source" required:""`
	OwnerDomain   string        `help:"Domain of the made-up e-mail addresses of owners who have none." default:"import.invalid"`
	Keys          string        `required:"" help:"File of Shield's encryption keys: its .env, or JSON of title to key, driver and digest." placeholder:"FILE"`
	Prefix        string        `help:"Prefix of the tables' names, as CodeIgniter's DBPrefix."`
	TimeZone      string        `help:"The application's time zone, in which the database keeps times." default:"UTC"`
	IgnoreExpires bool          `help:"Do not let keys end at the time in their column expires, which Shield 1.1 does not read."`
	Activation    bool          `help:"Lock owners who are not active, as a Shield that demands activation does."`
	Unused        time.Duration `help:"How long a key may lie unused before it ends, as Shield's unusedTokenLifetime; 0: for ever." default:"8760h"`
}

func (c *importShield) Run(e *env, cl *client.Client) error {
	keys, err := intake.LoadKeys(c.Keys)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return usageError{errors.New("--time-zone: there is no such zone")}
	}
	if err := c.checkSource(); err != nil {
		return err
	}
	s, err := intake.OpenShield(e.ctx, cmp.Or(c.SQLite, c.MySQL, c.Postgres), intake.ShieldOptions{Keys: keys, Prefix: c.Prefix, Location: zone})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	c.Source = cmp.Or(c.Source, "shield")
	return c.run(e, cl, "shield", checked{s, c.refusal}, func(row *intake.Row, o *api.ImportOwner, k *api.ImportKey) {
		if o.Email == "" {
			o.Email = c.Source + "-" + row.Owner.ExternalID + "@" + c.OwnerDomain
		}
		if c.Activation && row.Owner.State == gatehouse.PrincipalPending {
			o.State = string(gatehouse.PrincipalLocked)
		}
		if c.IgnoreExpires {
			k.Expires = nil
		}
		k.Unused = int64(c.Unused / time.Second)
	})
}

// refusal is what the command itself has against a row: an address that could be the
// made-up one of somebody else.
func (c *importShield) refusal(row *intake.Row) string {
	if row.Problem == "" && strings.HasSuffix(strings.ToLower(row.Owner.Email), "@"+strings.ToLower(c.OwnerDomain)) {
		return "owner: has an address in the domain of made-up ones: choose another --owner-domain"
	}
	return row.Problem
}

// checkSource refuses what would be taken for the path of a file, and told as one, though
// it holds a password.
func (c *importShield) checkSource() error {
	for _, row := range []struct {
		flag, source string
		schemes      []string
	}{{"mysql", c.MySQL, []string{"mysql", "mariadb"}}, {"postgres", c.Postgres, []string{"postgres", "postgresql"}}} {
		scheme, _, found := strings.Cut(row.source, "://")
		if row.source != "" && (!found || !slices.Contains(row.schemes, scheme)) {
			return usageError{fmt.Errorf("--%s is no URL such as %s://user:password@host/database", row.flag, row.schemes[0])}
		}
	}
	return nil
}

type importPrefixed struct {
	importing
	File string `arg:"" help:"CSV with a line of names first, or one JSON object a line: prefix, short_token, hash (hex), owner (e-mail address, or uid of an account here), scopes (parted by spaces); and, where known, name, hash_algorithm (sha-512, sha-512-256, …), created, expires." placeholder:"FILE"`
}

func (c *importPrefixed) Run(e *env, cl *client.Client) error {
	p, err := intake.OpenPrefixed(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	c.Source = cmp.Or(c.Source, "prefixed")
	return c.run(e, cl, "bearer", p, func(row *intake.Row, o *api.ImportOwner, _ *api.ImportKey) {
		o.Email = row.Owner.ExternalID // an address or a uid, as the file's author chose
		o.Origin = strings.ToLower(o.Origin)
	})
}

// checked is a source of which the command itself has something against some rows.
type checked struct {
	source
	refusal func(*intake.Row) string
}

// Rows yields the rows of the source.
func (c checked) Rows(ctx context.Context) iter.Seq2[intake.Row, error] {
	return func(yield func(intake.Row, error) bool) {
		for row, err := range c.source.Rows(ctx) {
			if err == nil {
				row.Problem = c.refusal(&row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// source is where keys are read from.
type source interface {
	Count(ctx context.Context) (int, error)
	Rows(ctx context.Context) iter.Seq2[intake.Row, error]
}

// finish completes what is asked for a row.
type finish func(row *intake.Row, o *api.ImportOwner, k *api.ImportKey)

// imports is an import under way.
type imports struct {
	*importing
	e        *env
	client   *client.Client
	scheme   string
	finish   finish
	progress progress

	batch   []intake.Row
	refused []refusal
	news    int
	same    int
	owners  map[string]bool // that accounts were made for
	there   map[string]bool // that had an account, made by no import
}

// importBatch is how many keys are written in one transaction.
const importBatch = 250

func (c *importing) run(e *env, cl *client.Client, scheme string, s source, finish finish) error {
	total, err := s.Count(e.ctx)
	if err != nil {
		return err
	}
	i := &imports{importing: c, e: e, client: cl, scheme: scheme, finish: finish, progress: newProgress(e.Err, total), owners: map[string]bool{}, there: map[string]bool{}}
	for row, err := range s.Rows(e.ctx) {
		if err == nil {
			err = i.add(row)
		}
		if err != nil {
			return i.stop(err)
		}
	}
	return i.stop(i.send())
}

func (i *imports) add(row intake.Row) error {
	i.progress.step()
	if row.Problem != "" {
		i.refuse(&row, row.Problem)
		return nil
	}
	i.batch = append(i.batch, row)
	if len(i.batch) < importBatch {
		return nil
	}
	return i.send()
}

// send writes the batch. The server writes all of it or nothing: rows that it refuses are
// taken out, and the rest is sent again.
func (i *imports) send() error {
	for len(i.batch) > 0 {
		out, err := i.client.Import(i.e.ctx, i.ask())
		if err != nil {
			return err
		}
		if len(out.Keys) != len(i.batch) {
			return errors.New("the server answered for another number of keys than it was asked for")
		}
		var good []intake.Row
		for n := range out.Keys {
			if out.Keys[n].Outcome == "refused" {
				i.refuse(&i.batch[n], out.Keys[n].Problem)
			} else {
				good = append(good, i.batch[n])
			}
		}
		if out.Written || i.DryRun { // of a batch with one that is refused none is made
			for _, o := range out.Owners {
				i.owners[o] = true
			}
		}
		for _, o := range out.Existing {
			i.there[o] = true
		}
		if !i.DryRun && !out.Written && len(good) < len(i.batch) {
			i.batch = good
			continue
		}
		for n := range out.Keys {
			switch out.Keys[n].Outcome {
			case "new":
				i.news++
			case "same":
				i.same++
			}
		}
		i.batch = i.batch[:0]
	}
	return nil
}

// ask is the batch as the server takes it.
func (i *imports) ask() api.Import {
	in := api.Import{Scheme: i.scheme, DryRun: i.DryRun, ExistingOwners: i.ExistingOwners}
	seen := map[string]bool{}
	for n := range i.batch {
		row := &i.batch[n]
		o := api.ImportOwner{
			Email: row.Owner.Email, Username: row.Owner.Username, State: string(row.Owner.State), Origin: i.Source + ":" + row.Owner.ExternalID,
		}
		k := api.ImportKey{
			ID: row.KeyID, Name: row.Name, Prefix: row.Prefix, Scopes: row.Scopes, Secret: row.Secret.Reveal(), Hash: row.Hash,
			HashName: row.HashName, Created: stamp(row.Created), LastUsed: stamp(row.LastUsed), Expires: stamp(row.Expires),
		}
		i.finish(row, &o, &k)
		if k.Owner = o.Email; !seen[o.Origin] {
			seen[o.Origin] = true
			in.Owners = append(in.Owners, o)
		}
		in.Keys = append(in.Keys, k)
	}
	return in
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
