// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"

	"github.com/seed14544106/gatehouse"
)

func (e *entry) inVault() bool { return e.algorithm == algorithmVault }

// InVault reports whether the primary KEK is in Vault, and no file holds it.
func (s *Sealer) InVault() bool {
	kek := s.keyring.keys().primary(kindKEK)
	return kek != nil && kek.inVault()
}

// Reach asks Vault whether it still opens data keys, which [Sealer.Seal] and [Sealer.Open] do
// only where one is not in memory. Under the primary KEK something new is wrapped and
// unwrapped, and under every other a data key of the store is unwrapped, as the next start
// will. It asks nobody where no KEK is in Vault. [gatehouse.ErrUnavailable]; [ErrKeyring] where
// Vault answers and its key does not open what was wrapped.
func (s *Sealer) Reach(ctx context.Context) error {
	l := s.keyring.keys()
	if l.first((*entry).inVault) == nil {
		return nil
	}
	var samples []gatehouse.DataKey
	if kek := l.primary(kindKEK); kek.inVault() {
		fresh := gatehouse.DataKey{ID: "reach", Tenant: gatehouse.DefaultTenant, Purpose: "reach"}
		if err := s.keyring.wrap(ctx, kek, &fresh, randomBytes(keySize)); err != nil {
			return err
		}
		samples = append(samples, fresh)
	}
	stored, _ := s.store.DataKeys(ctx) // a store that fails is no fault of Vault's
	samples = append(samples, stored...)
	asked := map[string]bool{}
	for i := range samples {
		kek := l.byID(kindKEK, samples[i].KEK)
		if kek == nil || !kek.inVault() || asked[kek.id] {
			continue
		}
		asked[kek.id] = true
		if _, _, err := s.keyring.unwrap(ctx, &samples[i]); err != nil {
			return err
		}
	}
	return nil
}
