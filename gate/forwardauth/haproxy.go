// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// haproxy is HAProxy with an action in Lua. It can hand on every denial.
var haproxy = dialect{name: "haproxy", facts: originals, read: readOriginals}
