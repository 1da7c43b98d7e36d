// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

// A private key handed over by mistake does not reach the server.
func TestPublicKeyOnly(t *testing.T) {
	t.Parallel()
	const public = "-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----\n"
	private := strings.ReplaceAll(public, "PUBLIC", "PRIVATE")
	for name, text := range map[string]string{
		"private": private, "public, then private": public + private, "private, then public": private + public, "nothing": "", "no PEM": "hunter2",
	} {
		path := file(t, 0o644, text)
		if got, err := readPublic(path); err == nil || got != "" || !strings.Contains(err.Error(), "is not one PEM block PUBLIC KEY") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := readPublic(file(t, 0o644, public)); err != nil || got != public {
		t.Errorf("public: %q, %v", got, err)
	}
}
