// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A clock that was set back by less than a window holds nonces up, as a server may have
// seen them; one set back further does not hold them up for ever.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UnixMilli()
		n := nonces{last: now + maxWindow}
		if got, err := n.next(); !errors.Is(err, ErrTooFast) {
			t.Errorf("nonce %q, %v", got, err)
		}
		n.last++
		if got, err := n.next(); err != nil || got != strconv.FormatInt(now, 10) {
			t.Errorf("nonce %q, %v", got, err)
		}
	})
}
