// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package memory

import (
	"errors"
	"os"
)

// A journal needs a shared mapping that outlives the process. Without one a Replay runs in
// plain memory, and its floor at the start covers what it cannot know.

func lockFile(*os.File) error { return errors.ErrUnsupported }

func unlockFile(*os.File) error { return errors.ErrUnsupported }

func mapFile(*os.File, int64, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) error { return errors.ErrUnsupported }

func inode(os.FileInfo) uint64 { return 0 }
