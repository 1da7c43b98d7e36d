// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
)

// A source stands in the keyring file in place of a key and says where the key is.

var errVaultSource = errors.New("the algorithm vault-transit goes with a key vault:MOUNT/NAME, and with no other")

// checkSource says what is wrong with the form of the source.
func (e *entry) checkSource() error {
	scheme, place, _ := strings.Cut(e.source, ":")
	if (scheme == "vault") != (e.algorithm == algorithmVault) {
		return errVaultSource
	}
	switch scheme {
	case "file":
		return checkPath(place)
	case "env":
		path, name := cutLast(place, "#")
		if !validName(name) {
			return errors.New("env: wants a path, # and a name of letters, digits and _")
		}
		return checkPath(path)
	case "vault":
		if mount, name := cutLast(place, "/"); !validMount(mount) || !validMount(name) {
			return errors.New("vault: wants a mount, / and a name, of letters, digits, '.', '-' and '_'")
		}
		return nil
	}
	return errors.New("a key is base64, or a reference (file:…, env:…, vault:…)")
}

// cutLast cuts around the last sep; before is empty where there is none.
func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return "", s
}

func checkPath(path string) error {
	if !filepath.IsAbs(path) || strings.ContainsFunc(path, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return errors.New("a path is absolute and without white space")
	}
	return nil
}

func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// validMount reports whether a path of Vault needs no escape and names nothing above it.
func validMount(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." || !validName(strings.NewReplacer("-", "_", ".", "_").Replace(part)) {
			return false
		}
	}
	return true
}

// load reads the key from where its source says. The error does not name the place, and
// holds nothing of what is there.
func (e *entry) load() (err error) {
	scheme, place, _ := strings.Cut(e.source, ":")
	switch scheme {
	case "file":
		e.key, err = readKeyFile(place)
	case "env":
		path, name := cutLast(place, "#")
		e.key, err = readKeyVariable(path, name)
	}
	return err
}

// readKeyFile reads a file of 32 bytes, or of their base64.
func readKeyFile(path string) ([]byte, error) {
	content, err := readPrivate(path)
	if err != nil || len(content) == keySize {
		return content, err
	}
	return decodeKey(string(bytes.TrimSpace(content)))
}

// readKeyVariable reads the line NAME=base64 of a file. Quotes around the value and
// "export " before the name are allowed, as shells take such files.
func readKeyVariable(path, name string) ([]byte, error) {
	content, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	var key []byte
	for line := range strings.Lines(string(content)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		found, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(found) != name {
			continue
		}
		if key != nil {
			return nil, errors.New("the name is there twice")
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		if key, err = decodeKey(value); err != nil {
			return nil, err
		}
	}
	if key == nil {
		return nil, errors.New("the name is not there")
	}
	return key, nil
}

func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("not %d bytes, nor their base64", keySize)
	}
	return key, nil
}
