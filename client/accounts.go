// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/seed14544106/gatehouse/api"
)

func accountPath(ref, rest string) string { return "/v1/accounts/" + url.PathEscape(ref) + rest }

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, n api.NewAccount) (out api.Account, err error) {
	err = c.post(ctx, "/v1/accounts", n, &out)
	return out, err
}

// AccountQuery selects accounts. Zero fields do not select.
type AccountQuery struct {
	Kind    string // "account" or "service"
	Owner   string // of service accounts: e-mail address or uid of whom they belong to
	State   string // "active", "pending", "locked", "banned", "deleted" or "disabled"
	Role    string
	Limited bool   // with limits of its own
	Text    string // beginning of the e-mail address or the uid
}

func (f *AccountQuery) values() url.Values {
	q := url.Values{}
	add(q, "kind", f.Kind)
	add(q, "owner", f.Owner)
	add(q, "state", f.State)
	add(q, "role", f.Role)
	add(q, "text", f.Text)
	if f.Limited {
		q.Set("limited", "true")
	}
	return q
}

// Accounts yields the accounts and service accounts that a query selects, page by page. An
// error is the last.
func (c *Client) Accounts(ctx context.Context, f AccountQuery) iter.Seq2[api.Account, error] {
	return c.accounts(ctx, "/v1/accounts", f)
}

// AccountPage reads one page of the accounts and service accounts that a query selects.
func (c *Client) AccountPage(ctx context.Context, f AccountQuery, p Page) (out api.Accounts, err error) {
	err = c.read(ctx, path("/v1/accounts", p.add(f.values())), &out)
	return out, err
}

// ServiceAccounts yields the service accounts, of one owner (e-mail address or uid) or of
// all (empty; to who manages no others: its own), page by page. An error is the last.
func (c *Client) ServiceAccounts(ctx context.Context, owner string) iter.Seq2[api.Account, error] {
	return c.accounts(ctx, "/v1/service-accounts", AccountQuery{Owner: owner})
}

func (c *Client) accounts(ctx context.Context, from string, f AccountQuery) iter.Seq2[api.Account, error] {
	return each(func(p Page) ([]api.Account, string, error) {
		var out api.Accounts
		err := c.read(ctx, path(from, p.add(f.values())), &out)
		return out.Accounts, out.Next, err
	})
}

// Account reads an account by e-mail address or uid.
func (c *Client) Account(ctx context.Context, ref string) (out api.Account, err error) {
	err = c.read(ctx, accountPath(ref, ""), &out)
	return out, err
}

// UpdateAccount changes an account.
func (c *Client) UpdateAccount(ctx context.Context, ref string, p api.PatchAccount) (out api.Account, err error) {
	err = c.replace(ctx, http.MethodPatch, accountPath(ref, ""), 0, p, &out)
	return out, err
}

// SetAccountState changes an account's state.
func (c *Client) SetAccountState(ctx context.Context, ref, state string) (out api.Account, err error) {
	err = c.post(ctx, accountPath(ref, "/state"), api.NewState{State: state}, &out)
	return out, err
}

// ResetOTP turns an account's second factor off; its keys become inactive.
func (c *Client) ResetOTP(ctx context.Context, ref string) (out api.Account, err error) {
	err = c.post(ctx, accountPath(ref, "/reset-otp"), struct{}{}, &out)
	return out, err
}

// CreateServiceAccount makes a service account.
func (c *Client) CreateServiceAccount(ctx context.Context, n api.NewServiceAccount) (out api.Account, err error) {
	err = c.post(ctx, "/v1/service-accounts", n, &out)
	return out, err
}
