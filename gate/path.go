// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import "github.com/seed14544106/gatehouse"

// CanonicalPath is [gatehouse.CanonicalPath].
func CanonicalPath(target string) (path string, ok bool) { return gatehouse.CanonicalPath(target) }

// UnderPrefix is [gatehouse.UnderPrefix].
func UnderPrefix(path, prefix string) bool { return gatehouse.UnderPrefix(path, prefix) }
