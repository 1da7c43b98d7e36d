// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const vectorFile = "../../testdata/vectors/shield-import.db"

// expectedFile is what the real Shield says of its database.
type expectedFile struct {
	Keys map[string]struct{ Key, Driver, Digest string } `json:"encryption_keys"`
	Data struct {
		Users []struct {
			ID       int
			Username string
			Status   *string
			Active   int
			Deleted  *string `json:"deleted_at"`
		}
		Tokens []struct {
			ID       int
			UserID   int `json:"user_id"`
			Name     string
			Key      string
			Secret   string `json:"secretKey"`
			Scopes   []string
			Expires  *string
			LastUsed *string `json:"last_used_at"`
			Created  *string `json:"created_at"`
			Updated  *string `json:"updated_at"`
		}
		Others []struct {
			UserID int `json:"user_id"`
			Type   string
			Secret string
		} `json:"other_identities"`
	} `json:"shield-import"`
}

func readExpected(t *testing.T) (f expectedFile) {
	t.Helper()
	readVectors(t, "shield-import-expected.json", &f)
	if len(f.Data.Tokens) != 26 || len(f.Data.Users) != 6 || len(f.Keys) != 4 {
		t.Fatalf("%d tokens, %d users, %d keys", len(f.Data.Tokens), len(f.Data.Users), len(f.Keys))
	}
	return f
}

func (f *expectedFile) keys() EncryptionKeys {
	keys := EncryptionKeys{}
	for title, k := range f.Keys {
		keys[title] = EncryptionKey{Key: gatehouse.NewSecret(k.Key), Driver: k.Driver, Digest: k.Digest}
	}
	return keys
}

func (f *expectedFile) owner(t *testing.T, id int) Owner {
	t.Helper()
	o := Owner{ExternalID: strconv.Itoa(id)}
	for _, u := range f.Data.Users {
		if u.ID != id {
			continue
		}
		o.Username = u.Username
		switch {
		case u.Deleted != nil:
			o.State = gatehouse.PrincipalDeleted
		case u.Status != nil:
			o.State = gatehouse.PrincipalBanned
		case u.Active == 1:
			o.State = gatehouse.PrincipalActive
		default:
			o.State = gatehouse.PrincipalPending
		}
	}
	for _, i := range f.Data.Others {
		if i.UserID == id && i.Type == "email_password" {
			o.Email = i.Secret
		}
	}
	if o.Username == "" || o.Email == "" {
		t.Fatalf("the vectors do not describe user %d", id)
	}
	return o
}

