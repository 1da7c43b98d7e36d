// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// caddy is Caddy's forward_auth, which keeps bodies.
var caddy = dialect{name: "caddy", facts: forwardeds, read: readForwardeds}
