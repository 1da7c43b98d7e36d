// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey_test

import (
	"crypto"
	"fmt"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

// A key is shown to its holder once. What is stored of it is its short token and hash.
func ExampleGenerate() {
	key, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "doormouse"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := key.Reveal() // for the holder
	parsed, err := prefixedkey.Parse(text)
	fmt.Println(parsed.Prefix, len(parsed.Short), len(text), err)
	fmt.Println(prefixedkey.Verify(text, key.Hash()))
	// Output:
	// doormouse 8 43 <nil>
	// true
}

func ExampleParse() {
	key, err := prefixedkey.Parse("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG")
	fmt.Println(err)
	fmt.Println(key.Prefix)
	fmt.Println(key.Short)
	fmt.Println(key.Hash())
	fmt.Println(key) // safe to print
	fmt.Println(key.Reveal())
	// Output:
	// <nil>
	// mycompany
	// BRTRKFsL
	// d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37
	// mycompany_BRTRKFsL_[secret]
	// mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG
}

// A parsed key can be parsed again.
func ExampleParse_parsed() {
	key, _ := prefixedkey.Parse("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG")
	again, err := prefixedkey.Parse(key)
	fmt.Println(again, err)
	// Output: mycompany_BRTRKFsL_[secret] <nil>
}

func ExampleVerify() {
	fmt.Println(prefixedkey.Verify(
		"mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG",
		"d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37"))
	fmt.Println(prefixedkey.Verify(
		"myapp_ZLXZ3PYn_E34CUQSRtlmf0CMLsKFjMOf7",
		"d5264a8fef50459c35306c35396c446cf88f8755c06ff70c341eb3fbd606ca44"))
	// Output:
	// true
	// true
}

func ExampleVerify_parsed() {
	key, _ := prefixedkey.Parse("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG")
	fmt.Println(prefixedkey.Verify(key, "d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37"))
	// Output: true
}

func ExampleVerifyShort() {
	const key = "mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG"
	const hash = "d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37"
	fmt.Println(prefixedkey.VerifyShort(key, hash, "BRTRKFsL"))
	fmt.Println(prefixedkey.VerifyShort(key, hash, "XXXXXXXX"))
	// Output:
	// true
	// false
}

// The Rust port can hash with any function of SHA-2.
func ExampleVerifyWith() {
	fmt.Println(prefixedkey.VerifyWith(crypto.SHA512, "mycompany_CEUsS4psCmc_BddpcwWyCT3EkDjHSSTRaSK1dxtuQgbjb",
		"6efbeea27f12e5248bd686996f93c92d794bbc3a26817acb3aab212d382727f5e9dc4110716cda4528398b89ca49a5d8e39e9a30e954ccf3e19ab041082b1a03"))
	// Output: true
}

// A key is shut out by its short token, which may stand in logs and tickets.
func Example_denyList() {
	denied := map[string]bool{"BRTRKFsL": true}
	const hash = "d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37"
	key, err := prefixedkey.Parse("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(prefixedkey.Verify(key, hash) && !denied[key.Short])
	// Output: false
}
