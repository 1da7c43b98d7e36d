// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/intake"
)

// Nobody has the made-up address of somebody else.
func TestMadeUpAddresses(t *testing.T) {
	t.Parallel()
	c := &importShield{OwnerDomain: "Import.invalid"}
	for email, refused := range map[string]bool{
		"shield-3@import.invalid": true, "SHIELD-3@IMPORT.INVALID": true, "a@sub.import.invalid": false, "import.invalid@example.com": false, "": false,
	} {
		row := intake.Row{Owner: intake.Owner{Email: email}}
		if got := c.refusal(&row); (got != "") != refused {
			t.Errorf("%s: %q", email, got)
		}
		row.Problem = "secret: missing"
		if got := c.refusal(&row); got != row.Problem {
			t.Errorf("%s: %q hides what was wrong before", email, got)
		}
	}
}

// What holds a password and is no URL is refused without being told.
func TestImportSources(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		c    importShield
		want string
	}{
		{importShield{SQLite: "shield.db"}, ""},
		{importShield{MySQL: "mysql://u:hunter2@h/d"}, ""},
		{importShield{MySQL: "mariadb://u:hunter2@h/d"}, ""},
		{importShield{Postgres: "postgresql://u:hunter2@h/d"}, ""},
		{importShield{MySQL: "u:hunter2@tcp(h)/d"}, "--mysql is no URL such as mysql://"},
		{importShield{MySQL: "postgres://u:hunter2@h/d"}, "--mysql is no URL"},
		{importShield{Postgres: "host=h password=hunter2"}, "--postgres is no URL such as postgres://"},
	} {
		err := row.c.checkSource()
		switch {
		case row.want == "" && err != nil, row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%+v: %v, want %q", row.c, err, row.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("the error holds the password: %v", err)
		}
	}
}
