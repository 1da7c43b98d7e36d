// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/mail"
)

const link = "https://exchange.example/accounts/confirmation?confirmation_token=eyJhbGciOiJSUzI1NiJ9.a-link-is-longer-than-a-line-of-76-characters&lang=en"

var quiet = slog.New(slog.DiscardHandler)

// server is an SMTP server that keeps what it receives.
type server struct {
	address string
	user    string
	pass    string

	mu   sync.Mutex
	from string
	to   []string
	data string
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

type session struct{ *server }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != s.user || pass != s.pass {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = string(text)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// certificate is one for 127.0.0.1, and who vouches for it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	return web.TLS.Certificates[0], roots
}

func start(t *testing.T, config *tls.Config, implicit bool) *server {
	t.Helper()
	s := &server{user: "gatehouse", pass: "correct horse"}
	backend := smtp.NewServer(s)
	backend.TLSConfig = config
	backend.Domain = "mail.test"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = backend.Serve(listener) }()
	t.Cleanup(func() { _ = backend.Close(); <-done })
	return s
}

func TestSMTPDelivers(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	for _, tt := range []struct {
		name     string
		config   mail.SMTPConfig
		tls      *tls.Config
		implicit bool
	}{
		{"none", mail.SMTPConfig{TLS: "none"}, nil, false},
		{"starttls", mail.SMTPConfig{Roots: roots}, &tls.Config{Certificates: []tls.Certificate{cert}}, false},
		{"starttls and password", mail.SMTPConfig{TLS: "starttls", Roots: roots, Username: "gatehouse", Password: gatehouse.NewSecret("correct horse")},
			&tls.Config{Certificates: []tls.Certificate{cert}}, false},
		{"tls", mail.SMTPConfig{TLS: "tls", Roots: roots}, &tls.Config{Certificates: []tls.Certificate{cert}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tt.tls, tt.implicit)
			tt.config.Address, tt.config.From = s.address, "Gatehouse <keys@example.com>"
			m, err := mail.NewSMTP(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), "holder@example.com", "Confirm your address", "Hello,\n\n"+link+"\n"); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.from != "keys@example.com" || len(s.to) != 1 || s.to[0] != "holder@example.com" {
				t.Errorf("envelope: from %q to %q", s.from, s.to)
			}
			checkMessage(t, s.data)
		})
	}
}

func TestSMTPRefusesTheWire(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	plain := start(t, nil, false)
	secure := start(t, &tls.Config{Certificates: []tls.Certificate{cert}}, false)
	for name, config := range map[string]mail.SMTPConfig{
		"no STARTTLS":         {Address: plain.address},
		"unknown certificate": {Address: secure.address},
		"wrong password":      {Address: secure.address, Roots: roots, Username: "gatehouse", Password: gatehouse.NewSecret("battery staple")},
	} {
		config.From = "keys@example.com"
		m, err := mail.NewSMTP(config)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Send(t.Context(), "holder@example.com", "Subject", link)
		if err == nil {
			t.Errorf("%s: sent", name)
		} else if strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "battery") {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	if plain.data != "" || secure.data != "" {
		t.Error("something was delivered")
	}
}

func TestNewSMTPRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]mail.SMTPConfig{
		"no address":         {From: "a@example.com"},
		"no port":            {Address: "mail.example.com", From: "a@example.com"},
		"port 0":             {Address: "mail.example.com:0", From: "a@example.com"},
		"no sender":          {Address: "mail.example.com:25"},
		"two-line sender":    {Address: "mail.example.com:25", From: "a@example.com\r\nBcc: b@example.com"},
		"unknown mode":       {Address: "mail.example.com:25", From: "a@example.com", TLS: "maybe"},
		"clear over the net": {Address: "mail.example.com:25", From: "a@example.com", TLS: "none"},
		"password in clear":  {Address: "127.0.0.1:25", From: "a@example.com", TLS: "none", Username: "a", Password: gatehouse.NewSecret("b")},
	} {
		if _, err := mail.NewSMTP(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "outbox")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o, err := mail.NewOutbox(dir, "keys@example.com", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.Send(t.Context(), "holder@example.com", "Confirm your address", "Hello,\n\n"+link+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files: %q, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || filepath.Ext(file) != ".eml" {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkMessage(t, string(text))
		if !strings.Contains(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"+link+"\n") {
			t.Errorf("the link cannot be copied from\n%s", text)
		}
	}
	if said := log.String(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, dir) || strings.Contains(said, "token") {
		t.Errorf("log: %s", said)
	}
}

func TestRecipientIsChecked(t *testing.T) {
	t.Parallel()
	o, err := mail.NewOutbox(t.TempDir(), "keys@example.com", quiet)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.NewSMTP(mail.SMTPConfig{Address: "127.0.0.1:1", From: "keys@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"", "nobody", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com"} {
		for _, send := range []error{o.Send(t.Context(), to, "s", "t"), m.Send(t.Context(), to, "s", "t")} {
			if !errors.Is(send, mail.ErrRecipient) {
				t.Errorf("to %q: %v, want ErrRecipient", to, send)
			}
		}
	}
}

func TestSubjectStaysOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, err := mail.NewOutbox(dir, "keys@example.com", quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Send(t.Context(), "holder@example.com", "Hello\r\nBcc: b@example.com", "text"); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.eml"))
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := netmail.ReadMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Bcc") != "" {
		t.Error("a subject made a header field")
	}
}

func TestNewOutboxRefuses(t *testing.T) {
	t.Parallel()
	if _, err := mail.NewOutbox(t.TempDir(), "nobody", quiet); !errors.Is(err, mail.ErrSender) {
		t.Errorf("sender: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mail.NewOutbox(file, "keys@example.com", quiet); err == nil {
		t.Error("a file is no outbox")
	}
}

func checkMessage(t *testing.T, text string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("read message: %v\n%s", err, text)
	}
	if got := m.Header.Get("Subject"); got != "Confirm your address" {
		t.Errorf("subject %q", got)
	}
	if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-Id") == "" || m.Header.Get("Date") == "" {
		t.Errorf("header %v", m.Header)
	}
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		m.Body = quotedprintable.NewReader(m.Body)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Hello,\n\n" + link; !strings.HasPrefix(strings.ReplaceAll(string(body), "\r\n", "\n"), want) {
		t.Errorf("body %q, want %q", body, want)
	}
}
