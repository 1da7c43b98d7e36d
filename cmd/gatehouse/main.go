// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command gatehouse is the server, the console and the command line in one binary.
package main

import (
	"os"

	"github.com/seed14544106/gatehouse/internal/cli"
)

// version is set by the linker.
var version = "development"

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ(), version))
}
