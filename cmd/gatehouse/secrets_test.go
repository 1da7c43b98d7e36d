// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// vault is the secrets of a story. What it looks for, it looks for in every form in which
// a careless line might keep it.
type vault struct {
	t       *testing.T
	names   []string
	forms   map[string][][]byte
	excuses map[string]bool // that were needed
}

func newVault(t *testing.T) *vault {
	return &vault{t: t, forms: map[string][][]byte{}, excuses: map[string]bool{}}
}

// add keeps a secret: the text, and, where that is the print of bytes, those bytes.
func (v *vault) add(name, text string, raw ...byte) {
	v.t.Helper()
	if len(text) < 8 {
		v.t.Fatalf("%s has %d characters: a test cannot look for so little", name, len(text))
	}
	if b, err := hex.DecodeString(text); err == nil {
		raw = b
	}
	name = fmt.Sprintf("%s (%d)", name, len(v.names))
	v.names = append(v.names, name)
	v.forms[name] = append(prints([]byte(text)), prints(raw)...)
}

// jwt keeps a token: the whole, and the signature, without which it is worth nothing.
func (v *vault) jwt(name, token string) {
	v.t.Helper()
	signature := token[strings.LastIndex(token, ".")+1:]
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || strings.Count(token, ".") != 2 {
		v.t.Fatalf("%s is no JWT: %q", name, token)
	}
	v.add(name, token)
	v.add(name+"'s signature", signature, raw...)
}

// prints is the forms of a secret: as it is, in hex, and in base64 wherever it begins in
// what was encoded.
func prints(secret []byte) [][]byte {
	if len(secret) < 8 {
		return nil
	}
	lower := hex.EncodeToString(secret)
	forms := [][]byte{secret, []byte(lower), []byte(strings.ToUpper(lower))}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			// The characters at the ends depend on what stands around the secret.
			from, to := (before*8+5)/6, (before+len(secret))*8/6
			forms = append(forms, []byte(text[from:to]))
		}
	}
	return forms
}

// search reports each secret that a text holds, but for the ones whose names begin with
// an excuse.
func (v *vault) search(where string, text []byte, excuses ...string) {
	v.t.Helper()
	for _, name := range v.names {
		for i, form := range v.forms[name] {
			if bytes.Contains(text, form) && !v.excused(name, excuses) {
				v.t.Errorf("%s holds %s, form %d", where, name, i)
				break
			}
		}
	}
}

func (v *vault) excused(name string, excuses []string) bool {
	for _, e := range excuses {
		if strings.HasPrefix(name, e) {
			v.excuses[e] = true
			return true
		}
	}
	return false
}

// found reports whether a text holds any secret.
func (v *vault) found(text string) bool {
	for _, forms := range v.forms {
		for _, form := range forms {
			if bytes.Contains([]byte(text), form) {
				return true
			}
		}
	}
	return false
}

// searchFiles searches what the server keeps: everything in its data directory but what
// is there to hold secrets, the keyring and the mails.
func (v *vault) searchFiles(dir string) {
	v.t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "outbox" && d.IsDir():
			return fs.SkipDir
		case d.Name() == "keyring" || !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		// The store keeps a session's CSRF token to compare with. It is half of a
		// credential: without the session id, of which there is a hash, it opens nothing.
		v.search(path, text, "csrf token")
		return nil
	})
	if err != nil || files < 3 {
		v.t.Fatalf("%d files in %s, %v", files, dir, err)
	}
}

func TestPrints(t *testing.T) {
	t.Parallel()
	const secret = "2d0b4979c7fe6986daa8e21d1dc0644f"
	v := newVault(t)
	v.add("secret", secret)
	raw, err := hex.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{secret, string(raw)} {
		for _, around := range []string{"", "x", "xy", "xyz"} {
			b := []byte(around + s + around)
			for _, text := range []string{
				string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
				base64.StdEncoding.EncodeToString(b), base64.URLEncoding.EncodeToString(b),
			} {
				if !v.found(text) {
					t.Errorf("not found in %q", text)
				}
			}
		}
	}
	if v.found(secret[1:]) || v.found("") {
		t.Error("found in what does not hold it")
	}
}

