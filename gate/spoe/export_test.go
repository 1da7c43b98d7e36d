// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe

import "time"

// SetLull sets how long the connections of a may go on after leave, which a loaded machine
// may sleep through. It comes before any of them.
func SetLull(a *Agent, d time.Duration) { a.lull = d }
