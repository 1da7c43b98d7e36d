// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/seal"
)

// vault is where the KEKs are that are in Vault.
func vault(c *config.Config) seal.Vault {
	return seal.Vault{Address: c.Vault.Address, Token: gatehouse.NewSecret(c.Vault.Token), TokenFile: c.Vault.TokenFile}
}

// keyring fills the API's need with the process's keeper.
type keyring struct{ keeper *seal.Keeper }

// List implements [rest.Keyring].
func (k keyring) List(ctx context.Context) ([]api.KeyringKey, int, error) {
	keys, unreadable, err := k.keeper.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	out := make([]api.KeyringKey, len(keys))
	for i, info := range keys {
		out[i] = keyringKey(info)
	}
	return out, unreadable, nil
}

// Add implements [rest.Keyring].
func (k keyring) Add(ctx context.Context, actor gatehouse.Actor, n api.NewKeyringKey) (api.KeyringKey, error) {
	info, err := k.keeper.Add(ctx, actor, seal.NewKey(n))
	return keyringKey(info), keyringError(err)
}

// SetPrimary implements [rest.Keyring].
func (k keyring) SetPrimary(ctx context.Context, actor gatehouse.Actor, id string) (api.KeyringKey, error) {
	info, err := k.keeper.SetPrimary(ctx, actor, id)
	return keyringKey(info), keyringError(err)
}

// Retire implements [rest.Keyring].
func (k keyring) Retire(ctx context.Context, actor gatehouse.Actor, id string) error {
	return keyringError(k.keeper.Retire(ctx, actor, id))
}

// Rewrap implements [rest.Keyring].
func (k keyring) Rewrap(ctx context.Context, actor gatehouse.Actor) (api.Rewrap, error) {
	p, err := k.keeper.Rewrap(ctx, actor)
	return rewrap(p), keyringError(err)
}

// Progress implements [rest.Keyring].
func (k keyring) Progress() api.Rewrap { return rewrap(k.keeper.Progress()) }

// keyringError turns a refusal of the keeper into the API's. Failures stay what they are.
func keyringError(err error) error {
	if e, ok := errors.AsType[*seal.RefusedError](err); ok {
		return &rest.ConflictError{Problem: e.Problem}
	}
	return err
}

func keyringKey(k seal.KeyInfo) api.KeyringKey {
	rank := "active"
	if k.Primary {
		rank = "primary"
	}
	return api.KeyringKey{
		ID: k.ID, Kind: k.Kind, Algorithm: k.Algorithm, Source: k.Source, Rank: rank, Created: k.Created, DataKeys: k.DataKeys, Records: k.Records,
	}
}

func rewrap(p seal.Progress) api.Rewrap {
	out := api.Rewrap{State: "done", KEK: p.KEK, Done: p.Done, Total: p.Total, Sealed: p.Sealed, Broken: p.Broken, Problem: p.Problem}
	switch {
	case p.Running:
		out.State = "running"
	case p.KEK == "":
		out.State = "none"
	case p.Problem != "":
		out.State = "failed"
	}
	return out
}
