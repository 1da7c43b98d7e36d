// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/config"
)

// LoadRules reads the rules of a service's routes from a TOML file with one table, rules,
// in the form of [gate.ParseRules]:
//
//	[rules]
//	"GET /api/users/{id}" = "users-read"
//	"PUT /api/users/{id}" = ["users-read", "users-write"]
//	"GET /health"         = { open = true }
func LoadRules(path string) (gate.Rules, error) {
	table, err := config.LoadRules(path)
	if err != nil {
		return nil, err
	}
	return gate.ParseRules(table)
}
