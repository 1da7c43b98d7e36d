// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/config"
)

// What serve reads is read, and what it would refuse is refused; nothing is left behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	absent, odd, weak := filepath.Join(dir, "absent"), put("odd", "marker\n", 0o600), put("weak", "weak\n", 0o600)
	token, rules := put("token", strings.Repeat("t", 16), 0o600), put("rules", "[rules]\n\"/a\" = { key = true }\n", 0o600)
	gate := func(more ...string) map[string]string {
		set := map[string]string{"gate.listen": "127.0.0.1:0"}
		for i := 0; i < len(more); i += 2 {
			set[more[i]] = more[i+1]
		}
		return set
	}
	for want, set := range map[string]map[string]string{
		"":                                 nil,
		" ":                                gate("gate.rules_file", rules, "gate.token_file", token, "admin.email", adminEmail, "admin.password", adminPassword),
		"gate.rules_file: open":            gate("gate.rules_file", absent),
		"gate.rules_file: open rules file": gate("gate.rules_file", odd),
		"gate.token_file: stat":            gate("gate.token_file", absent),
		"gate.token_file: " + odd + ": is not one line":       gate("gate.token_file", odd),
		"proxy.ca_file: open":                                 {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "https://127.0.0.1:1", "proxy.ca_file": absent},
		"proxy.ca_file: " + odd:                               {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "https://127.0.0.1:1", "proxy.ca_file": odd},
		"barong.jwt_private_key: open":                        {"barong.jwt_private_key": absent},
		"barong.jwt_private_key: " + odd + ": not a PEM file": {"barong.jwt_private_key": odd},
		"barong.rules_file: read file":                        {"barong.rules_file": absent},
		"barong.rules_file: " + odd:                           {"barong.rules_file": odd},
		"smtp.password_file: open":                            {"smtp.address": "127.0.0.1:25", "smtp.password_file": absent},
		"vault.token_file: open":                              {"vault.token_file": absent},
		"admin.password_file: open":                           {"admin.email": adminEmail, "admin.password_file": absent},
		"does not satisfy the policy":                         {"admin.email": adminEmail, "admin.password_file": weak},
		"account.password_pattern":                            {"account.password_pattern": "("},
		"proxy.upstreams: upstream 1":                         {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "marker"},
	} {
		c := settings(t, set)
		err := Check(t.Context(), c)
		if (err == nil) != (strings.TrimSpace(want) == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marker")) {
			t.Errorf("%v: %v, want %q", set, err, want)
		}
		if _, err := os.Lstat(c.Data); err == nil {
			t.Errorf("%q: the data directory was made", want)
		}
	}
}

// The keyring of a server that runs is read; the password of its first administrator is not.
func TestCheckBesideAServer(t *testing.T) {
	t.Parallel()
	c := settings(t, nil)
	wire(t, c)
	other := c
	other.AdminEmail, other.AdminPasswordFile = adminEmail, filepath.Join(c.Data, "absent")
	other.DatabaseURL, other.RedisURL = "postgres://127.0.0.1:1/none", "redis://127.0.0.1:1"
	for _, c := range []config.Config{c, other} {
		if err := Check(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	keyring := filepath.Join(c.Data, "keyring")
	if err := os.Chmod(keyring, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), c); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a keyring that others may read: %v", err)
	}
}
