// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"syscall"
	"testing"
)

func TestPostgresServer(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("inner", func(t *testing.T) {
		s := PostgresServer(t, "log_connections=on")
		addr = s.Addr()
		db, admin := open(t, s.URL()), open(t, s.Admin())
		if got := value(t, db, "show log_connections"); got != "on" {
			t.Errorf("the setting is %s", got)
		}
		if got := value(t, db, "show fsync"); got != "on" {
			t.Errorf("fsync is %s", got)
		}
		if _, err := db.ExecContext(t.Context(), "create table t as select 'kept' as word"); err != nil {
			t.Fatal(err)
		}
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
			s.Stop(sig)
			if err := dial(t.Context(), addr); err == nil {
				t.Errorf("%v: the server still listens", sig)
			}
			s.Start()
			if got := value(t, open(t, s.URL()), "select word from t"); got != "kept" {
				t.Errorf("%v: read %q", sig, got)
			}
		}
		if got := value(t, admin, "select rolsuper from pg_roles where rolname = current_user"); got != "true" {
			t.Error("the administrator is none")
		}
	})
	if err := dial(t.Context(), addr); err == nil {
		t.Error("the server outlives its test")
	}
}
