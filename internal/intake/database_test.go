// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// Whatever is wrong with a source, neither the password in it nor the path is repeated.
func TestShieldSourceErrors(t *testing.T) {
	t.Parallel()
	closed, folder := testenv.Nobody, filepath.Join(t.TempDir(), "53cret")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "empty.db"), nil, 0o600),
		os.WriteFile(filepath.Join(folder, "broken.db"), []byte(strings.Repeat("x", 5000)), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"postgres://u:53cret@" + closed + "/shield?sslmode=disable",
		"postgres://u:53cret@host:port/shield",
		"postgres://u:53cret%zz@host/shield",
		"postgres://u:53cret@host/shield?sslmode=53cret",
		"postgresql://u:53cret@[::1/shield",
		"mysql://u:53cret@" + closed + "/shield",
		"mariadb://u:53cret@" + closed + "/shield",
		"mysql://u:53cret@/shield?socket=" + filepath.Join(t.TempDir(), "none"),
		"mysql://u:53cret@host:port/shield",
		"mysql://u:53cret%zz@host/shield",
		"mysql://u:53cret@host/",
		"mysql://host/53cret",
		"mysql://u:53cret@host/shield?tls=53cret",
		"mysql://u:53cret@host/shield?parseTime=53cret",
		"mysql://u:53cret@host/shield?a;b",
		"sqlserver://u:53cret@host/shield",
		"53cret://",
		"user:53cret@tcp(127.0.0.1:3306)/shield", // read as a path
		folder, filepath.Join(folder, "empty.db"), filepath.Join(folder, "broken.db"), filepath.Join(folder, "broken.db", "x"), folder + "/\x00",
	} {
		s, err := OpenShield(t.Context(), source, ShieldOptions{})
		if err == nil {
			t.Errorf("%s opens: %v", source, s.Close())
		} else if strings.Contains(err.Error(), "53cret") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}
