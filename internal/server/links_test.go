// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/config"
)

// A link in a mail leads to where the process listens, unless the configuration says where
// clients reach it. An address that stands for every one of the machine is none to go to.
func TestMailsLinkToTheBoundPort(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		settings map[string]string
		link     string // PORT is the bound one
	}{
		"one address":   {map[string]string{"listen": "127.0.0.1:0"}, "http://127.0.0.1:PORT"},
		"every address": {map[string]string{"listen": ":0"}, "http://localhost:PORT"},
		"public_url":    {map[string]string{"public_url": "https://keys.example.com/"}, "https://keys.example.com"},
		"barong.domain": {map[string]string{"barong.domain": "https://shop.example.com"}, "https://shop.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, port := mailed(t, settings(t, row.settings))
			if want := strings.ReplaceAll(row.link, "PORT", port) + "/accounts/confirmation?"; !strings.Contains(text, "\n"+want) {
				t.Errorf("no link to %s in\n%s", want, text)
			}
		})
	}
}

// What is signed names the address that clients reach, as the metadata do: a port that the
// system chose too.
func TestIssuerIsTheBoundPort(t *testing.T) {
	t.Parallel()
	for listens, settings := range map[string]config.Config{
		"127.0.0.1": settings(t, map[string]string{"listen": "127.0.0.1:0"}), "localhost": settings(t, map[string]string{"listen": ":0"}),
		"": settings(t, map[string]string{"public_url": "https://keys.example.com/"}),
	} {
		p := wire(t, settings)
		faces, err := p.listen(&settings)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(faces[0].listener.Addr().String())
		want := "http://" + listens + ":" + port
		if listens == "" {
			want = "https://keys.example.com"
		}
		w := httptest.NewRecorder()
		p.public().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
		if !strings.Contains(w.Body.String(), `"issuer":"`+want+`"`) {
			t.Errorf("%s: %s", want, w.Body)
		}
		for _, f := range faces {
			_ = f.listener.Close()
		}
	}
}

// The pages say that mail is sent where it is.
func TestConsoleKnowsHowMailGoes(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "127.0.0.1:25"} {
		c := settings(t, map[string]string{"smtp.address": address})
		p, err := tryParts(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(c.Data, "outbox")); p.console.MailServer != address || (p.outbox == "") != (address != "") || (err == nil) != (address == "") {
			t.Errorf("%q: the console knows of %q, the greeting of %q; the folder: %v", address, p.console.MailServer, p.outbox, err)
		}
		p.close()
	}
}

// mailed is the mail that an account gets which registers, and the port where it did.
func mailed(t *testing.T, c config.Config) (text, port string) {
	t.Helper()
	p, err := tryParts(c)
	if err != nil {
		t.Fatal(err)
	}
	faces, err := p.listen(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faces {
		go func() { _ = f.serve() }()
	}
	_, port, _ = net.SplitHostPort(faces[0].listener.Addr().String())
	body := strings.NewReader(`{"email":"a@example.com","password":"` + adminPassword + `"}`)
	resp, err := http.Post("http://127.0.0.1:"+port+"/api/v2/barong/identity/users", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("registered: %s, %v", resp.Status, err)
	}
	if err := drainAll(t.Context(), faces); err != nil {
		t.Error(err)
	}
	p.close() // sends the mail that waits
	files, err := filepath.Glob(filepath.Join(c.Data, "outbox", "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("mails %v, %v", files, err)
	}
	mail, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(mail), port
}
