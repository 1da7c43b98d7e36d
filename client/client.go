// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package client speaks the native API of a Gatehouse server.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

// Client speaks to one server. Use [Socket]. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// Socket returns a client of the server on this machine whose admin socket is at path.
func Socket(path string) *Client {
	var d net.Dialer
	return &Client{base: "http://gatehouse", http: &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}},
	}}
}

// Error is a problem that the server answered with.
type Error struct{ api.Problem }

// Error implements error.
func (e *Error) Error() string {
	text := e.Title + " (" + e.Code + ")"
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Ref != "" {
		text += " [request " + e.Ref + "]"
	}
	return text
}

// ErrNoServer says that nothing listens where the server should be.
var ErrNoServer = errors.New("no server answers; is gatehouse serve running with this --data?")

// call sends in as JSON (nil: no body) and decodes the answer into out. An answer that
// is no success is an *[Error].
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return ErrNoServer
		}
		return fmt.Errorf("call server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return decode(resp, out)
}

const maxAnswer = 64 << 20

func decode(resp *http.Response, out any) error {
	d := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 300 {
		e := &Error{api.Problem{Status: resp.StatusCode, Code: "http_" + strconv.Itoa(resp.StatusCode), Title: resp.Status}}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), api.ProblemType) {
			if err := d.Decode(&e.Problem); err != nil {
				return fmt.Errorf("read answer: %w", err)
			}
		}
		return e
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// CreateKey makes a key. The secret is in this answer only.
func (c *Client) CreateKey(ctx context.Context, n api.NewKey) (out api.CreatedKey, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/keys", n, &out)
	return out, err
}

// Keys lists keys, of one owner (e-mail address or uid) or of all (empty).
func (c *Client) Keys(ctx context.Context, owner string, offset, limit int) (out api.Keys, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/keys?"+pageQuery(owner, offset, limit), nil, &out)
	return out, err
}

// Key reads a key.
func (c *Client) Key(ctx context.Context, kid string) (out api.Key, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/keys/"+url.PathEscape(kid), nil, &out)
	return out, err
}

// DisableKey takes a key out of use, reversibly.
func (c *Client) DisableKey(ctx context.Context, kid string) (api.Key, error) {
	return c.onKey(ctx, kid, "disable")
}

// EnableKey makes a disabled key active again.
func (c *Client) EnableKey(ctx context.Context, kid string) (api.Key, error) {
	return c.onKey(ctx, kid, "enable")
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, kid string) (api.Key, error) {
	return c.onKey(ctx, kid, "revoke")
}

// RevokeKeys ends the keys of an owner (e-mail address or uid), of one scheme or of all
// (empty), and returns how many it ended.
func (c *Client) RevokeKeys(ctx context.Context, owner, scheme string) (int, error) {
	var out api.RevokedKeys
	err := c.call(ctx, http.MethodPost, "/v1/keys/revoke", api.RevokeKeys{Owner: owner, Scheme: scheme}, &out)
	return out.Revoked, err
}

func (c *Client) onKey(ctx context.Context, kid, verb string) (out api.Key, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/keys/"+url.PathEscape(kid)+"/"+verb, struct{}{}, &out)
	return out, err
}

// Import takes over keys of another system. A refused key is an answer, not an error.
func (c *Client) Import(ctx context.Context, in api.Import) (out api.Imported, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/import", in, &out)
	return out, err
}

// Verify asks for a decision. A denial is an answer, not an error.
func (c *Client) Verify(ctx context.Context, check api.Check) (out api.Decision, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/verify", check, &out)
	return out, err
}

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, n api.NewAccount) (out api.Account, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/accounts", n, &out)
	return out, err
}

// Accounts lists accounts.
func (c *Client) Accounts(ctx context.Context, offset, limit int) (out api.Accounts, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/accounts?"+pageQuery("", offset, limit), nil, &out)
	return out, err
}

// Account reads an account by e-mail address or uid.
func (c *Client) Account(ctx context.Context, ref string) (out api.Account, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/accounts/"+url.PathEscape(ref), nil, &out)
	return out, err
}

// SetAccountState changes an account's state.
func (c *Client) SetAccountState(ctx context.Context, ref, state string) (out api.Account, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/accounts/"+url.PathEscape(ref)+"/state", api.NewState{State: state}, &out)
	return out, err
}

// ResetOTP turns an account's second factor off; its keys become inactive.
func (c *Client) ResetOTP(ctx context.Context, ref string) (out api.Account, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/accounts/"+url.PathEscape(ref)+"/reset-otp", struct{}{}, &out)
	return out, err
}

func pageQuery(owner string, offset, limit int) string {
	q := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	if owner != "" {
		q.Set("owner", owner)
	}
	return q.Encode()
}