// story is a run in which every secret is known.
type story struct {
	*server
	*vault
	people []*holder
	errors []string // of the command line's client
}

const (
	wrongPassword = "Wrong-hXq7-password"
	weakPassword  = "weak-hxq7-word"
)

func (s *story) person(email, password string) *holder {
	h := &holder{t: s.server.t, base: "http://" + s.addr, email: email, password: password}
	s.people = append(s.people, h)
	s.add("password of "+email, password)
	return h
}

// opened keeps the secrets of a session.
func (s *story) opened(h *holder) {
	_, id, _ := strings.Cut(h.cookie, "=")
	s.add("session id", id)
	s.add("csrf token", h.csrf)
}

// gate asks the gate as a gateway does, and keeps what comes of it.
func (s *story) gate(h *holder, headers ...string) {
	r := h.call(http.MethodGet, "/api/v2/auth/api/v2/peatio/market/orders?signature=hXq7", nil, headers...)
	if token, ok := strings.CutPrefix(r.header.Get("Authorization"), "Bearer "); ok {
		s.jwt("jwt", token)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "X-Auth-Signature" {
			s.add("signature", headers[i+1])
		}
	}
}

// mailed waits for the n-th mail and returns the token in its link.
func (s *story) mailed(n int, parameter string) string {
	t := s.server.t
	t.Helper()
	var mails []string
	eventually(t, "a mail", func() bool {
		var err error
		if mails, err = filepath.Glob(filepath.Join(s.data(), "outbox", "*.eml")); err != nil {
			t.Fatal(err)
		}
		return len(mails) >= n
	})
	text, err := os.ReadFile(mails[n-1])
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		m.Body = quotedprintable.NewReader(m.Body)
	}
	if text, err = io.ReadAll(m.Body); err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(parameter + `=([^&\s]+)`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("no %s in:\n%s", parameter, text)
	}
	token, err := url.QueryUnescape(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	s.jwt(parameter, token)
	return token
}

