// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import "context"

// Hear says that another process may have changed the signing keys: they are read again, in
// the background. It does not block.
func (k *Keys) Hear() {
	k.mu.Lock() // nobody begins after Close
	defer k.mu.Unlock()
	if k.ctx.Err() != nil || k.hearing {
		return
	}
	k.hearing = true
	k.wg.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, storeTimeout)
		defer cancel()
		k.mu.Lock() // what is heard from here on may come after the read
		k.hearing = false
		k.mu.Unlock()
		if err := k.load(ctx, 0); err != nil && k.ctx.Err() == nil {
			k.log.Warn("signing keys not refreshed", "error", err)
		}
	})
}
