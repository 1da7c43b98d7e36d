// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/httpsig"
)

// What is wrong with a form is found here where it can be, though the API finds it too: the API
// spends the code of the second factor before it looks.

// check is what is wrong with the fields that a new key of these schemes and one that is changed
// have; nil stands for nothing. *gatehouse.InvalidError.
func (f *keyForm) check(schemes []string) (wrong []error) {
	_, badScopes := gatehouse.ParseScopes(f.scopes())
	wrong = append(wrong, badScopes, checkNetworks(f.networks()))
	if f.Signed && !slices.ContainsFunc(schemes, func(s string) bool { return s != schemeBearer }) {
		wrong = append(wrong, &gatehouse.InvalidError{Field: "signed_only", Problem: "and none of the schemes signs"})
	}
	return wrong
}

// checkNetworks checks that texts are networks or addresses. *gatehouse.InvalidError.
func checkNetworks(texts []string) error {
	for _, text := range texts {
		a, _, _ := strings.Cut(text, "/")
		_, bad := netip.ParsePrefix(text)
		if addr, err := netip.ParseAddr(a); err != nil || addr.Zone() != "" || addr.Is4In6() || bad != nil && a != text {
			return &gatehouse.InvalidError{Field: "networks", Problem: "one is neither a network, such as 10.0.0.0/8, nor an address"}
		}
	}
	return nil
}

// checkPublic checks a public key; empty: there is none. *gatehouse.InvalidError.
func checkPublic(text string) error {
	if private(text) {
		return errPrivate
	}
	if _, err := httpsig.ParsePublicKey(text); text != "" && err != nil {
		return &gatehouse.InvalidError{Field: "public key", Problem: "is no PEM of an ed25519 or P-256 public key"}
	}
	return nil
}

// private reports whether a text is a private key, which is none of ours to know.
func private(text string) bool { return strings.Contains(text, "PRIVATE") }

var errPrivate = &gatehouse.InvalidError{Field: "public key", Problem: "this is the private key, which nobody but you should see: make another pair, and paste the public one"}
