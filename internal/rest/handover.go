// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// A new secret is told to one of all who ask under the same Idempotency-Key. Who is about to
// tell it claims it first; the database lets one of several do so, on whichever nodes they
// are. It is dropped when it was written to a client that was there, and free again when it
// could not be. The claim of a process that died in between runs out.

// claimed is how long a claim keeps others away: more than a request may take, and a minute by
// which the clocks of two nodes may differ.
const claimed = 90 * time.Second

// look is how often one who waits for another's claim looks at it.
const look = 25 * time.Millisecond

// handOver answers with the secret of a receipt if it falls to this caller, and otherwise as
// is answered to all others. body is the answer with the secret.
func (h *Handler) handOver(w http.ResponseWriter, r *http.Request, receipt *gatehouse.Receipt, body []byte) {
	mine, err := h.claim(r.Context(), receipt)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !mine {
		w.Header().Set(replayedField, "true")
		deliver(w, receipt.Status, receipt.Answer)
		return
	}
	// Whose time is up, or client gone, tells nothing: the next one shall.
	if err := r.Context().Err(); err != nil {
		h.endClaim(r.Context(), receipt, false)
		h.fail(w, r, err)
		return
	}
	h.endClaim(r.Context(), receipt, deliver(w, receipt.Status, body))
}

// claim reports whether the secret of the receipt falls to this caller. While it is another's,
// it waits what becomes of it. errInProgress where that takes long.
func (h *Handler) claim(ctx context.Context, receipt *gatehouse.Receipt) (mine bool, err error) {
	for end := time.Now().Add(patience); receipt.Sealed.Ref != ""; {
		now := time.Now().UTC().Truncate(time.Microsecond)
		if receipt.Claimed.IsZero() || now.Sub(receipt.Claimed).Abs() > claimed {
			mine, err = h.c.Receipts.ClaimSecret(ctx, receipt.Tenant, receipt.ID, receipt.Claimed, now)
			if mine {
				receipt.Claimed = now
			}
			if mine || err != nil {
				return mine, err
			}
		} else if err := pause(ctx, look); err != nil {
			return false, err
		}
		if now.After(end) {
			return false, errInProgress
		}
		is, err := h.c.Receipts.Receipt(ctx, receipt.Tenant, receipt.ID)
		if err != nil {
			return false, err
		}
		receipt.Sealed, receipt.Claimed = is.Sealed, is.Claimed
	}
	return false, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endClaim drops a secret that was delivered, and frees one that was not. Where it can do
// neither, nobody is told the secret until the claim runs out.
func (h *Handler) endClaim(ctx context.Context, receipt *gatehouse.Receipt, delivered bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), small.Timeout)
	defer cancel()
	var err error
	if delivered {
		err = h.c.Receipts.ForgetSecret(ctx, receipt.Tenant, receipt.ID)
	} else {
		_, err = h.c.Receipts.ClaimSecret(ctx, receipt.Tenant, receipt.ID, receipt.Claimed, time.Time{})
	}
	if err != nil {
		h.c.Log.ErrorContext(ctx, "claim on the secret of a receipt is not ended", "delivered", delivered, "error", err)
	}
}

// withSecret is the kept answer with the secret, where nobody has read it yet and the caller
// may still have it; nil: the kept answer is all.
func (h *Handler) withSecret(ctx context.Context, rt *route, receipt *gatehouse.Receipt) ([]byte, error) {
	if !rt.Secret || receipt.Sealed.Ref == "" {
		return nil, nil
	}
	if _, err := h.mayChange(ctx, callerOf(ctx), receipt.Subject, nil); err != nil {
		if errors.Is(err, gatehouse.ErrNotFound) || errors.Is(err, gatehouse.ErrForbidden) {
			err = nil
		}
		return nil, err
	}
	secret, token, err := h.c.Authority.Unread(ctx, receipt)
	if err != nil || secret.Empty() {
		return nil, err
	}
	var k api.CreatedKey
	if err := json.Unmarshal(receipt.Answer, &k); err != nil {
		return nil, err
	}
	k.Secret, k.Token = secret.Reveal(), token.Reveal()
	return json.Marshal(k)
}
