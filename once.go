// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Once makes what an actor asks for happen once. The store keeps a receipt in the
// transaction of the change; another change with the same id is [ErrRepeated].
type Once struct {
	ID      string // names what the actor asks for; unique within the tenant, made from the actor and what it chose
	Request []byte // hash of all that was asked; the same ID with another is somebody's mistake
	Sealed  Sealed // of a new key: its secret and token, for a caller who does not hear of them; set by [Authority]
}

// Receipt tells that a change was made, and what was answered.
type Receipt struct {
	Tenant  string
	ID      string    // of the [Once]
	Request []byte    // hash of all that was asked
	Verb    string    // of the event; empty: it left none
	Subject string    // of the event
	Sealed  Sealed    // the secret that nobody has read; zero: none, or it was read
	Status  int       // HTTP status of the answer; zero: the caller was not answered yet
	Answer  []byte    // body of the answer, without any secret
	Claimed time.Time // when somebody began to hand over the secret, by its own clock, UTC; zero: nobody does
	Created time.Time // UTC
}

// ReceiptStore keeps receipts. Implementations pass gatehousetest.ReceiptStore.
type ReceiptStore interface {
	// Receipt reads a receipt. ErrNotFound.
	Receipt(ctx context.Context, tenant, id string) (Receipt, error)

	// KeepAnswer stores Status and Answer with the receipt, and the whole receipt but Sealed
	// and Claimed where there is none, and returns the receipt as it then is. An answer that
	// is there already stays.
	KeepAnswer(ctx context.Context, r *Receipt) (Receipt, error)

	// ClaimSecret changes who hands over the secret of a receipt: it sets Claimed to at (zero:
	// nobody does) where there is a secret and Claimed still is seen, and reports whether it
	// did. Of all who saw the same receipt, on whichever nodes, one is told true.
	ClaimSecret(ctx context.Context, tenant, id string, seen, at time.Time) (bool, error)

	// ForgetSecret drops the sealed secret of a receipt. A receipt that is gone is no error.
	ForgetSecret(ctx context.Context, tenant, id string) error

	// PurgeReceipts deletes receipts that were made before a time: some thousands with one
	// call, so that nobody waits long for it.
	PurgeReceipts(ctx context.Context, before time.Time) error
}

// onceBinding is what the sealed secret of a receipt belongs to.
func onceBinding(tenant, id string) Binding {
	return Binding{Purpose: "receipt", Tenant: tenant, ID: id, Version: 1}
}

// keepOnce seals what the caller is about to be told, where it asks once.
func (a *Authority) keepOnce(ctx context.Context, actor *Actor, c *Created) error {
	if actor.Once == nil || c.Secret.Empty() {
		return nil
	}
	text := c.Secret.Reveal() + "\n" + c.Token.Reveal()
	sealed, err := a.sealer.Seal(ctx, onceBinding(actor.Tenant, actor.Once.ID), []byte(text))
	if err != nil {
		return dependency("seal receipt", err)
	}
	once := *actor.Once
	once.Sealed = sealed
	actor.Once = &once
	return nil
}

// Unread opens the secret of a receipt and the token, where the key has one. Both are empty
// when the receipt holds none. Only who has claimed it with ClaimSecret may hand it over, and
// drops it with ForgetSecret once it was delivered.
func (a *Authority) Unread(ctx context.Context, r *Receipt) (secret, token Secret, err error) {
	if r.Sealed.Ref == "" {
		return Secret{}, Secret{}, nil
	}
	opened, err := a.sealer.Open(ctx, onceBinding(r.Tenant, r.ID), r.Sealed)
	if err != nil {
		return Secret{}, Secret{}, dependency("open receipt", err)
	}
	defer clear(opened)
	for i, c := range opened {
		if c == '\n' {
			return NewSecret(string(opened[:i])), NewSecret(string(opened[i+1:])), nil
		}
	}
	return NewSecret(string(opened)), Secret{}, nil
}

// orRepeated is ErrRepeated where what the actor asks for once was done meanwhile, by another
// call or node, and err otherwise: what stands in its way then may be just that. It asks the
// store for a change of a version that no key has, which stores nothing.
func (a *Authority) orRepeated(ctx context.Context, actor Actor, keyID, verb string, err error) error {
	if actor.Once == nil {
		return err
	}
	none := &Key{ID: keyID, Tenant: actor.Tenant, State: StateActive, Version: -1}
	made := a.store.UpdateKey(ctx, none, NewEvent(actor, a.clock.now(), verb, keyID, OutcomeSucceeded))
	if errors.Is(made, ErrRepeated) {
		return fmt.Errorf("%s: %w", verb, ErrRepeated)
	}
	return err
}
