// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyAttempts struct {
	Kid   string `arg:"" optional:"" help:"Key id. Default: attempts with any key, and with none."`
	Limit int    `help:"How many to list, 1 to 1000." default:"100"`
}

func (c *keyAttempts) Run(e *env, cl *client.Client) error {
	p, err := cl.Attempts(e.ctx, c.Kid, c.Limit)
	if err != nil {
		return err
	}
	return print(e, p.Attempts, []string{"TIME", "OUTCOME", "SCHEME", "KID", "OWNER", "PEER", "USER-AGENT"}, func(a *api.Attempt) []string {
		return []string{moment(&a.Time), a.Outcome, a.Scheme, a.KeyID, a.Owner, a.Peer, a.UserAgent}
	})
}
