// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyRotate struct {
	oneKey
	Grace     string `help:"How long the old secret works on: a duration such as 24h, 30d or 8w, or a time when it stops; 0: not at all." default:"24h" placeholder:"WHEN"`
	PublicKey string `help:"File with the next public key (PEM), for a key that has one. No secret is made." placeholder:"FILE"`
}

func (c *keyRotate) Run(e *env, cl *client.Client) error {
	var r api.Rotate
	var err error
	if r.Grace, err = parseGrace(c.Grace, time.Now()); err != nil {
		return err
	}
	if r.PublicKey, err = readPublic(c.PublicKey); err != nil {
		return err
	}
	k, err := cl.RotateKey(e.ctx, c.Kid, r)
	if err != nil {
		return err
	}
	return e.made(k)
}

type keyRotation struct {
	Show   rotationShow   `cmd:"" help:"Say where a rotation stands, who still uses the old secret, and whether it is safe to finish."`
	Finish rotationFinish `cmd:"" help:"End the old secret now."`
	Cancel rotationCancel `cmd:"" help:"Take the new secret away; the old one stays."`
	Extend rotationExtend `cmd:"" help:"Move the end of the old secret."`
}

type rotationShow struct {
	oneKey
	Quiet string `help:"For how long the old secret is to be unused, for it to be safe to finish." default:"24h" placeholder:"SPAN"`
}

func (c *rotationShow) Run(e *env, cl *client.Client) error {
	quiet, ok := parseSpan(c.Quiet)
	if !ok || quiet < time.Second {
		return usageError{errors.New("--quiet is no duration such as 24h or 7d")}
	}
	r, err := cl.Rotation(e.ctx, c.Kid, quiet)
	if err != nil {
		return err
	}
	return one(e, r, []string{"STATE", "BEGAN", "ENDS", "OLD-USES", "OLD-LAST-USED", "NEW-USES", "NEW-LAST-USED", "SAFE", "WHY"}, func(r *api.Rotation) []string {
		row := append([]string{r.State, moment(r.Began), moment(r.Ends)}, append(useCells(r.Old), useCells(r.New)...)...)
		return append(row, yesNo(r.Safe), r.Why)
	})
}

func useCells(s *api.RotationSecret) []string {
	if s == nil {
		return []string{"", ""}
	}
	return []string{strconv.FormatInt(s.Uses, 10), moment(s.LastUsed)}
}

type rotationFinish struct {
	sure
	oneKey
}

func (c *rotationFinish) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "End the old secret of the key "+printable(c.Kid)+"?"); err != nil {
		return err
	}
	return c.run(e, cl.FinishRotation)
}

type rotationCancel struct {
	sure
	oneKey
}

func (c *rotationCancel) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "End the new secret of the key "+printable(c.Kid)+"?"); err != nil {
		return err
	}
	return c.run(e, cl.CancelRotation)
}

type rotationExtend struct {
	oneKey
	Grace string `required:"" help:"How long from now the old secret works on, or a time when it stops." placeholder:"WHEN"`
}

func (c *rotationExtend) Run(e *env, cl *client.Client) error {
	grace, err := parseGrace(c.Grace, time.Now())
	if err != nil {
		return err
	}
	k, err := cl.ExtendRotation(e.ctx, c.Kid, api.Extend{Grace: grace})
	return e.key(k, err)
}
