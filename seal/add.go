// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// NewKey asks for a key in the keyring.
type NewKey struct {
	Kind      string // "kek" or "pepper"; empty: "kek"
	Algorithm string // empty: aes-256-gcm for a KEK, vault-transit for one in Vault
	ID        string // empty: a random one
	Source    string // file:, env: or vault:, as in the file; empty: 32 fresh random bytes, in the file
	Primary   bool   // new things are made with it from now on
}

// Add adds a key to the keyring. A KEK in Vault is tried first.
//
// *[gatehouse.InvalidError] with field "kind", "algorithm", "id" or "source";
// [gatehouse.ErrExists] where the id is taken; *[RefusedError];
// [gatehouse.ErrUnavailable].
func (k *Keeper) Add(ctx context.Context, actor gatehouse.Actor, n NewKey) (KeyInfo, error) {
	e, err := k.newEntry(n)
	if err != nil {
		return KeyInfo{}, err
	}
	if e.algorithm == algorithmVault {
		if err := k.c.Sealer.keyring.ring.vault.probe(ctx, &e); err != nil {
			return KeyInfo{}, err
		}
	}
	rank := gatehouse.Change{After: rankActive}
	if n.Primary {
		rank.After = rankPrimary
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err = k.change(ctx, actor, VerbAdd, &e, rank, func(l keys) (keys, error) {
		for i := range l {
			switch {
			case l[i].id == e.id:
				return nil, fmt.Errorf("key %q: %w", e.id, gatehouse.ErrExists)
			case l[i].kind == e.kind && e.source != "" && l[i].source == e.source, e.key != nil && bytes.Equal(l[i].key, e.key):
				return nil, &gatehouse.InvalidError{Field: "source", Problem: "is the key that is there as " + l[i].id}
			}
		}
		l = append(l, e)
		if !n.Primary {
			return l, nil
		}
		return k.promote(l, e.id)
	})
	if err != nil {
		return KeyInfo{}, err
	}
	return k.info(e.id), nil
}

// newEntry makes the key that is asked for.
func (k *Keeper) newEntry(n NewKey) (entry, error) {
	if n.Kind == "" {
		n.Kind = kindKEK
	}
	if n.Kind != kindKEK && n.Kind != kindPepper {
		return entry{}, &gatehouse.InvalidError{Field: "kind", Problem: "is neither kek nor pepper"}
	}
	e := newEntry(n.Kind, k.c.Sealer.now())
	if n.ID != "" {
		e.id = n.ID
	}
	switch {
	case !validID(e.id):
		return entry{}, &gatehouse.InvalidError{Field: "id", Problem: idForm}
	case n.Algorithm != "":
		e.algorithm = n.Algorithm
	case n.Kind == kindKEK && strings.HasPrefix(n.Source, "vault:"):
		e.algorithm = algorithmVault
	}
	if !slices.Contains(algorithmsOf(e.kind), e.algorithm) {
		return entry{}, &gatehouse.InvalidError{Field: "algorithm", Problem: "is none of " + strings.Join(algorithmsOf(e.kind), ", ")}
	}
	if n.Source != "" {
		e.source, e.key = n.Source, nil
		if err := e.checkSource(); err != nil {
			return entry{}, &gatehouse.InvalidError{Field: "source", Problem: err.Error()}
		}
		if err := e.load(); err != nil {
			return entry{}, &gatehouse.InvalidError{Field: "source", Problem: err.Error()}
		}
	} else if e.algorithm == algorithmVault {
		return entry{}, &gatehouse.InvalidError{Field: "source", Problem: errVaultSource.Error()}
	}
	return e, nil
}
