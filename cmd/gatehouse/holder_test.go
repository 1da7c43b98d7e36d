// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// userAgent is the browser's: a session is bound to it.
const userAgent = "seed/1"

// holder is somebody with an account, at a keyboard.
type holder struct {
	t               *testing.T
	base            string // URL that the API is reached at
	host            string // Host header; empty: that of base
	email, password string

	cookie, csrf string
	otp          []byte // secret of the authenticator app
	otpText      string // the same as the QR code has it
	step         int64  // of the last code

	refused []string // answers that refused, with their header fields
}

// reply is an answer of the API.
type reply struct {
	status int
	body   string
	header http.Header
}

// errors is the codes of a refusal.
func (r reply) errors() string {
	var e struct{ Errors []string }
	_ = json.Unmarshal([]byte(r.body), &e) // no JSON: no codes
	return strings.Join(e.Errors, " ")
}

// into decodes the body.
func into[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return v
}

// call sends a JSON object (nil: no body) and reads the answer.
func (h *holder) call(method, path string, in map[string]string, headers ...string) reply {
	h.t.Helper()
	var text []byte
	if in != nil {
		text, _ = json.Marshal(in) // a map of strings has a JSON form
	}
	req, err := http.NewRequest(method, h.base+path, bytes.NewReader(text))
	if err != nil {
		h.t.Fatal(err)
	}
	if h.host != "" {
		req.Host = h.host
	}
	req.Header.Set("User-Agent", userAgent)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.cookie != "" {
		req.Header.Set("Cookie", h.cookie)
	}
	if h.csrf != "" {
		req.Header.Set("X-CSRF-Token", h.csrf)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		h.cookie = c.Name + "=" + c.Value
	}
	r := reply{resp.StatusCode, body(h.t, resp), resp.Header}
	if r.status >= http.StatusBadRequest {
		h.refused = append(h.refused, fmt.Sprintf("%s %s: %d %v %s", method, path, r.status, r.header, r.body))
	}
	return r
}

// must fails the test unless the answer has the status.
func (h *holder) must(status int, r reply) reply {
	h.t.Helper()
	if r.status != status {
		h.t.Fatalf("got %d %s, want %d", r.status, r.body, status)
	}
	return r
}

// signIn opens a session.
func (h *holder) signIn(code string) reply {
	h.t.Helper()
	in := map[string]string{"email": h.email, "password": h.password}
	if code != "" {
		in["otp_code"] = code
	}
	r := h.call(http.MethodPost, "/api/v2/barong/identity/sessions", in)
	if r.status == http.StatusOK {
		h.csrf = into[struct {
			CSRF string `json:"csrf_token"`
		}](h.t, r).CSRF
	}
	return r
}

// enableOTP takes the second factor from the QR code's text and turns it on.
func (h *holder) enableOTP() {
	h.t.Helper()
	r := h.must(http.StatusCreated, h.call(http.MethodPost, "/api/v2/barong/resource/otp/generate_qrcode", nil))
	text := into[struct{ Data struct{ URL string } }](h.t, r).Data.URL
	u, err := url.Parse(text)
	if err != nil {
		h.t.Fatal(err)
	}
	h.otpText = u.Query().Get("secret")
	if h.otp, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(h.otpText); err != nil || len(h.otp) == 0 {
		h.t.Fatalf("no secret in %q: %v", text, err)
	}
	h.must(http.StatusCreated, h.call(http.MethodPost, "/api/v2/barong/resource/otp/enable", map[string]string{"code": h.code()}))
}

// code is the next code of the authenticator app (RFC 6238). A code counts once, and the
// server takes those of the step before and after its own: three can be had at once, for
// the fourth the holder waits.
func (h *holder) code() string {
	h.t.Helper()
	const period = 30
	// Not the code of a step that leaves the server's view while the request is under way.
	h.step = max(h.step+1, (time.Now().Unix()+2)/period-1)
	eventually(h.t, "the next one-time code", func() bool { return h.step <= time.Now().Unix()/period+1 })
	mac := hmac.New(sha1.New, h.otp)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(h.step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1e6)
}

// newKey is what the API answers to whoever makes a key, in Barong's envelope.
type newKey struct {
	Algorithm, KID, State string
	Scope                 []string
	Secret                struct {
		Data  struct{ Value string }
		Lease int `json:"lease_duration"`
	}
	Created time.Time `json:"created_at"`
}

func (h *holder) createKey() newKey {
	h.t.Helper()
	in := map[string]string{"algorithm": "HS256", "totp_code": h.code()}
	return into[newKey](h.t, h.must(http.StatusCreated, h.call(http.MethodPost, "/api/v2/barong/resource/api_keys", in)))
}

// signed is the three headers that a request with an API key carries. openssl signs, as a
// stranger's script does.
func signed(t *testing.T, k newKey, nonce string) []string {
	t.Helper()
	cmd := exec.Command("openssl", "dgst", "-sha256", "-hmac", k.Secret.Data.Value, "-r")
	cmd.Stdin = strings.NewReader(nonce + k.KID)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	signature, _, _ := strings.Cut(string(out), " ")
	return []string{"X-Auth-Apikey", k.KID, "X-Auth-Nonce", nonce, "X-Auth-Signature", signature}
}

// now is a nonce.
func now() string { return strconv.FormatInt(time.Now().UnixMilli(), 10) }
