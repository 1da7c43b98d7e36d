// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/url"

	"github.com/seed14544106/gatehouse/api"
)

// Keyring reads the keyring. It holds no key material. Away from the admin socket it takes the
// scope system:read and a superadministrator, and says of no key where it is kept. All that
// changes the keyring goes through the socket.
func (c *Client) Keyring(ctx context.Context) (out api.Keyring, err error) {
	err = c.read(ctx, "/v1/keyring", &out)
	return out, err
}

// AddKeyringKey adds a KEK or pepper.
func (c *Client) AddKeyringKey(ctx context.Context, n api.NewKeyringKey) (out api.KeyringKey, err error) {
	err = c.once(ctx, "/v1/keyring/keys", n, &out)
	return out, err
}

// SetPrimaryKeyringKey makes a KEK or pepper the one that new things are made with.
func (c *Client) SetPrimaryKeyringKey(ctx context.Context, id string) (out api.KeyringKey, err error) {
	err = c.once(ctx, "/v1/keyring/keys/"+url.PathEscape(id)+"/primary", struct{}{}, &out)
	return out, err
}

// RetireKeyringKey removes a KEK or pepper that nothing refers to, and returns the rest.
func (c *Client) RetireKeyringKey(ctx context.Context, id string) (out api.Keyring, err error) {
	err = c.once(ctx, "/v1/keyring/keys/"+url.PathEscape(id)+"/retire", struct{}{}, &out)
	return out, err
}

// Rewrap begins to bring everything under the primary KEK, where it is not under way.
func (c *Client) Rewrap(ctx context.Context) (out api.Rewrap, err error) {
	err = c.once(ctx, "/v1/keyring/rewrap", struct{}{}, &out)
	return out, err
}

// RewrapProgress reads how far a rewrap has come.
func (c *Client) RewrapProgress(ctx context.Context) (out api.Rewrap, err error) {
	err = c.read(ctx, "/v1/keyring/rewrap", &out)
	return out, err
}
