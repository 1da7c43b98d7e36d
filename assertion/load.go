// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse"
)

// load reads the stored keys unless the last attempt is younger than maxAge; then it
// returns what that one returned. Its errors wrap gatehouse.ErrUnavailable.
func (k *Keys) load(ctx context.Context, maxAge time.Duration) error {
	select {
	case k.loading <- struct{}{}:
	case <-ctx.Done():
		return gatehouse.Unavailable("load signing keys", ctx.Err())
	}
	defer func() { <-k.loading }()
	now := k.now()
	if now.Sub(k.loadedAt).Abs() < maxAge {
		return k.loadErr
	}
	set, err := k.read(ctx, now)
	if err != nil {
		err = unavailable("load signing keys", err)
		// A caller who gave up says nothing about the store.
		if ctx.Err() == nil {
			k.loadedAt, k.loadErr = now, err
		}
		return err
	}
	k.loadedAt, k.loadErr = now, nil
	k.set.Store(set)
	return nil
}

// read makes the set of what is stored. A key that is loaded already is not opened
// again.
func (k *Keys) read(ctx context.Context, now time.Time) (*keySet, error) {
	rows, err := k.store.SigningKeys(ctx, k.tenant)
	if err != nil {
		return nil, err
	}
	old := k.set.Load()
	var keys []*signingKey
	var expired []string
	for i := range rows {
		row := &rows[i]
		// A newer version may store algorithms that this one cannot use.
		if !known(row.Algorithm) {
			continue
		}
		if !(&signingKey{retires: row.Retires}).published(now) {
			expired = append(expired, row.ID)
			continue
		}
		sk := old.find(row.ID)
		if sk == nil {
			if sk, err = k.open(ctx, row); err != nil {
				return nil, fmt.Errorf("open signing key %s: %w", row.ID, err)
			}
		}
		keys = append(keys, sk.with(row))
	}
	set, err := newKeySet(keys)
	if err != nil {
		return nil, err
	}
	set.expired = expired
	return set, nil
}

// unavailable wraps cause as gatehouse.Unavailable does, once.
func unavailable(what string, cause error) error {
	if errors.Is(cause, gatehouse.ErrUnavailable) {
		return fmt.Errorf("%s: %w", what, cause)
	}
	return gatehouse.Unavailable(what, cause)
}
