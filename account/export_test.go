// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

// SetUIDs makes d draw the random part of its uids from next.
func SetUIDs(d *Directory, next func() string) { d.uid = next }

// Occupy takes every run and every place in the queue of h, so that whoever asks it for
// work gets ErrBusy. The result undoes it.
func Occupy(h *Hasher) (release func()) {
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	busy := func(n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.queued += n
	}
	busy(h.queue)
	return func() {
		busy(-h.queue)
		for range cap(h.slots) {
			<-h.slots
		}
	}
}
