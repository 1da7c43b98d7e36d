// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every column that names a data key belongs to a table that is read when secrets are
// sealed again. A new one must be added to sealedTables and to countRefs, and here.
func TestEverySealedColumnIsSealedAgain(t *testing.T) {
	t.Parallel()
	known := map[string]string{"totp_ref": "accounts", "private_ref": "signing_keys", "sealed_ref": "receipts"}
	read := map[string]bool{}
	for _, table := range sealedTables {
		read[table.name] = true
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	column := regexp.MustCompile(`(?i)\b([a-z_]+_ref|materials|[a-z_]*sealed[a-z_]*)\s+(TEXT|BYTES)\b`)
	var found []string
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range column.FindAllStringSubmatch(string(text), -1) {
			found = append(found, strings.ToLower(m[1]))
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, []string{"materials", "private_ref", "sealed_data", "sealed_ref", "totp_ref"}) {
		t.Errorf("columns that refer to data keys: %v", found)
	}
	for name, table := range known {
		if !read[table] || !strings.Contains(countRefs, name) {
			t.Errorf("%s of %s is not read, or not counted", name, table)
		}
	}
	if !read["keys"] {
		t.Error("keys are not read")
	}
}
