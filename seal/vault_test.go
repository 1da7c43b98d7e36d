// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeVault answers as the transit engine is documented to: POST
// /v1/MOUNT/{encrypt,decrypt}/NAME, {"data": …} or {"errors": […]}. It has the key
// "gatehouse" in the mount "team/transit".
type fakeVault struct {
	*httptest.Server
	mu      sync.Mutex
	key     []byte
	tokens  []string // that it takes
	sealed  bool
	unbound bool   // it ignores associated data, as Vault before 1.9
	raw     string // if set, all that it answers
	calls   int
}

func newVault(t testing.TB) *fakeVault {
	v := &fakeVault{key: randomBytes(keySize), tokens: []string{"hvs.right"}}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

// set changes the server.
func (v *fakeVault) set(edit func(*fakeVault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	edit(v)
}

func (v *fakeVault) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls
}

func (v *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	var in struct {
		Plaintext  string `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
		Associated string `json:"associated_data"`
	}
	token := r.Header.Get("X-Vault-Token")
	verb, name := strings.CutPrefix(r.URL.Path, "/v1/team/transit/")
	switch {
	case v.raw != "":
		_, _ = fmt.Fprint(w, v.raw)
	case v.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case !strings.Contains(strings.Join(v.tokens, " "), token) || token == "":
		refuse(w, http.StatusForbidden, "permission denied")
	case !name:
		refuse(w, http.StatusNotFound, "no handler for route \"other/encrypt/gatehouse\". route entry not found.")
	case r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&in) != nil:
		refuse(w, http.StatusBadRequest, "error parsing JSON")
	case verb == "encrypt/gatehouse":
		v.encrypt(w, in.Plaintext, in.Associated)
	case verb == "decrypt/gatehouse":
		v.decrypt(w, in.Ciphertext, in.Associated)
	default:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	}
}

func (v *fakeVault) additional(associated string) []byte {
	if v.unbound {
		return nil
	}
	b, _ := base64.StdEncoding.DecodeString(associated)
	return b
}

func (v *fakeVault) encrypt(w http.ResponseWriter, plaintext, associated string) {
	p, err := base64.StdEncoding.DecodeString(plaintext)
	if err != nil {
		refuse(w, http.StatusBadRequest, "failed to base64-decode plaintext")
		return
	}
	sealed := newAEAD(algAES256GCM, v.key).Seal(nil, nil, p, v.additional(associated))
	write(w, map[string]any{"ciphertext": "vault:v1:" + base64.StdEncoding.EncodeToString(sealed), "key_version": 1})
}

func (v *fakeVault) decrypt(w http.ResponseWriter, ciphertext, associated string) {
	text, ok := strings.CutPrefix(ciphertext, "vault:v1:")
	sealed, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		refuse(w, http.StatusBadRequest, "invalid ciphertext: no prefix")
		return
	}
	p, err := newAEAD(algAES256GCM, v.key).Open(nil, nil, sealed, v.additional(associated))
	if err != nil {
		refuse(w, http.StatusBadRequest, "cipher: message authentication failed")
		return
	}
	write(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(p)})
}

func write(w http.ResponseWriter, data map[string]any) {
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(map[string]any{
		"request_id": "b7a5ee3c", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "wrap_info": nil, "warnings": nil, "auth": nil,
	})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{text}})
}
