// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"net/url"
	"testing"
)

func TestMariaDB(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("inner", func(t *testing.T) {
		u, err := url.Parse(MariaDB(t))
		if err != nil {
			t.Fatal(err)
		}
		password, ok := u.User.Password()
		if u.Scheme != "mysql" || u.Hostname() != "127.0.0.1" || u.Path != "/test" || !ok || password == "" {
			t.Errorf("a URL of another form: %s", u.Redacted())
		}
		addr = u.Host
		if err := greeting(t.Context(), addr); err != nil {
			t.Error(err)
		}
	})
	if err := dial(t.Context(), addr); err == nil {
		t.Error("the server outlives its test")
	}
}
