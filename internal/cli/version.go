// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"runtime"
)

type versionCommand struct{}

func (*versionCommand) Run(e *env) error {
	_, err := fmt.Fprintf(e.Out, "gatehouse %s (%s %s/%s)\n", e.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
