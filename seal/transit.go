// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Vault says where the transit engine of a HashiCorp Vault or OpenBao server is reached.
type Vault struct {
	Address   string           // such as https://vault.example.com:8200; http only on loopback
	Token     gatehouse.Secret // empty: from TokenFile
	TokenFile string           // read before every call, so that the token may be renewed
}

// UseVault says where the KEKs of a keyring are that are in Vault. It is called before the
// keyring is used. It asks nothing of the server, and whether v makes sense is seen when
// a KEK is used that is there.
func (k *Keyring) UseVault(v Vault) {
	k.ring.vault = &transit{vault: v, client: &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		// A redirect would take the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// base is the address, checked.
func (v *Vault) base() (*url.URL, error) {
	base, err := url.Parse(v.Address)
	switch {
	case v.Address == "":
		return nil, &gatehouse.InvalidError{Field: "vault.address", Problem: "is not set, nor is VAULT_ADDR"}
	case err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.RawQuery != "":
		return nil, &gatehouse.InvalidError{Field: "vault.address", Problem: "is no http or https URL"}
	}
	if ip := net.ParseIP(base.Hostname()); base.Scheme == "http" && base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &gatehouse.InvalidError{Field: "vault.address", Problem: "is http and not loopback: data keys would travel in clear"}
	}
	return base, nil
}

// transit speaks to the transit engine.
//
// https://developer.hashicorp.com/vault/api-docs/secret/transit and
// https://openbao.org/api-docs/secret/transit: encrypt data, decrypt data.
type transit struct {
	vault  Vault
	client *http.Client
}

// transitQuestion is the body of both calls. Bytes are base64 in JSON, as Vault wants them.
type transitQuestion struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Associated []byte `json:"associated_data"`
}

type transitAnswer struct {
	Data struct {
		Plaintext  []byte `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
	} `json:"data"`
	Errors []string `json:"errors"`
}

func (t *transit) encrypt(ctx context.Context, kek *entry, plaintext, associated []byte) (string, error) {
	a, err := t.call(ctx, "encrypt", kek, transitQuestion{Plaintext: plaintext, Associated: associated})
	if err == nil && !strings.HasPrefix(a.Data.Ciphertext, "vault:") {
		err = errors.New("the answer holds no ciphertext")
	}
	if err != nil {
		return "", gatehouse.Unavailable(fmt.Sprintf("encrypt under KEK %q in Vault", kek.id), err)
	}
	return a.Data.Ciphertext, nil
}

// errCiphertext: Vault says that it cannot decrypt this.
var errCiphertext = errors.New("refused by Vault")

func (t *transit) decrypt(ctx context.Context, kek *entry, ciphertext string, associated []byte) ([]byte, error) {
	a, err := t.call(ctx, "decrypt", kek, transitQuestion{Ciphertext: ciphertext, Associated: associated})
	if v, ok := errors.AsType[*vaultError](err); ok && v.status == http.StatusBadRequest {
		return nil, fmt.Errorf("%w: %w", errCiphertext, err)
	}
	if err != nil {
		return nil, gatehouse.Unavailable(fmt.Sprintf("decrypt under KEK %q in Vault", kek.id), err)
	}
	return a.Data.Plaintext, nil
}

// probe finds out whether a KEK in Vault does what is asked of it, before anything
// depends on it: old servers and some types of key ignore associated data.
func (t *transit) probe(ctx context.Context, kek *entry) error {
	sample, here, there := randomBytes(keySize), []byte("gatehouse/probe/1"), []byte("gatehouse/probe/2")
	text, err := t.encrypt(ctx, kek, sample, here)
	if err != nil {
		return err
	}
	if got, err := t.decrypt(ctx, kek, text, here); err != nil {
		return gatehouse.Unavailable("probe", err)
	} else if !bytes.Equal(got, sample) {
		return &gatehouse.InvalidError{Field: "source", Problem: "Vault does not give back what it was given"}
	}
	switch _, err = t.decrypt(ctx, kek, text, there); {
	case errors.Is(err, errCiphertext):
		return nil
	case err != nil:
		return err
	}
	return &gatehouse.InvalidError{Field: "source", Problem: "Vault does not bind associated data to this key; " +
		"it takes a key of type aes256-gcm96 or chacha20-poly1305, and Vault 1.9 or OpenBao"}
}

// vaultError is an answer that is no success.
type vaultError struct {
	status int
	text   string
}

func (e *vaultError) Error() string {
	hint := map[int]string{
		http.StatusForbidden:          "the token is not valid, or no policy of it allows this path",
		http.StatusNotFound:           "nothing is at this path; is the transit engine mounted there?",
		http.StatusServiceUnavailable: "it is sealed, or down for maintenance",
	}[e.status]
	parts := []string{fmt.Sprintf("Vault answers %d", e.status)}
	for _, part := range []string{hint, e.text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

const (
	maxVaultAnswer = 64 << 10         // bytes
	vaultTimeout   = 10 * time.Second // of one call
)

func (t *transit) call(ctx context.Context, verb string, kek *entry, q transitQuestion) (*transitAnswer, error) {
	base, err := t.vault.base()
	if err != nil {
		return nil, err
	}
	token, err := t.vault.token()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, errors.New("encode question")
	}
	ctx, cancel := context.WithTimeout(ctx, vaultTimeout)
	defer cancel()
	mount, name := cutLast(strings.TrimPrefix(kek.source, "vault:"), "/")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath("v1", mount, verb, name).String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("make request")
	}
	r.Header.Set("X-Vault-Token", token)
	r.Header.Set("X-Vault-Request", "true") // asked for by agents that stand between
	r.Header.Set("Content-Type", "application/json")
	resp, err := t.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call Vault: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) (*transitAnswer, error) {
	var a transitAnswer
	err := json.NewDecoder(io.LimitReader(resp.Body, maxVaultAnswer)).Decode(&a)
	if resp.StatusCode != http.StatusOK {
		return nil, &vaultError{resp.StatusCode, oneLine(strings.Join(a.Errors, "; "))}
	}
	if err != nil {
		return nil, errors.New("the answer is not Vault's")
	}
	return &a, nil
}

// oneLine keeps what another server says short, and on one line.
func oneLine(text string) string {
	return fmt.Sprintf("%.200s", strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
}

func (v *Vault) token() (string, error) {
	if !v.Token.Empty() {
		return v.Token.Reveal(), nil
	}
	if v.TokenFile == "" {
		return "", &gatehouse.InvalidError{Field: "vault.token", Problem: "is not set, nor are vault.token_file, VAULT_TOKEN and VAULT_TOKEN_FILE"}
	}
	b, err := os.ReadFile(v.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read Vault token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", errors.New("the file of the Vault token holds no token")
	}
	return token, nil
}
