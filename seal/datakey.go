// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// ErrKeyring: a data key in the store was wrapped by a KEK that the keyring does not
// hold, or holds with other bytes. The text of the error names both.
var ErrKeyring = errors.New("wrong keyring")

// The formats of a wrapped data key; see the package's documentation.
const (
	wrapVersion = 1
	wrapTransit = 2
)

// recordAlgorithm is what the KEK's data keys seal records with.
func (e *entry) recordAlgorithm() byte {
	if e.algorithm == algorithmXChaCha {
		return algXChaCha20Poly1305
	}
	return algAES256GCM
}

// wrap sets k.KEK and k.Wrapped: dek encrypted under a KEK, bound to the data key's own
// fields. gatehouse.ErrUnavailable where the KEK is in Vault.
func (kr *Keyring) wrap(ctx context.Context, kek *entry, k *gatehouse.DataKey, dek []byte) error {
	k.KEK = kek.id
	if kek.algorithm != algorithmVault {
		k.Wrapped = newAEAD(kek.recordAlgorithm(), kek.key).Seal([]byte{wrapVersion}, nil, dek, wrapBinding(k))
		return nil
	}
	text, err := kr.ring.vault.encrypt(ctx, kek, dek, wrapBinding(k))
	k.Wrapped = append([]byte{wrapTransit}, text...)
	return err
}

// unwrap returns the data key in clear and what it seals with. [ErrKeyring];
// gatehouse.ErrUnavailable where the KEK is in Vault.
func (kr *Keyring) unwrap(ctx context.Context, k *gatehouse.DataKey) (dek []byte, algorithm byte, err error) {
	kek := kr.keys().byID(kindKEK, k.KEK)
	if kek == nil {
		return nil, 0, fmt.Errorf("%w: data key %q is wrapped by KEK %q, which it does not hold; "+
			"copy the keyring of a node that holds it", ErrKeyring, k.ID, k.KEK)
	}
	wrong := fmt.Errorf("%w: data key %q does not open under its KEK %q", ErrKeyring, k.ID, k.KEK)
	if len(k.Wrapped) == 0 {
		return nil, 0, wrong
	}
	format, body := k.Wrapped[0], k.Wrapped[1:]
	switch {
	case format == wrapVersion && kek.algorithm != algorithmVault:
		dek, err = newAEAD(kek.recordAlgorithm(), kek.key).Open(nil, nil, body, wrapBinding(k))
	case format == wrapTransit && kek.algorithm == algorithmVault && strings.HasPrefix(string(body), "vault:"):
		dek, err = kr.ring.vault.decrypt(ctx, kek, string(body), wrapBinding(k))
	}
	switch {
	case errors.Is(err, gatehouse.ErrUnavailable):
		return nil, 0, err
	case errors.Is(err, errCiphertext):
		return nil, 0, fmt.Errorf("%w: %w", wrong, err)
	case err != nil || len(dek) != keySize:
		return nil, 0, wrong
	}
	return dek, kek.recordAlgorithm(), nil
}

func wrapBinding(k *gatehouse.DataKey) []byte {
	return fields("gatehouse.dek.v1", k.ID, k.Tenant, k.Purpose, k.KEK)
}
