// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type accountCommand struct {
	Create      accountCreate      `cmd:"" secret:"a password is read from standard input" help:"Make an account. Its password is read from standard input with --password-stdin."`
	List        accountList        `cmd:"" help:"List accounts and service accounts."`
	Show        accountShow        `cmd:"" help:"Show one account."`
	Update      accountUpdate      `cmd:"" help:"Change an account's role, level or limits."`
	SetPassword accountSetPassword `cmd:"" secret:"a password is read from standard input" help:"Give a person another password, on the server's machine. All sessions of the account end."`
	State       accountState       `cmd:"" help:"Change an account's state. Leaving active disables its keys."`
	ResetOTP    accountResetOTP    `cmd:"" name:"reset-otp" help:"Turn an account's second factor off. Its keys become inactive."`
}

type accountCreate struct {
	Email         string `arg:"" help:"E-mail address."`
	Username      string `help:"User name, 4 to 12 letters or digits."`
	Role          string `help:"Role." default:"member"`
	Level         int    `help:"Level."`
	State         string `help:"State." enum:"active,pending,locked,banned" default:"active"`
	PasswordStdin bool   `help:"Read the password from standard input. Without it the account cannot sign in."`
}

func (c *accountCreate) Run(e *env, cl *client.Client) error {
	n := api.NewAccount{Email: c.Email, Username: c.Username, Role: c.Role, Level: c.Level, State: c.State}
	if c.PasswordStdin {
		var err error
		if n.Password, err = e.readSecret("the password"); err != nil {
			return err
		}
	}
	a, err := cl.CreateAccount(e.ctx, n)
	if err == nil && !c.PasswordStdin {
		_, _ = fmt.Fprintln(e.Err, printable("The account has no password, so nobody can sign in with it. On the server's machine one is set by: gatehouse "+e.inTenant()+"account set-password "+c.Email+" --password-stdin"))
	}
	return e.accounts([]api.Account{a}, err)
}

type accountList struct {
	Kind    string `help:"Only these: account or service." enum:"account,service," default:"" placeholder:"KIND"`
	Owner   string `help:"Only service accounts of this account: e-mail address or uid."`
	State   string `help:"Only accounts in this state."`
	Role    string `help:"Only accounts with this role."`
	Limited bool   `help:"Only accounts with limits of their own."`
	Text    string `help:"Only accounts whose e-mail address or uid begins so."`
}

func (c *accountList) Run(e *env, cl *client.Client) error {
	all, err := collect(cl.Accounts(e.ctx, client.AccountQuery(*c)))
	return e.accounts(all, ofOwner(err))
}

type accountShow struct {
	Account string `arg:"" help:"E-mail address or uid."`
}

func (c *accountShow) Run(e *env, cl *client.Client) error {
	a, err := cl.Account(e.ctx, c.Account)
	return e.accounts([]api.Account{a}, err)
}

type accountState struct {
	Account string `arg:"" help:"E-mail address or uid."`
	State   string `arg:"" help:"New state: active, pending, locked, banned or deleted." enum:"active,pending,locked,banned,deleted"`
}

func (c *accountState) Run(e *env, cl *client.Client) error {
	a, err := cl.SetAccountState(e.ctx, c.Account, c.State)
	if err == nil {
		e.warnOfNoAdministrator(cl, a.Role)
	}
	return e.accounts([]api.Account{a}, err)
}

type accountSetPassword struct {
	Account       string `arg:"" help:"E-mail address or uid."`
	PasswordStdin bool   `required:"" help:"Read the password from standard input."`
}

func (c *accountSetPassword) Run(e *env, cl *client.Client) error {
	password, err := e.readSecret("the password")
	if err != nil {
		return err
	}
	a, err := cl.UpdateAccount(e.ctx, c.Account, api.PatchAccount{Password: &password})
	return e.accounts([]api.Account{a}, err)
}

type accountResetOTP struct {
	Account string `arg:"" help:"E-mail address or uid."`
}

func (c *accountResetOTP) Run(e *env, cl *client.Client) error {
	a, err := cl.ResetOTP(e.ctx, c.Account)
	return e.accounts([]api.Account{a}, err)
}

type accountUpdate struct {
	limitFlags
	Account string   `arg:"" help:"E-mail address or uid."`
	Role    *string  `help:"Role."`
	Level   *int     `help:"Level."`
	Clear   []string `help:"What to take away: limits." enum:"limits"`
}

func (c *accountUpdate) Run(e *env, cl *client.Client) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	before := api.Account{}
	if c.Role != nil && *c.Role != superadmin {
		before, _ = cl.Account(e.ctx, c.Account) // for a warning: who may not read gets none
	}
	a, err := cl.UpdateAccount(e.ctx, c.Account, api.PatchAccount{Role: c.Role, Level: c.Level, Limits: changed(limits, c.Clear, "limits")})
	if err == nil {
		e.warnOfNoAdministrator(cl, before.Role)
	}
	return e.accounts([]api.Account{a}, err)
}

type serviceAccountCommand struct {
	Create serviceAccountCreate `cmd:"" help:"Make a service account."`
	List   serviceAccountList   `cmd:"" help:"List service accounts. Other commands on them are those of account."`
}

type serviceAccountCreate struct {
	limitFlags
	Name  string `arg:"" help:"User name, 4 to 12 letters or digits."`
	Owner string `help:"Account that it belongs to: e-mail address or uid. Default: none."`
	Role  string `help:"Role. Default: member."`
}

func (c *serviceAccountCreate) Run(e *env, cl *client.Client) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	a, err := cl.CreateServiceAccount(e.ctx, api.NewServiceAccount{Name: c.Name, Owner: c.Owner, Role: c.Role, Limit: limits})
	return e.accounts([]api.Account{a}, ofOwner(err))
}

type serviceAccountList struct {
	Owner string `help:"Only those of this account: e-mail address or uid."`
}

func (c *serviceAccountList) Run(e *env, cl *client.Client) error {
	all, err := collect(cl.ServiceAccounts(e.ctx, c.Owner))
	if err != nil {
		return err
	}
	return print(e, all, []string{"UID", "NAME", "OWNER", "ROLE", "LEVEL", "STATE", "LIMITS", "CREATED"}, func(a *api.Account) []string {
		return []string{a.UID, a.Username, a.Owner, a.Role, strconv.Itoa(a.Level), a.State, limitsText(a.Limits), moment(&a.Created)}
	})
}

const superadmin = "superadmin" // the role of who may do everything

// warnOfNoAdministrator says so where a change of an account that had this role left no person
// who may do everything. On the server's machine that is allowed, and elsewhere refused.
func (e *env) warnOfNoAdministrator(cl *client.Client, role string) {
	if role != superadmin {
		return
	}
	for a, err := range cl.Accounts(e.ctx, client.AccountQuery{Kind: "account", Role: role}) {
		if err != nil || gatehouse.PrincipalState(a.State).MayAct() {
			return
		}
	}
	_, _ = fmt.Fprintln(e.Err, "gatehouse: nobody is left who may do everything: no superadmin is active. On the server's machine you can make one.")
}

// accounts prints accounts.
func (e *env) accounts(all []api.Account, err error) error {
	if err != nil {
		return err
	}
	return print(e, all, accountColumns, accountRow)
}
