// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialect is how one kind of database wants to be asked.
type dialect struct {
	quote string       // around names
	param string       // the first parameter
	still func() error // says after each reading whether it can be trusted
}

func always() error { return nil }

const connectTimeout = 10 * time.Second // where a URL names none

var (
	errPostgresURL = errors.New("not a URL of the form postgres://user:password@host:port/database?option=value")
	errMySQLURL    = errors.New("not a URL of the form mysql://user:password@host:port/database?tls=true or ...?socket=PATH")
)

// openDatabase opens what source names. Nothing is read yet. What the drivers say of a
// source that they cannot read would repeat it, password and all.
func openDatabase(source string) (*sql.DB, dialect, error) {
	scheme, _, isURL := strings.Cut(source, "://")
	switch {
	case !isURL:
		db, still, err := openSQLite(source)
		return db, dialect{quote: `"`, param: "?", still: still}, err
	case scheme == "postgres" || scheme == "postgresql":
		config, err := pgx.ParseConfig(source)
		if err != nil {
			return nil, dialect{}, errPostgresURL
		}
		if config.ConnectTimeout == 0 {
			config.ConnectTimeout = connectTimeout
		}
		return stdlib.OpenDB(*config), dialect{quote: `"`, param: "$1", still: always}, nil
	case scheme == "mysql" || scheme == "mariadb":
		db, err := openMySQL(source)
		return db, dialect{quote: "`", param: "?", still: always}, err
	}
	return nil, dialect{}, errors.New("neither a file nor a URL that begins with postgres:// or mysql://")
}

// openMySQL reads a URL; its two options are tls, as the driver knows it, and socket.
func openMySQL(source string) (*sql.DB, error) {
	u, err := url.Parse(source)
	if err != nil || u.User == nil || u.Fragment != "" {
		return nil, errMySQLURL
	}
	c := mysql.NewConfig()
	c.Logger = &mysql.NopLogger{}
	c.Timeout = connectTimeout
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr += ":3306"
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil || c.DBName == "" {
		return nil, errMySQLURL
	}
	for name, values := range options {
		switch name {
		case "tls":
			c.TLSConfig = values[0]
		case "socket":
			c.Net, c.Addr = "unix", values[0]
		default:
			return nil, errMySQLURL
		}
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errMySQLURL
	}
	return sql.OpenDB(connector), nil
}

// moment scans a time that the database keeps without a zone.
type moment struct {
	wall time.Time // its clock counts, its zone does not; zero: NULL
	bad  bool      // there is something, and it is no time
}

// Scan implements sql.Scanner. It never fails: one broken value must not end the
// reading of all.
func (m *moment) Scan(value any) error {
	*m = moment{}
	switch v := value.(type) {
	case nil:
	case time.Time:
		m.wall = v
	case []byte:
		m.parse(string(v))
	case string:
		m.parse(v)
	default:
		m.bad = true
	}
	return nil
}

func (m *moment) parse(text string) {
	var err error
	m.wall, err = time.Parse(time.DateTime, text)
	m.bad = err != nil
}

// set reports whether the column is not NULL.
func (m *moment) set() bool { return m.bad || !m.wall.IsZero() }

// in returns the time as UTC, taking its clock for one at the location.
func (m *moment) in(l *time.Location) time.Time {
	if m.wall.IsZero() {
		return time.Time{}
	}
	t := m.wall
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), l).UTC()
}

// statements are the SQL for one pair of tables.
type statements struct{ count, page, emails string }

// newStatements writes them. Pages go by id. COALESCE does nothing but keep the
// database from the index on (type, secret), through which it would find every key anew
// for each page, and sort them.
func newStatements(d dialect, users, identities string) statements {
	users, identities = d.quote+users+d.quote, d.quote+identities+d.quote
	return statements{
		count: "SELECT count(*) FROM " + identities + " WHERE type = 'hmac_sha256'",
		page: fmt.Sprintf(`SELECT i.id, i.user_id, i.name, i.secret, i.secret2, i.extra,
	i.expires, i.last_used_at, i.created_at, i.updated_at, u.id, u.username, u.status, u.active, u.deleted_at
FROM %s i LEFT JOIN %s u ON u.id = i.user_id
WHERE COALESCE(i.type, '') = 'hmac_sha256' AND i.id > %s ORDER BY i.id LIMIT %d`,
			identities, users, d.param, pageSize),
		emails: fmt.Sprintf(`SELECT user_id, secret FROM %[1]s
WHERE type = 'email_password' AND user_id IN (SELECT user_id FROM %[1]s WHERE type = 'hmac_sha256') ORDER BY id DESC`, identities),
	}
}
