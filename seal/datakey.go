// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"fmt"

	"github.com/seed14544106/gatehouse"
)

// ErrKeyring: a data key in the store was wrapped by a KEK that the keyring does not
// hold, or holds with other bytes. The text of the error names both.
var ErrKeyring = errors.New("wrong keyring")

const wrapVersion = 1

// wrap encrypts dek under a KEK, bound to the data key's own fields.
func (kek *entry) wrap(k *gatehouse.DataKey, dek []byte) []byte {
	return newAEAD(kek.key).Seal([]byte{wrapVersion}, nil, dek, wrapBinding(k))
}

// unwrap returns the data key in clear. ErrKeyring.
func (kr *Keyring) unwrap(k *gatehouse.DataKey) ([]byte, error) {
	kek := kr.byID(kindKEK, k.KEK)
	if kek == nil {
		return nil, fmt.Errorf("%w: data key %q is wrapped by KEK %q, which it does not hold", ErrKeyring, k.ID, k.KEK)
	}
	if len(k.Wrapped) > 0 && k.Wrapped[0] == wrapVersion {
		dek, err := newAEAD(kek.key).Open(nil, nil, k.Wrapped[1:], wrapBinding(k))
		if err == nil && len(dek) == keySize {
			return dek, nil
		}
	}
	return nil, fmt.Errorf("%w: data key %q does not open under its KEK %q", ErrKeyring, k.ID, k.KEK)
}

func wrapBinding(k *gatehouse.DataKey) []byte {
	return fields("gatehouse.dek.v1", k.ID, k.Tenant, k.Purpose, k.KEK)
}
