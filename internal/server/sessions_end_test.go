// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// following is a process with a service that follows its list of revocations.
type following struct {
	*process
	url  string
	list *client.Revocations
}

func follow(t *testing.T) *following {
	t.Helper()
	p := wire(t, settings(t, nil))
	s := httptest.NewServer(p.public())
	t.Cleanup(s.Close)
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	admin := httptest.Server{Listener: ln, Config: &http.Server{Handler: p.admin()}}
	admin.Start()
	t.Cleanup(admin.Close)
	operator := client.Socket(socket)
	service, err := operator.CreateServiceAccount(t.Context(), api.NewServiceAccount{Name: "follower"})
	if err != nil {
		t.Fatal(err)
	}
	k, err := operator.CreateKey(t.Context(), api.NewKey{Owner: service.UID, Schemes: []string{"bearer"}, Scopes: []string{"revocations:read"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{Server: s.URL, Token: gatehouse.NewSecret(k.Token)})
	if err != nil {
		t.Fatal(err)
	}
	list := c.FollowRevocations(client.RevocationsOptions{})
	t.Cleanup(list.Close)
	if err := list.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &following{p, s.URL, list}
}

// signIn opens a session at Barong's door, and returns its id and the JWT that the gate makes
// for it.
func (f *following) signIn(t *testing.T, email string) (id gatehouse.Secret, j client.Issued) {
	t.Helper()
	body := strings.NewReader(`{"email":"` + email + `","password":"` + adminPassword + `"}`)
	resp, err := http.Post(f.url+"/api/v2/barong/identity/sessions", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		t.Fatalf("sign-in: %d, %v", resp.StatusCode, resp.Cookies())
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v2/auth/api/v2/peatio/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(resp.Cookies()[0])
	passed, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = passed.Body.Close()
	var claims struct {
		UID string `json:"uid"`
		Iat int64  `json:"iat"`
	}
	_, rest, _ := strings.Cut(passed.Header.Get("Authorization"), ".")
	text, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err = errors.Join(err, json.Unmarshal(raw, &claims)); err != nil || claims.UID == "" {
		t.Fatalf("the gate says %d and %q: %v", passed.StatusCode, raw, err)
	}
	return gatehouse.NewSecret(resp.Cookies()[0].Value), client.Issued{UID: claims.UID, Time: time.Unix(claims.Iat, 0)}
}

// TestSessionsEndForServices: what ends all sessions of an account ends the JWTs that Barong's
// gate gave them, for services that follow the list. One sign-out does not: such a JWT names no
// session, and the keys' JWTs would end with it.
func TestSessionsEndForServices(t *testing.T) {
	t.Parallel()
	f := follow(t)
	system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: f.tenant}
	for _, row := range []struct {
		name string
		end  func(a account.Account, id gatehouse.Secret) error
		ends bool
	}{
		{"one sign-out", func(_ account.Account, id gatehouse.Secret) error {
			return f.directory.SignOut(t.Context(), gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: f.tenant}, id)
		}, false},
		{"a sign-out everywhere", func(a account.Account, _ gatehouse.Secret) error {
			return f.directory.EndSessions(t.Context(), system, a.ID, gatehouse.Secret{})
		}, true},
		{"a sign-out everywhere else", func(a account.Account, id gatehouse.Secret) error {
			return f.directory.EndSessions(t.Context(), system, a.ID, id)
		}, true},
		{"a password that the operator sets", func(a account.Account, _ gatehouse.Secret) error {
			return f.directory.SetPassword(t.Context(), system, a.ID, gatehouse.NewSecret(adminPassword+"-2"))
		}, true},
	} {
		email := strings.ReplaceAll(row.name, " ", "-") + "@example.com"
		a, err := f.directory.CreateAccount(t.Context(), system, account.NewAccount{
			Email: email, State: gatehouse.PrincipalActive, Password: gatehouse.NewSecret(adminPassword),
		})
		if err != nil {
			t.Fatal(err)
		}
		id, j := f.signIn(t, email)
		if err := f.list.Check(j); err != nil {
			t.Errorf("%s: before: %v", row.name, err)
		}
		if err := row.end(a, id); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		revoked := func() bool { return errors.Is(f.list.Check(j), client.ErrRevoked) }
		if row.ends && !within(5*time.Second, revoked) {
			t.Errorf("%s: its JWT holds", row.name)
		}
		ended, err := f.store.Notices(t.Context(), f.tenant, time.Now().Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for i := range ended {
			if n := &ended[i]; n.Subject == a.ID && n.Ends && !row.ends {
				t.Errorf("%s ends every JWT of the account", row.name)
			}
		}
	}
}