// rows are those that an import must yield, with the times at a location.
func (f *expectedFile) rows(t *testing.T, at *time.Location, identities string) (rows []Row) {
	t.Helper()
	clock := func(text *string) time.Time {
		if text == nil {
			return time.Time{}
		}
		v, err := time.ParseInLocation(time.DateTime, *text, at)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	for _, k := range f.Data.Tokens {
		row := Row{
			Source: fmt.Sprintf("%s %d", identities, k.ID), Owner: f.owner(t, k.UserID), Name: k.Name, KeyID: k.Key,
			Secret: gatehouse.NewSecret(k.Secret), Scopes: k.Scopes,
			Created: clock(k.Created), Updated: clock(k.Updated), LastUsed: clock(k.LastUsed), Expires: clock(k.Expires),
		}
		if row.Owner.State == gatehouse.PrincipalDeleted {
			row.Problem = "owner: deleted"
		}
		rows = append(rows, row)
	}
	return rows
}

func openShield(t *testing.T, source string, o ShieldOptions) *Shield {
	t.Helper()
	s, err := OpenShield(t.Context(), source, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func collect(t *testing.T, s *Shield) (rows []Row) {
	t.Helper()
	n, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range s.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if len(rows) != n {
		t.Errorf("Count says %d, there are %d", n, len(rows))
	}
	return rows
}

func compare(t *testing.T, want, got []Row) {
	t.Helper()
	if diff := gocmp.Diff(want, got, sameSecrets, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// copyVector copies the vector database and runs statements on the copy.
func copyVector(t *testing.T, statements ...string) string {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shield 100%?.db") // a name that a URL would cut
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", fileURL(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execute(t, db, statements)
	return path
}

func fileURL(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f").Replace(path)
}

func execute(t *testing.T, db *sql.DB, statements []string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.100s: %v", s, err)
		}
	}
}

func TestShieldSQLite(t *testing.T) {
	t.Parallel()
	f := readExpected(t)
	compare(t, f.rows(t, time.UTC, "auth_identities"), collect(t, openShield(t, vectorFile, ShieldOptions{Keys: f.keys()})))
}

// The columns are those that CodeIgniter makes of Shield's migration.
func TestShieldPostgres(t *testing.T) {
	t.Parallel()
	f := readExpected(t)
	url := testenv.Postgres(t)
	loadVector(t, url, `CREATE TABLE users (id SERIAL PRIMARY KEY, username VARCHAR(30), status VARCHAR(255), status_message VARCHAR(255),
		active SMALLINT NOT NULL DEFAULT 0, last_active TIMESTAMP, created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP)`,
		`CREATE TABLE auth_identities (id SERIAL PRIMARY KEY, user_id INTEGER NOT NULL, type VARCHAR(255) NOT NULL, name VARCHAR(255),
		secret VARCHAR(255) NOT NULL, secret2 VARCHAR(255), expires TIMESTAMP, extra TEXT, force_reset SMALLINT NOT NULL DEFAULT 0,
		last_used_at TIMESTAMP, created_at TIMESTAMP, updated_at TIMESTAMP, UNIQUE (type, secret))`)
	compare(t, f.rows(t, time.UTC, "auth_identities"), collect(t, openShield(t, url, ShieldOptions{Keys: f.keys()})))
}

func TestShieldMariaDB(t *testing.T) {
	t.Parallel()
	f := readExpected(t)
	url := testenv.MariaDB(t)
	loadVector(t, url, `CREATE TABLE users (id INT(11) UNSIGNED AUTO_INCREMENT PRIMARY KEY, username VARCHAR(30), status VARCHAR(255),
		status_message VARCHAR(255), active TINYINT(1) NOT NULL DEFAULT 0, last_active DATETIME, created_at DATETIME, updated_at DATETIME, deleted_at DATETIME)`,
		`CREATE TABLE auth_identities (id INT(11) UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_id INT(11) UNSIGNED NOT NULL, type VARCHAR(255) NOT NULL,
		name VARCHAR(255), secret VARCHAR(255) NOT NULL, secret2 VARCHAR(255), expires DATETIME, extra TEXT, force_reset TINYINT(1) NOT NULL DEFAULT 0,
		last_used_at DATETIME, created_at DATETIME, updated_at DATETIME, UNIQUE KEY type_secret (type, secret))`)
	want := f.rows(t, time.UTC, "auth_identities")
	compare(t, want, collect(t, openShield(t, url, ShieldOptions{Keys: f.keys()})))

	// Keys that only MySQL takes for one are two, and a date of zeros is no time.
	db, _, err := openDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // the setting is the connection's
	execute(t, db, []string{
		"SET SESSION sql_mode = ''",
		"ALTER TABLE auth_identities DROP INDEX type_secret",
		"INSERT INTO auth_identities (id, user_id, type, name, secret, secret2, extra) SELECT 40, user_id, type, name, UPPER(secret), secret2, extra FROM auth_identities WHERE id = 7",
		"UPDATE auth_identities SET expires = '0000-00-00 00:00:00' WHERE id = 8",
	})
	upper := want[0]
	upper.Source, upper.KeyID = "auth_identities 40", strings.ToUpper(upper.KeyID)
	upper.Created, upper.Updated, upper.LastUsed = time.Time{}, time.Time{}, time.Time{}
	want = append(want, upper)
	want[1].Problem = "times: one of them is no time"
	compare(t, want, collect(t, openShield(t, url, ShieldOptions{Keys: f.keys()})))
}

// loadVector makes the tables and fills them with the rows of the vector database.
func loadVector(t *testing.T, url string, tables ...string) {
	t.Helper()
	db, _, err := openDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text, err := os.ReadFile("../../testdata/vectors/shield-import.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, db, tables)
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "INSERT INTO users ") || strings.HasPrefix(line, "INSERT INTO auth_identities ") {
			execute(t, db, []string{line})
			n++
		}
	}
	if n != 6+33 {
		t.Fatalf("%d rows loaded", n)
	}
}

// A reader leaves nothing behind, whether the file is in WAL mode or not.
func TestShieldLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"DELETE", "WAL"} {
		path := copyVector(t, "PRAGMA journal_mode="+mode)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := openShield(t, path, ShieldOptions{})
		if n := len(collect(t, s)); n != 26 {
			t.Errorf("%s: %d rows", mode, n)
		}
		if _, err := s.db.ExecContext(t.Context(), "UPDATE users SET active = 0"); err == nil {
			t.Errorf("%s: the file can be written", mode)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		after, err := os.ReadFile(path)
		if err != nil || sha256.Sum256(before) != sha256.Sum256(after) {
			t.Errorf("%s: the file has changed: %v", mode, err)
		}
		files, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v; want the database alone", mode, files, err)
		}
	}
}

