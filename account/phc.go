// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// argonParams is the cost of one run.
type argonParams struct {
	memoryKiB uint32
	time      uint32
	lanes     uint8
}

func (p argonParams) check() error {
	switch {
	case p.time < 1 || p.time > maxTime:
		return fmt.Errorf("time is not within 1 and %d passes", maxTime)
	case p.lanes < 1 || p.lanes > maxParallelism:
		return fmt.Errorf("parallelism is not within 1 and %d lanes", maxParallelism)
	case p.memoryKiB < 8*uint32(p.lanes) || p.memoryKiB > maxMemoryKiB:
		return fmt.Errorf("memory is not within 8 KiB a lane and %d KiB", maxMemoryKiB)
	}
	return nil
}

// argonHash is a stored hash, read. Its sizes are fixed: 16 and 32 bytes are what
// this package, PHP and the reference command line write.
type argonHash struct {
	argonParams
	salt [saltBytes]byte
	tag  [tagBytes]byte
}

// phcPrefix names the only variant and version: Argon2id, version 1.3 (0x13).
const phcPrefix = "$argon2id$v=19$"

// phcBase64 is B64 of the PHC string format: no padding, no stray bits at the end.
var phcBase64 = base64.RawStdEncoding.Strict()

// String returns the PHC text, the one spelling that parsePHC accepts.
func (a argonHash) String() string {
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", phcPrefix, a.memoryKiB, a.time, a.lanes,
		phcBase64.EncodeToString(a.salt[:]), phcBase64.EncodeToString(a.tag[:]))
}

// parsePHC reads a PHC text strictly: the parameters in their order and without
// leading zeros, within the caps, salt and tag of the fixed sizes. The error is
// [ErrHashFormat] with what is wrong, never with what was read.
func parsePHC(phc string) (argonHash, error) {
	var a argonHash
	if len(phc) > maxPHCBytes {
		return a, badHash("it is too long")
	}
	rest, found := strings.CutPrefix(phc, phcPrefix)
	fields := strings.Split(rest, "$")
	if !found || len(fields) != 3 {
		return a, badHash("it is not $argon2id$v=19$parameters$salt$tag")
	}
	costs := strings.Split(fields[0], ",")
	if len(costs) != 3 {
		return a, badHash("the parameters are not m, t and p")
	}
	memory, okM := phcNumber(costs[0], "m=", 32)
	passes, okT := phcNumber(costs[1], "t=", 32)
	lanes, okP := phcNumber(costs[2], "p=", 8)
	if !okM || !okT || !okP {
		return a, badHash("the parameters are not m, t and p")
	}
	a.argonParams = argonParams{memoryKiB: uint32(memory), time: uint32(passes), lanes: uint8(lanes)}
	if err := a.check(); err != nil {
		return argonHash{}, badHash(err.Error())
	}
	if !phcBytes(a.salt[:], fields[1]) {
		return argonHash{}, badHash("the salt is not 16 bytes of base64")
	}
	if !phcBytes(a.tag[:], fields[2]) {
		return argonHash{}, badHash("the tag is not 32 bytes of base64")
	}
	return a, nil
}

// phcNumber reads name and a decimal number that is written the one way.
func phcNumber(s, name string, bits int) (uint64, bool) {
	digits, found := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, bits)
	return n, found && err == nil && strconv.FormatUint(n, 10) == digits
}

// phcBytes fills dst from s, which must hold exactly that many bytes.
func phcBytes(dst []byte, s string) bool {
	// The decoder skips line breaks, so the length of s must be right as well.
	if len(s) != phcBase64.EncodedLen(len(dst)) {
		return false
	}
	b, err := phcBase64.DecodeString(s)
	return err == nil && copy(dst, b) == len(dst)
}

func badHash(problem string) error { return fmt.Errorf("%w: %s", ErrHashFormat, problem) }
