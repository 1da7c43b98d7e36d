// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Vault's own variables are read, and ours win.
func TestVaultVariables(t *testing.T) {
	t.Parallel()
	theirs := []string{"VAULT_ADDR=https://a:8200", "VAULT_TOKEN=hvs.a", "VAULT_TOKEN_FILE=/a", "VAULT_NAMESPACE=ignored"}
	for _, row := range []struct {
		name, file string
		env        []string
		want       Vault
	}{
		{"nothing", "", nil, Vault{}},
		{"theirs", "", theirs, Vault{"https://a:8200", "hvs.a", "/a"}},
		{"over the file", "[vault]\naddress = \"https://f:8200\"\n", theirs[:1], Vault{Address: "https://a:8200"}},
		{"ours", "", append([]string{"GATEHOUSE_VAULT_ADDRESS=https://b:8200"}, theirs...), Vault{"https://b:8200", "hvs.a", "/a"}},
		{"ours, later", "", append(theirs[:3:3], "GATEHOUSE_VAULT_TOKEN_FILE=/b"), Vault{"https://a:8200", "hvs.a", "/b"}},
	} {
		c, err := Load(write(t, row.file), row.env, nil)
		if diff := cmp.Diff(row.want, c.Vault); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", row.name, err, diff)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"1": 1, "1000000": 1000000, "0": 0, "-1": 0, "1000001": 0, "1.5": 0, "many": 0, "": 0} {
		c, err := Load("", []string{"GATEHOUSE_KEYRING_REWRAP_BATCH=" + text}, nil)
		if c.RewrapBatch != want || (err == nil) != (want > 0) || err != nil && !strings.Contains(err.Error(), "keyring.rewrap_batch: is no whole number") {
			t.Errorf("%q: %d, %v", text, c.RewrapBatch, err)
		}
	}
}
