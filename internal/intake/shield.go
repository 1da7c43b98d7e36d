// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/seed14544106/gatehouse"
)

// ShieldOptions say how a Shield database is to be read. The zero value reads one with
// the usual tables, no encrypted secrets and times in UTC.
type ShieldOptions struct {
	Keys       EncryptionKeys // Shield's, from [LoadKeys]
	Prefix     string         // stands before the names of both tables, as CodeIgniter's DBPrefix
	Users      string         // the table of users; empty: "users"
	Identities string         // the table of identities; empty: "auth_identities"
	Location   *time.Location // the time zone of the application; nil: UTC
}

// Shield is a database of CodeIgniter Shield, open for reading. [OpenShield] makes it;
// the zero value is not usable. It is safe for concurrent use.
type Shield struct {
	db         *sql.DB
	keys       EncryptionKeys
	location   *time.Location
	identities string
	sql        statements
	still      func() error // says after each reading whether it can be trusted
}

// pageSize is how many rows are read at once. Between pages no lock and no transaction
// is held, however long the caller takes for them.
const pageSize = 500

// OpenShield opens a Shield database. source is the path of a SQLite file, which is not
// changed and may be in use, or a URL: postgres://user:password@host:port/database?option=value as of
// libpq, or mysql://user:password@host:port/database, also for MariaDB, with the
// options tls ("true", "skip-verify", "preferred") and socket (a path, in place of host
// and port). It fails when the table of identities cannot be read. Errors do not hold
// the password, nor the path.
func OpenShield(ctx context.Context, source string, o ShieldOptions) (*Shield, error) {
	users, identities := o.Prefix+cmp.Or(o.Users, "users"), o.Prefix+cmp.Or(o.Identities, "auth_identities")
	if !isTitle(users) || !isTitle(identities) {
		return nil, errors.New("open Shield database: a table's name is of letters, digits and underscores")
	}
	db, dialect, err := openDatabase(source)
	if err != nil {
		return nil, fmt.Errorf("open Shield database: %w", err)
	}
	s := &Shield{
		db: db, keys: o.Keys, location: cmp.Or(o.Location, time.UTC), identities: identities,
		sql: newStatements(dialect, users, identities), still: dialect.still,
	}
	if _, err := s.Count(ctx); err != nil {
		return nil, fmt.Errorf("open Shield database: %w", errors.Join(err, db.Close()))
	}
	return s, nil
}

// Close ends the connections to the database.
func (s *Shield) Close() error { return s.db.Close() }

// Count returns how many rows [Shield.Rows] yields, unless the database changes
// meanwhile.
func (s *Shield) Count(ctx context.Context) (n int, err error) {
	if err := s.db.QueryRowContext(ctx, s.sql.count).Scan(&n); err != nil {
		return 0, fmt.Errorf("count keys: %w", err)
	}
	return n, nil
}

// Rows yields the HMAC keys by their ids. An error ends it and comes with a zero row.
// Name and key id are as stored; what is too long has a problem here, and of the rest
// gatehouse.Authority.Adopt says whether it passes.
//
// Ids are compared exactly, here as in Gatehouse: on MySQL, where Shield ignores case
// and trailing spaces in them, two that differ only so are two keys. Of keys with one
// id, which only a damaged database has, the first passes.
func (s *Shield) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		emails, err := s.readEmails(ctx)
		seen := map[string]int64{}
		after := int64(math.MinInt32) // below every id, and in range for every type of column
		for err == nil {
			var page []identity
			if page, err = s.read(ctx, after); err != nil {
				break
			}
			for i := range page {
				if !yield(s.row(&page[i], emails[page[i].user.String], seen), nil) {
					return
				}
				after = page[i].id
			}
			if len(page) < pageSize {
				return
			}
		}
		yield(Row{}, fmt.Errorf("read keys: %w", err))
	}
}

// identity is a row of Shield's tables. SQLite keeps any type in any column, so that
// everything but the id is read as text.
type identity struct {
	id                                  int64
	user, name, key, secret, extra      sql.NullString
	expires, lastUsed, created, updated moment
	owner, username, status, active     sql.NullString // owner is NULL where there is no user
	deleted                             moment
}

// read returns the next rows behind an id, at most pageSize.
func (s *Shield) read(ctx context.Context, after int64) (page []identity, err error) {
	err = s.query(ctx, s.sql.page, func(rows *sql.Rows) error {
		page = append(page, identity{})
		i := &page[len(page)-1]
		return rows.Scan(&i.id, &i.user, &i.name, &i.key, &i.secret, &i.extra,
			&i.expires, &i.lastUsed, &i.created, &i.updated, &i.owner, &i.username, &i.status, &i.active, &i.deleted)
	}, after)
	return page, err
}

// readEmails returns the addresses of all who have HMAC keys, by the ids of the users.
func (s *Shield) readEmails(ctx context.Context) (emails map[string]string, err error) {
	emails = map[string]string{}
	err = s.query(ctx, s.sql.emails, func(rows *sql.Rows) error {
		var user, email sql.NullString
		err := rows.Scan(&user, &email)
		emails[user.String] = email.String // of several, the first comes last and stays
		return err
	})
	return emails, err
}

// query calls each for every row.
func (s *Shield) query(ctx context.Context, text string, each func(*sql.Rows) error, args ...any) error {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return s.still()
}

// row makes a Row of an identity; email is its owner's, seen holds the keys before it.
func (s *Shield) row(i *identity, email string, seen map[string]int64) Row {
	row := Row{
		Source: fmt.Sprintf("%s %d", s.identities, i.id),
		Owner:  Owner{ExternalID: i.user.String, Username: i.username.String, Email: email, State: i.state()},
		Name:   i.name.String, KeyID: i.key.String,
		Created: i.created.in(s.location), Updated: i.updated.in(s.location),
		LastUsed: i.lastUsed.in(s.location), Expires: i.expires.in(s.location),
	}
	var found problems
	switch {
	case !i.owner.Valid:
		found.add("owner", "there is no user with this id")
	case row.Owner.State == gatehouse.PrincipalDeleted:
		found.add("owner", "deleted")
	}
	found.owner(&row.Owner)
	found.name(row.Name)
	found.size("key", row.KeyID, maxID)
	if first, twice := seen[row.KeyID]; row.KeyID == "" {
		found.add("key", "missing")
	} else if twice {
		found.add("key", fmt.Sprintf("the same as that of %s %d", s.identities, first))
	} else {
		seen[row.KeyID] = i.id
	}
	var err error
	row.Secret, err = s.keys.open(i.secret.String)
	found.err("secret", err)
	if err == nil && row.Secret.Empty() {
		found.err("secret", errMissing)
	}
	found.size("secret", row.Secret.Reveal(), maxText)
	row.Scopes, err = parseExtra(i.extra.String)
	found.err("scopes", err)
	found.scopes(row.Scopes)
	if i.expires.bad || i.lastUsed.bad || i.created.bad || i.updated.bad {
		found.add("times", "one of them is no time")
	}
	row.Problem = found.String()
	return row
}

// state is the owner's. Shield lets users who are not active in, unless its
// application wants accounts activated.
func (i *identity) state() gatehouse.PrincipalState {
	switch {
	case !i.owner.Valid:
		return ""
	case i.deleted.set():
		return gatehouse.PrincipalDeleted
	case i.status.String == "banned":
		return gatehouse.PrincipalBanned
	case i.active.String == "1" || i.active.String == "true":
		return gatehouse.PrincipalActive
	}
	return gatehouse.PrincipalPending
}
