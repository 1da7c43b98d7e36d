// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"

	"github.com/seed14544106/gatehouse"
)

// Each tells every one of several observers. It implements [gatehouse.Observer].
type Each []gatehouse.Observer

// Observe tells all of them, in their order.
func (e Each) Observe(r *gatehouse.Request, d *gatehouse.Decision, err error, took time.Duration) {
	for _, o := range e {
		o.Observe(r, d, err, took)
	}
}
