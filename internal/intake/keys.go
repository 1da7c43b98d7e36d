// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/seed14544106/gatehouse"
)

// EncryptionKey is one of the keys that Shield encrypts secrets with.
type EncryptionKey struct {
	Key    gatehouse.Secret // the configured text as it stands, with "hex2bin:" or "base64:"
	Driver string           // "OpenSSL" or "Sodium"; empty: OpenSSL
	Digest string           // "SHA224", "SHA256", "SHA384" or "SHA512", for OpenSSL; empty: SHA512
}

// EncryptionKeys are Shield's encryption keys by their titles. A key that cannot be used
// is a problem of the rows that need it. Nil: only secrets stored in clear are read.
type EncryptionKeys map[string]EncryptionKey

const maxKeysFile = 1 << 20 // bytes; far above any honest file

// LoadKeys reads encryption keys from a file: a JSON object from titles to
// {"key", "driver", "digest"}, the last two optional, or an environment file of
// CodeIgniter with that object after authtoken.hmacEncryptionKeys. From the latter
// authtoken.hmacEncryptionDefaultDriver and ...DefaultDigest are read too. A file that
// group or others may access is refused. Errors hold nothing of the content;
// fs.ErrNotExist when there is no such file.
func LoadKeys(path string) (EncryptionKeys, error) {
	// Without O_NONBLOCK a named pipe would hang instead of being refused.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("encryption keys: %w", err)
	}
	defer f.Close()
	// The open file is asked, not the path, which may lead elsewhere by now.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("encryption keys: %w", err)
	}
	if err := refuseFile(info.Mode()); err != nil {
		return nil, fmt.Errorf("encryption keys %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if err != nil {
		return nil, fmt.Errorf("encryption keys: %w", err)
	}
	if len(text) > maxKeysFile {
		return nil, fmt.Errorf("encryption keys %s: larger than 1 MiB", path)
	}
	keys, err := parseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("encryption keys %s: %w", path, err)
	}
	return keys, nil
}

// refuseFile says why a file with this mode may not hold encryption keys.
func refuseFile(mode fs.FileMode) error {
	switch {
	case !mode.IsRegular():
		return errors.New("not a regular file")
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("group or others may access it (mode %04o): chmod 600", mode.Perm())
	}
	return nil
}

func parseKeys(text string) (EncryptionKeys, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseKeysJSON(text, EncryptionKey{})
	}
	env, err := parseEnv(text)
	if err != nil {
		return nil, err
	}
	object, ok := env[envKeys]
	if !ok {
		return nil, errors.New("neither a JSON object nor an environment file with " + envKeys)
	}
	keys, err := parseKeysJSON(object, EncryptionKey{Driver: env[envDriver], Digest: env[envDigest]})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envKeys, err)
	}
	return keys, nil
}

// parseKeysJSON reads the object; defaults are for keys without driver or digest.
func parseKeysJSON(text string, defaults EncryptionKey) (EncryptionKeys, error) {
	var object map[string]struct {
		Key    *string `json:"key"`
		Driver string  `json:"driver"`
		Digest string  `json:"digest"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	// The errors of encoding/json quote the text.
	if d.Decode(&object) != nil || d.Decode(&struct{}{}) != io.EOF {
		return nil, errors.New(`not one JSON object of the form {"title": {"key": "...", "driver": "...", "digest": "..."}}`)
	}
	keys := EncryptionKeys{}
	for title, k := range object {
		if !isTitle(title) || k.Key == nil {
			return nil, errors.New("a title is not of letters, digits and underscores, or has no key")
		}
		one := EncryptionKey{Key: gatehouse.NewSecret(*k.Key), Driver: k.Driver, Digest: k.Digest}
		if one.Driver == "" {
			one.Driver = defaults.Driver
		}
		if one.Digest == "" {
			one.Digest = defaults.Digest
		}
		keys[title] = one
	}
	return keys, nil
}

// isTitle reports whether a title is one or more ASCII letters, digits and underscores.
func isTitle(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}

// The settings of interest in CodeIgniter's environment file.
const (
	envKeys   = "authtoken.hmacEncryptionKeys"
	envDriver = "authtoken.hmacEncryptionDefaultDriver"
	envDigest = "authtoken.hmacEncryptionDefaultDigest"
)

// parseEnv reads the three settings from an environment file: lines of NAME = VALUE,
// where a quoted value may hold its quote and backslashes after a backslash, and a bare
// one ends before " #". Everything else in the file is passed over.
func parseEnv(text string) (map[string]string, error) {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export "))
		if name != envKeys && name != envDriver && name != envDigest {
			continue
		}
		if _, twice := found[name]; twice {
			return nil, errors.New(name + " stands twice")
		}
		value, ok := unquote(strings.TrimSpace(value))
		if !ok {
			return nil, errors.New(name + ": the quote does not end")
		}
		found[name] = value
	}
	return found, nil
}

func unquote(value string) (string, bool) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		value, _, _ = strings.Cut(value, " #")
		return strings.TrimSpace(value), true
	}
	var b strings.Builder
	quote := value[0]
	for i := 1; i < len(value); i++ {
		c := value[i]
		if c == quote {
			return b.String(), true
		}
		if c == '\\' && i+1 < len(value) && (value[i+1] == quote || value[i+1] == '\\') {
			i++
			c = value[i]
		}
		b.WriteByte(c)
	}
	return "", false
}

// materials are the texts that may be the key: the configured one, because Shield does
// not decode its prefixes, and the decoded one, because a later Shield may.
func (k *EncryptionKey) materials() [][]byte {
	text := k.Key.Reveal()
	out := [][]byte{[]byte(text)}
	decoded, err := []byte(nil), error(nil)
	if digits, ok := strings.CutPrefix(text, "hex2bin:"); ok {
		decoded, err = hex.DecodeString(digits)
	} else if digits, ok := strings.CutPrefix(text, "base64:"); ok {
		decoded, err = base64.StdEncoding.DecodeString(digits)
	}
	if err == nil && len(decoded) > 0 {
		out = append(out, decoded)
	}
	return out
}