// A file in WAL mode that another program writes is told from one that rests.
func TestShieldWAL(t *testing.T) {
	t.Parallel()
	path := copyVector(t, "PRAGMA journal_mode=WAL")
	resting := openShield(t, path, ShieldOptions{})
	writer, err := sql.Open("sqlite", fileURL(path))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	execute(t, writer, []string{"DELETE FROM auth_identities WHERE id = 33"})
	for row, err := range resting.Rows(t.Context()) {
		if !errors.Is(err, errWritten) {
			t.Fatalf("%s: %v, want %v", row.Source, err, errWritten)
		}
	}
	if n := len(collect(t, openShield(t, path, ShieldOptions{}))); n != 25 {
		t.Errorf("%d rows, want 25: what stands in the log counts", n)
	}
}

func TestShieldProblems(t *testing.T) {
	t.Parallel()
	f := readExpected(t)
	keys := f.keys()
	delete(keys, "d384") // 33
	path := copyVector(t,
		"DROP INDEX auth_identities_type_secret",
		"UPDATE auth_identities SET user_id = 99 WHERE id = 7",
		"UPDATE auth_identities SET secret = '' WHERE id = 8",
		"UPDATE auth_identities SET secret = (SELECT secret FROM auth_identities WHERE id = 7) WHERE id = 9",
		"UPDATE auth_identities SET secret2 = NULL WHERE id = 10",
		"UPDATE auth_identities SET extra = 'a:1:{i:0;s:9:\"*\";}' WHERE id = 11",
		"UPDATE auth_identities SET extra = NULL WHERE id = 12",
		"UPDATE auth_identities SET extra = '[\"users-read\"]' WHERE id = 13",
		"UPDATE auth_identities SET expires = 'tomorrow' WHERE id = 14",
		"UPDATE auth_identities SET secret2 = '56c85232f0e5b55c05015476cd132c8d' WHERE id = 15",
		"UPDATE auth_identities SET secret2 = replace(secret2, '$k1$', '$k2$') WHERE id = 16",
		"UPDATE auth_identities SET user_id = 'x', name = 5, extra = 'a b', secret2 = x'00ff' WHERE id = 17",
		"UPDATE users SET deleted_at = '0000-00-00 00:00:00' WHERE id = 3", // 20
		"UPDATE auth_identities SET secret2 = '$b6$k3$SQZkFFT0O3INbd10VUR3pwDJYznuiVl3yKN43hOIoAJvFTO6qTjy3UKmeWtsY9E2hKfPI8jwjvAuCmAbQDNSsphy8xwE0COyg3AxSAyVhGw=' WHERE id = 18",
		"UPDATE auth_identities SET name = printf('%.900000c', 'n') WHERE id = 19",
		"UPDATE auth_identities SET name = printf('%.255c', 'n'), secret = printf('%.128c', 'k'), secret2 = printf('%.255c', 's') WHERE id = 21",
		"UPDATE auth_identities SET name = 'a' || char(27) || 'b', secret = printf('%.129c', 'k'), secret2 = printf('%.256c', 's') WHERE id = 22",
		"INSERT INTO users (id, username, active) VALUES (90, printf('%.256c', 'u'), 1), (91, 'u', 1)",
		"UPDATE auth_identities SET user_id = 90 WHERE id = 23",
		"UPDATE auth_identities SET user_id = 91 WHERE id = 25",
		"INSERT INTO auth_identities (user_id, type, secret) VALUES (91, 'email_password', printf('%.256c', 'e')), (2, 'email_password', 'later@example.com'), (5, 'email_password', 'later@example.com')",
	)
	keys["k3"] = EncryptionKey{Key: gatehouse.NewSecret("base64:kj36td3KDHeEwsOIqEinBPXgSHNsGoUshilZ2mKt6Mc=")}
	_, noScope := gatehouse.ParseScopes([]string{"a b"})
	want := map[string]string{
		"7": "owner: there is no user with this id", "8": "key: missing", "9": "key: the same as that of auth_identities 7",
		"10": "secret: missing", "11": "scopes: " + errExtra.Error(), "13": noScope.Error(), "14": "times: one of them is no time",
		"16": "secret: the encryption key with the title k2 does not open it",
		"17": "owner: there is no user with this id; secret: " + errNotPlain.Error() + "; " + noScope.Error(),
		"18": "secret: missing", "19": "name: longer than 255 characters, or holds control characters", "20": "owner: deleted", "24": "owner: deleted",
		"22": "name: longer than 255 characters, or holds control characters; key: longer than 128 bytes; secret: longer than 255 bytes",
		"23": "owner: longer than 255 bytes", "25": "owner: longer than 255 bytes",
		"33": "secret: there is no encryption key with the title d384",
	}
	for _, row := range collect(t, openShield(t, path, ShieldOptions{Keys: keys})) {
		id := strings.TrimPrefix(row.Source, "auth_identities ")
		if row.Problem != want[id] {
			t.Errorf("row %s: problem %q, want %q", id, row.Problem, want[id])
		}
		if row.Owner.Email == "later@example.com" {
			t.Errorf("row %s: the later address of the owner", id)
		}
		switch {
		case id == "12" && len(row.Scopes) != 0:
			t.Errorf("NULL becomes the scopes %q", row.Scopes)
		case id == "15" && row.Secret.Reveal() != "56c85232f0e5b55c05015476cd132c8d":
			t.Error("a secret in clear is read as another")
		case id == "17" && (row.Name != "5" || row.Owner != (Owner{ExternalID: "x"})):
			t.Errorf("name %q, owner %+v", row.Name, row.Owner)
		}
	}
}