// administrator is the first chapter: set-up, second factor, key, gate.
func (s *story) administrator() {
	t := s.server.t
	s.add("setup token", regexp.MustCompile(`token=([0-9a-f]+)`).FindStringSubmatch(s.greeting)[1])
	h := s.person(s.firstAdmin())
	h.must(http.StatusUnauthorized, h.call(http.MethodPost, "/api/v2/barong/identity/sessions", map[string]string{"email": h.email, "password": wrongPassword}))
	h.must(http.StatusOK, h.signIn(""))
	s.opened(h)
	h.enableOTP()
	s.add("TOTP secret", h.otpText, h.otp...)
	h.must(http.StatusForbidden, h.signIn("000000"))
	h.must(http.StatusOK, h.signIn(h.code()))
	s.opened(h)
	h.must(http.StatusUnprocessableEntity, h.call(http.MethodPost, "/api/v2/barong/resource/api_keys", map[string]string{"algorithm": "HS256", "totp_code": "000000"}))
	k := h.createKey()
	s.add("key secret", k.Secret.Data.Value)

	bot := s.person("bot", wrongPassword)
	good := signed(t, k, now())
	s.gate(bot, good...)
	s.gate(bot, good...) // replayed
	forged := signed(t, newKey{KID: k.KID, Secret: k.Secret}, now())
	forged[5] = strings.Repeat("0", 16) + forged[5][16:]
	s.gate(bot, forged...)
	s.gate(bot, signed(t, k, "1584524005143")...)
	s.gate(h)
	s.gate(bot, "Authorization", "Bearer "+k.Secret.Data.Value)
	h.call(http.MethodDelete, "/api/v2/barong/resource/api_keys/"+k.KID+"?totp_code=000000&secret="+k.Secret.Data.Value, nil)
	// What does not belong there: a secret in the place of something else.
	for _, r := range []reply{
		h.call(http.MethodPost, "/api/v2/barong/identity/sessions", map[string]string{"email": h.password, "password": h.email}),
		h.call(http.MethodPost, "/api/v2/barong/resource/api_keys", map[string]string{"algorithm": k.Secret.Data.Value, "totp_code": h.otpText}),
		h.call(http.MethodPut, "/api/v2/barong/resource/users/me", map[string]string{"data": h.password}),
		h.call(http.MethodPost, "/setup", map[string]string{"token": h.password, "email": h.password, "password": "x"}),
		h.call(http.MethodGet, "/nowhere?"+k.Secret.Data.Value, nil),
	} {
		if r.status < 400 {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
}

// newcomer is the second: register, confirm, forget the password.
func (s *story) newcomer() {
	const users = "/api/v2/barong/identity/users"
	h := s.person("new@example.com", "Correct-hXq7-battery")
	next := s.person("next", "Another-hXq7-staple").password
	h.must(http.StatusUnprocessableEntity, h.call(http.MethodPost, users, map[string]string{"email": h.email, "password": weakPassword}))
	h.must(http.StatusCreated, h.call(http.MethodPost, users, map[string]string{"email": h.email, "password": h.password}))
	confirm := s.mailed(1, "confirmation_token")
	h.must(http.StatusUnprocessableEntity, h.call(http.MethodPost, users+"/email/confirm_code", map[string]string{"token": confirm[:len(confirm)-8]}))
	h.must(http.StatusCreated, h.call(http.MethodPost, users+"/email/confirm_code", map[string]string{"token": confirm}))
	h.must(http.StatusUnprocessableEntity, h.call(http.MethodPost, users+"/email/confirm_code", map[string]string{"token": confirm}))
	h.must(http.StatusOK, h.signIn(""))
	s.opened(h)
	password := func(old, next string) reply {
		return h.call(http.MethodPut, "/api/v2/barong/resource/users/password", map[string]string{"old_password": old, "new_password": next, "confirm_password": next})
	}
	h.must(http.StatusBadRequest, password(wrongPassword, next))
	h.must(http.StatusCreated, password(h.password, next))

	h.must(http.StatusCreated, h.call(http.MethodPost, users+"/password/generate_code", map[string]string{"email": h.email}))
	token := s.mailed(2, "reset_token")
	reset := func(next string) reply {
		return h.call(http.MethodPost, users+"/password/confirm_code", map[string]string{"reset_password_token": token, "password": next, "confirm_password": next})
	}
	h.must(http.StatusUnprocessableEntity, reset(weakPassword))
	h.must(http.StatusCreated, reset(h.password))
	h.must(http.StatusUnprocessableEntity, reset(h.password))
	h.must(http.StatusOK, h.signIn(""))
	s.opened(h)
	h.must(http.StatusOK, h.call(http.MethodDelete, "/api/v2/barong/identity/sessions", nil))
}

// operator is the third: the command line's client.
func (s *story) operator() {
	t, admin := s.server.t, s.client()
	if _, err := admin.CreateAccount(t.Context(), api.NewAccount{Email: "cli@example.com", Password: s.person("cli", "Operator-hXq7-horse").password}); err != nil {
		t.Fatal(err)
	}
	k, err := admin.CreateKey(t.Context(), api.NewKey{Owner: "cli@example.com", Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	s.add("token", k.Token)
	s.add("key secret", k.Secret)
	for _, token := range []string{k.Token, k.Token[:len(k.Token)-1] + "!"} {
		d, err := admin.Verify(t.Context(), api.Check{Headers: map[string][]string{"Authorization": {"Bearer " + token}}})
		if err != nil || d.Granted != (token == k.Token) {
			t.Errorf("verify: %v, %v", d, err)
		}
	}
	_, err1 := admin.CreateKey(t.Context(), api.NewKey{Owner: k.Token, Schemes: []string{k.Secret}, Prefix: k.Token})
	_, err2 := admin.CreateKey(t.Context(), api.NewKey{Owner: "cli@example.com", Schemes: []string{k.Secret}, Prefix: k.Token})
	_, err3 := admin.CreateAccount(t.Context(), api.NewAccount{Email: wrongPassword, Password: wrongPassword})
	_, err4 := admin.CreateAccount(t.Context(), api.NewAccount{Email: "x@example.com", Username: k.Token, Password: wrongPassword})
	_, err5 := admin.Key(t.Context(), k.Token)
	_, err6 := admin.Verify(t.Context(), api.Check{Headers: map[string][]string{"Authorization": {k.Token}}, Scopes: []string{k.Token + "!"}, Peer: k.Token})
	for i, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err == nil {
			t.Errorf("call %d with a secret in the wrong place succeeds", i+1)
			continue
		}
		s.errors = append(s.errors, err.Error())
	}
}

// ownSecrets keeps what the server holds for itself: its keyring and its signing key.
func (s *story) ownSecrets() {
	t := s.server.t
	text, err := os.ReadFile(filepath.Join(s.data(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for word := range strings.FieldsSeq(string(text)) {
		if raw, err := base64.StdEncoding.DecodeString(word); err == nil && len(raw) >= 32 {
			s.add("keyring", word, raw...)
			keys++
		}
	}
	if keys < 3 {
		t.Fatalf("%d keys in the keyring", keys)
	}
	path, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	r := private.(*rsa.PrivateKey)
	s.add("signing key", string(r.D.Bytes()))
	for _, p := range r.Primes {
		s.add("signing key's prime", string(p.Bytes()))
	}
}

// TestNoSecretLeaks runs a full story with every secret known and the log at its most
// talkative, and looks for the secrets in all that the server keeps and says. The
// exceptions are two: the setup link, which is printed once to whoever started the
// server, and CSRF tokens in the database (see searchFiles).
func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	s := &story{server: serve(t, t.TempDir(), "", readyKey(t), "GATEHOUSE_LOG_LEVEL=debug"), vault: newVault(t)}
	s.add("wrong password", wrongPassword)
	s.add("weak password", weakPassword)
	s.administrator()
	s.newcomer()
	s.operator()
	s.signers()
	s.ownSecrets()

	for _, path := range []string{"/metrics", "/readyz", "/livez"} {
		resp, err := http.Get(s.ops + path)
		if err != nil {
			t.Fatal(err)
		}
		text := body(t, resp)
		if path == "/metrics" && !strings.Contains(text, `result="replayed"`) {
			t.Errorf("the metrics know nothing of the story:\n%s", text)
		}
		s.search(path, []byte(text))
	}
	refused := 0
	for _, h := range s.people {
		for _, r := range h.refused {
			// The request line is the test's own.
			_, answer, _ := strings.Cut(r, ": ")
			s.search("the answer to "+strings.SplitN(r, "?", 2)[0], []byte(answer))
			refused++
		}
	}
	if refused < 15 {
		t.Errorf("only %d calls were refused", refused)
	}
	for _, text := range s.errors {
		s.search("an error of the client, "+text, []byte(text))
	}
	s.searchFiles(s.data()) // with the write-ahead log
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.Done
	s.searchFiles(s.data())
	s.search("standard output", []byte(s.out.String()), "setup token", "password of admin@example.com") // the link, and the example in it
	s.search("standard error", []byte(s.log.String()))
	s.searchEvents()
	// An excuse that is not needed hides something, or the search does not read what it should.
	for _, e := range []string{"csrf token", "setup token"} {
		if !s.excuses[e] {
			t.Errorf("no %s was found where one may be", e)
		}
	}
}

// searchEvents searches the audit log as people see it.
func (s *story) searchEvents() {
	t := s.server.t
	db, err := sqlite.Open(t.Context(), filepath.Join(s.data(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	events, _, err := db.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) < 15 {
		t.Errorf("only %d events", len(events))
	}
	for _, e := range events {
		e.Prev, e.Hash = nil, nil
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		s.search("event "+e.Verb, text)
	}
}
