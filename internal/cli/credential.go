// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/httpsig"
)

// The environment variables of a key to sign with. The command line's own credential is
// another: GATEHOUSE_TOKEN.
const (
	envKeyID      = "GATEHOUSE_KEY_ID"
	envSecret     = "GATEHOUSE_KEY_SECRET"
	envToken      = "GATEHOUSE_KEY_TOKEN"
	envPrivateKey = "GATEHOUSE_PRIVATE_KEY_FILE"
)

// signFlags say which key signs, and how. There is no flag for a secret: a command line
// can be seen by every user of the machine.
type signFlags struct {
	Scheme string `help:"How the key is presented: bearer, barong, shield or httpsig. Default: what the key file says." placeholder:"NAME"`
	Key    string `help:"File with the key: as key create --format json prints it, or lines such as key_id = …, secret = …, token = …, private_key = FILE. Without it: GATEHOUSE_KEY_ID, GATEHOUSE_KEY_SECRET, GATEHOUSE_KEY_TOKEN, GATEHOUSE_PRIVATE_KEY_FILE." placeholder:"FILE"`
	KeyID  string `name:"key-id" help:"Key id, in place of that of the key file." placeholder:"KID"`
}

// holderKey is a key as its holder has it. What is not there is empty.
type holderKey struct {
	schemes       []string
	keyID         string
	secret, token gatehouse.Secret
	privateKey    string // path of a PEM file
}

// scheme is what signs.
func (f *signFlags) scheme(e *env) (sign.Scheme, error) {
	k := holderKey{keyID: e.variable(envKeyID), secret: gatehouse.NewSecret(e.variable(envSecret)), token: gatehouse.NewSecret(e.variable(envToken))}
	if f.Key != "" {
		// Two keys are not mixed: nothing of the environment but the private key, which key
		// create does not know the place of.
		var err error
		if k, err = readKeyFile(f.Key); err != nil {
			return nil, err
		}
	}
	if k.privateKey == "" {
		k.privateKey = e.variable(envPrivateKey)
	}
	if f.KeyID != "" {
		k.keyID = f.KeyID
	}
	if f.Scheme != "" {
		k.schemes = []string{f.Scheme}
	}
	if len(k.schemes) != 1 {
		return nil, usageError{errors.New("--scheme is needed: bearer, barong, shield or httpsig")}
	}
	return k.scheme(k.schemes[0])
}

// scheme makes what signs with the key; what it lacks is wrong use.
func (k *holderKey) scheme(name string) (sign.Scheme, error) {
	lacks := func(what string) error {
		return usageError{fmt.Errorf("%s is missing: the scheme %s needs it (see --key)", what, name)}
	}
	switch {
	case name == "bearer" && k.token.Empty():
		return nil, lacks("the token")
	case name == "bearer":
		return sign.Bearer(k.token), nil
	case name != "barong" && name != "shield" && name != "httpsig":
		return nil, usageError{errors.New("--scheme is none of bearer, barong, shield, httpsig")}
	case k.keyID == "":
		return nil, lacks("the key id")
	case name == "httpsig" && k.privateKey != "":
		return k.private()
	case k.secret.Empty():
		return nil, lacks("the secret")
	case name == "barong":
		return sign.Barong(k.keyID, k.secret), nil
	case name == "shield":
		return sign.Shield(k.keyID, k.secret), nil
	}
	key, err := httpsig.HMACKey([]byte(k.secret.Reveal()))
	if err != nil {
		return nil, err
	}
	return sign.HTTPSig(&httpsig.Signer{KeyID: k.keyID, Key: key}), nil
}

// private signs with the private key of a public one.
func (k *holderKey) private() (sign.Scheme, error) {
	text, err := readPrivate(k.privateKey)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s: is not one PEM block PRIVATE KEY (PKCS #8)", k.privateKey)
	}
	// The parser's error may tell of the key.
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	var key httpsig.SignKey
	switch parsed := parsed.(type) {
	case ed25519.PrivateKey:
		key, err = httpsig.Ed25519PrivateKey(parsed)
	case *ecdsa.PrivateKey:
		key, err = httpsig.ECDSAPrivateKey(parsed)
	default:
		err = errors.New("is neither an ed25519 nor a P-256 key")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.privateKey, err)
	}
	return sign.HTTPSig(&httpsig.Signer{KeyID: k.keyID, Key: key}), nil
}

// readPrivate reads a file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no file", path)
	}
	if info.Mode()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read it; run: chmod 600 %s", path, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(text) > maxInput {
		return nil, fmt.Errorf("%s: is longer than 64 KiB", path)
	}
	return text, nil
}

// readKeyFile reads a key in either form. Its errors tell nothing of what it holds.
func readKeyFile(path string) (holderKey, error) {
	text, err := readPrivate(path)
	if err != nil {
		return holderKey{}, err
	}
	var k holderKey
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		err = k.readJSON(text)
	} else {
		err = k.readLines(string(text))
	}
	if err != nil {
		return holderKey{}, fmt.Errorf("%s: %w", path, err)
	}
	if k.privateKey != "" && !filepath.IsAbs(k.privateKey) {
		k.privateKey = filepath.Join(filepath.Dir(path), k.privateKey)
	}
	return k, nil
}

func (k *holderKey) readJSON(text []byte) error {
	var in struct {
		KID        string     `json:"kid"`
		Schemes    []string   `json:"schemes"`
		Secret     secretText `json:"secret"`
		Token      string     `json:"token"`
		PrivateKey string     `json:"private_key"`
	}
	if json.Unmarshal(text, &in) != nil {
		return errors.New("is not the JSON of one key")
	}
	*k = holderKey{schemes: in.Schemes, keyID: in.KID, secret: gatehouse.NewSecret(string(in.Secret)), token: gatehouse.NewSecret(in.Token), privateKey: in.PrivateKey}
	return nil
}

// secretText is a secret in JSON: a text, or Barong's envelope around one.
type secretText string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *secretText) UnmarshalJSON(b []byte) error {
	var envelope struct {
		Data struct {
			Value string `json:"value"`
		} `json:"data"`
	}
	if json.Unmarshal(b, (*string)(s)) == nil {
		return nil
	}
	err := json.Unmarshal(b, &envelope)
	*s = secretText(envelope.Data.Value)
	return err
}

// readLines reads lines of the form name = value. Blank ones, and those that begin with
// "#", say nothing.
func (k *holderKey) readLines(text string) error {
	values := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch name {
		case "scheme", "key_id", "secret", "token", "private_key":
		default:
			ok = false
		}
		if _, twice := values[name]; !ok || twice {
			return fmt.Errorf("line %d is not one of scheme, key_id, secret, token, private_key = value, or is there twice", i+1)
		}
		values[name] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	*k = holderKey{keyID: values["key_id"], secret: gatehouse.NewSecret(values["secret"]), token: gatehouse.NewSecret(values["token"]), privateKey: values["private_key"]}
	if values["scheme"] != "" {
		k.schemes = []string{values["scheme"]}
	}
	return nil
}

// variable is a variable of the environment; empty: it is not set.
func (e *env) variable(name string) string {
	for _, v := range e.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
