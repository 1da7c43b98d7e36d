// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type revocationsCommand struct{}

func (c *revocationsCommand) Run(e *env, cl *client.Client) error {
	list, err := cl.Revocations(e.ctx)
	if err != nil {
		return err
	}
	return print(e, list.Revocations, []string{"KIND", "ID", "AT"}, func(r *api.Revocation) []string { return []string{r.Kind, r.ID, moment(&r.Time)} })
}
