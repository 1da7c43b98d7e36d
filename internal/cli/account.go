// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/seed14544106/gatehouse/api"
)

type accountCommand struct {
	Create   accountCreate   `cmd:"" help:"Make an account. Its password is read from standard input with --password-stdin."`
	List     accountList     `cmd:"" help:"List accounts."`
	Show     accountShow     `cmd:"" help:"Show one account."`
	State    accountState    `cmd:"" help:"Change an account's state. Leaving active disables its keys."`
	ResetOTP accountResetOTP `cmd:"" name:"reset-otp" help:"Turn an account's second factor off. Its keys become inactive."`
}

type accountCreate struct {
	format
	Email         string `arg:"" help:"E-mail address."`
	Username      string `help:"User name, 4 to 12 letters or digits."`
	Role          string `help:"Role." default:"member"`
	Level         int    `help:"Level."`
	State         string `help:"State." enum:"active,pending,locked,banned" default:"active"`
	PasswordStdin bool   `help:"Read the password from standard input. Without it the account cannot sign in."`
}

func (c *accountCreate) Run(e *env) error {
	n := api.NewAccount{Email: c.Email, Username: c.Username, Role: c.Role, Level: c.Level, State: c.State}
	if c.PasswordStdin {
		var err error
		if n.Password, err = e.readSecret("the password"); err != nil {
			return err
		}
	}
	a, err := e.client().CreateAccount(e.ctx, n)
	return e.account(c.format, a, err)
}

type accountList struct{ format }

func (c *accountList) Run(e *env) error {
	var all []api.Account
	for {
		p, err := e.client().Accounts(e.ctx, len(all), listPage)
		if err != nil {
			return err
		}
		all = append(all, p.Accounts...)
		if len(p.Accounts) == 0 || len(all) >= p.Total {
			return print(e, c.format, all, accountColumns, accountRow)
		}
	}
}

// listPage is how many records one call of a list asks for.
const listPage = 500

type accountShow struct {
	format
	Account string `arg:"" help:"E-mail address or uid."`
}

func (c *accountShow) Run(e *env) error {
	a, err := e.client().Account(e.ctx, c.Account)
	return e.account(c.format, a, err)
}

type accountState struct {
	format
	Account string `arg:"" help:"E-mail address or uid."`
	State   string `arg:"" help:"New state: active, pending, locked, banned or deleted." enum:"active,pending,locked,banned,deleted"`
}

func (c *accountState) Run(e *env) error {
	a, err := e.client().SetAccountState(e.ctx, c.Account, c.State)
	return e.account(c.format, a, err)
}

type accountResetOTP struct {
	format
	Account string `arg:"" help:"E-mail address or uid."`
}

func (c *accountResetOTP) Run(e *env) error {
	a, err := e.client().ResetOTP(e.ctx, c.Account)
	return e.account(c.format, a, err)
}

func (e *env) account(f format, a api.Account, err error) error {
	if err != nil {
		return err
	}
	return print(e, f, []api.Account{a}, accountColumns, accountRow)
}
