// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// nginx is nginx's auth_request, and its Lua and njs. Of denials auth_request hands on 401
// and 403 alone.
var nginx = dialect{name: "nginx", facts: originals, read: readOriginals, coarse: true}
