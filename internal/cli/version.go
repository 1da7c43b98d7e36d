// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"runtime"
)

type versionCommand struct{}

// versionShown is what runs.
type versionShown struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (*versionCommand) Run(e *env) error {
	v := versionShown{e.version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if e.format != "table" {
		return e.plain(v)
	}
	_, err := fmt.Fprintf(e.Out, "gatehouse %s (%s %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
	return err
}