func TestShieldOptions(t *testing.T) {
	t.Parallel()
	f := readExpected(t)
	berlin := time.FixedZone("UTC+1", 3600)
	path := copyVector(t, "ALTER TABLE users RENAME TO blog_Members", "ALTER TABLE auth_identities RENAME TO blog_auth_identities")
	s := openShield(t, path, ShieldOptions{Keys: f.keys(), Prefix: "blog_", Users: "Members", Location: berlin})
	compare(t, f.rows(t, berlin, "blog_auth_identities"), collect(t, s))

	for _, row := range []struct {
		source string
		o      ShieldOptions
		want   string
	}{
		{path, ShieldOptions{}, "no such table: auth_identities"},
		{path, ShieldOptions{Users: `users" u; --`}, "a table's name"},
		{path, ShieldOptions{Prefix: "a.b"}, "a table's name"},
		{filepath.Join(t.TempDir(), "none.db"), ShieldOptions{}, "no such file"},
	} {
		if _, err := OpenShield(t.Context(), row.source, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: %v, want %s", row.o, err, row.want)
		}
	}
}

// More keys than one page has, and callers that stop.
func TestShieldPages(t *testing.T) {
	t.Parallel()
	path := copyVector(t, "DELETE FROM auth_identities",
		`WITH RECURSIVE n(i) AS (SELECT -3 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
		INSERT INTO auth_identities (id, user_id, type, secret, secret2) SELECT i * 3, 1, iif(i % 10 = 0, 'access_token', 'hmac_sha256'), printf('%032x', i), 's' || i FROM n`)
	s := openShield(t, path, ShieldOptions{})
	rows := collect(t, s)
	if len(rows) != 1083 {
		t.Errorf("%d rows, want 1083", len(rows))
	}
	if !slices.IsSortedFunc(rows, func(a, b Row) int { return cmp.Compare(number(t, a.Source), number(t, b.Source)) }) {
		t.Error("the rows are not in the order of their ids")
	}
	for i, row := range rows {
		if row.Problem != "" || row.Secret.Empty() {
			t.Fatalf("row %d: problem %q", i, row.Problem)
		}
	}
	n := 0
	for range s.Rows(t.Context()) {
		if n++; n == 700 {
			break
		}
	}
	if n := s.db.Stats().InUse; n != 0 {
		t.Error("a caller that stops leaves a connection in use")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n = 0
	for row, err := range s.Rows(t.Context()) {
		if n++; err == nil || row.Source != "" {
			t.Errorf("a closed database: row %s, error %v", row.Source, err)
		}
	}
	if n != 1 {
		t.Errorf("a closed database yields %d times, want once", n)
	}
}

func number(t *testing.T, source string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(source, "auth_identities "))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
