// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// jwt gets a JWT for a key.
func (h *house) jwt(k api.CreatedKey) string {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(k.ID, k.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		h.t.Fatalf("no JWT: %d, %v", resp.StatusCode, err)
	}
	return out.Token
}

// checks makes a verifier of JWTs that follows revocations.
func (h *house) checks(c *client.Client, o client.RevocationsOptions) (*client.JWTVerifier, *client.Revocations) {
	h.t.Helper()
	r := c.FollowRevocations(o)
	h.t.Cleanup(r.Close)
	if err := r.Ready(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return client.NewJWTVerifier(client.JWTOptions{Issuer: h.url, Audience: h.url, KeysURL: h.url + "/.well-known/jwks.json", Revocations: r}), r
}

// refused returns when a JWT is refused, and how long that took.
func refused(t *testing.T, v *client.JWTVerifier, token string) time.Duration {
	t.Helper()
	for begin := time.Now(); ; {
		switch _, err := v.Verify(t.Context(), token); {
		case errors.Is(err, client.ErrRevoked):
			return time.Since(begin)
		case err != nil || time.Since(begin) > time.Second:
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
	}
}

// A JWT dies with its key, with its owner, and when they may less; by another name it lives.
func TestJWTDiesWithItsKey(t *testing.T) {
	t.Parallel()
	h, ctx := start(t), t.Context()
	v, _ := h.checks(h.client(nil, "revocations:read"), client.RevocationsOptions{})
	alone := client.NewJWTVerifier(client.JWTOptions{Issuer: h.url, Audience: h.url, KeysURL: h.url + "/.well-known/jwks.json"})
	if _, err := h.admin.CreateAccount(ctx, api.NewAccount{Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	beside := h.jwt(h.key("bearer", "read"))
	name, none := "renamed", []string{"read"}
	var took time.Duration
	ends := map[string]func(k api.CreatedKey) error{
		"revoked":  func(k api.CreatedKey) error { _, err := h.admin.RevokeKey(ctx, k.ID, "lost"); return err },
		"disabled": func(k api.CreatedKey) error { _, err := h.admin.DisableKey(ctx, k.ID); return err },
		"narrowed": func(k api.CreatedKey) error {
			_, err := h.admin.UpdateKey(ctx, k.ID, 0, api.PatchKey{Scopes: &none})
			return err
		},
		"banned": func(k api.CreatedKey) error { _, err := h.admin.SetAccountState(ctx, k.Owner, "banned"); return err },
	}
	for _, how := range []string{"revoked", "disabled", "narrowed", "banned"} {
		k, err := h.admin.CreateKey(ctx, api.NewKey{Owner: "alice@example.com", Schemes: []string{"bearer"}, Scopes: []string{"read", "write"}})
		if err != nil {
			t.Fatal(err)
		}
		token := h.jwt(k)
		if _, err := h.admin.UpdateKey(ctx, k.ID, 0, api.PatchKey{Name: &name}); err != nil {
			t.Fatal(err)
		}
		j, err := v.Verify(ctx, token)
		if err != nil || j.Key != k.ID || j.UID != k.Owner || j.Tenant != "default" || !j.Scopes.Has("write") {
			t.Fatalf("%s: before %+v, %v", how, j, err)
		}
		if err := ends[how](k); err != nil {
			t.Fatal(err)
		}
		took += refused(t, v, token)
		if _, err := alone.Verify(ctx, token); err != nil {
			t.Errorf("%s: who does not follow hears of it: %v", how, err)
		}
	}
	t.Logf("refused %v after the change was acknowledged, on average", took/4)
	if _, err := v.Verify(ctx, beside); err != nil {
		t.Errorf("a JWT beside: %v", err)
	}
}

// Who was narrowed gets JWTs that hold, once the second is over.
func TestJWTAfterNarrowing(t *testing.T) {
	t.Parallel()
	h, ctx := start(t), t.Context()
	v, _ := h.checks(h.client(nil, "revocations:read"), client.RevocationsOptions{Margin: -1})
	k := h.key("bearer", "read", "write")
	token, narrow := h.jwt(k), []string{"read"}
	if _, err := h.admin.UpdateKey(ctx, k.ID, 0, api.PatchKey{Scopes: &narrow}); err != nil {
		t.Fatal(err)
	}
	refused(t, v, token)
	for begin := time.Now(); ; {
		j, err := v.Verify(ctx, h.jwt(k))
		if err == nil && len(j.Scopes) == 1 {
			return
		}
		if !errors.Is(err, client.ErrRevoked) || time.Since(begin) > 5*time.Second {
			t.Fatalf("after %v: %+v, %v", time.Since(begin), j, err)
		}
	}
}

// moving leads to a server that moves.
type moving struct{ to atomic.Pointer[url.URL] }

func (m *moving) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = m.to.Load().Host, ""
	return http.DefaultTransport.RoundTrip(r)
}

func (m *moving) follow(t *testing.T, h *house) {
	t.Helper()
	u, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	m.to.Store(u)
}

// A server that stops does not wait for who follows it, and who follows goes on with the
// next: what ended meanwhile has ended.
func TestRevocationsAfterARestart(t *testing.T) {
	t.Parallel()
	dir, way := filepath.Join(t.TempDir(), "d"), &moving{}
	first := startIn(t, dir)
	way.follow(t, first)
	v, _ := first.checks(first.client(way, "revocations:read"), client.RevocationsOptions{Open: true})
	k, other := first.key("bearer"), first.key("bearer")
	token, beside := first.jwt(k), first.jwt(other)
	for _, j := range []string{token, beside} {
		if _, err := v.Verify(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	first.stop()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the server stopped after %v", took)
	}
	second := startIn(t, dir)
	if _, err := second.admin.RevokeKey(t.Context(), k.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("before it is heard: %v", err)
	}
	way.follow(t, second)
	for begin := time.Now(); ; {
		if _, err := v.Verify(t.Context(), token); errors.Is(err, client.ErrRevoked) {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it is not heard")
		}
	}
	if _, err := v.Verify(t.Context(), beside); err != nil {
		t.Errorf("beside: %v", err)
	}
}

// When a JWT counts as issued before an end.
func TestRevocationsCheck(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 12, 0, 10, 300_000_000, time.UTC)
	const list = `{"tenant":"t","floor":"2026-01-01T11:00:00.5Z","cursor":"c","revocations":[
		{"kind":"key","id":"k","at":"2026-01-01T12:00:10.3Z"},{"kind":"key","id":"k","at":"2026-01-01T12:00:01Z"},
		{"kind":"principal","id":"u","at":"2026-01-01T12:00:10.3Z"}%]}`
	second := func(n int) time.Time { return at.Truncate(time.Second).Add(time.Duration(n) * time.Second) }
	const tenant, all, strange = `,{"kind":"tenant","at":"2026-01-01T12:00:10.3Z"}`, `,{"kind":"all","at":"2026-01-01T12:00:10.3Z"}`, `,{"kind":"moon","id":"x","at":"2026-01-01T12:00:10.3Z"}`
	for _, row := range []struct {
		name   string
		more   string
		margin time.Duration
		j      client.Issued
		want   error
	}{
		{"the second before", "", -1, client.Issued{Tenant: "t", Key: "k", Time: second(-1)}, client.ErrRevoked},
		{"the same second", "", -1, client.Issued{Tenant: "t", Key: "k", Time: second(0)}, client.ErrRevoked},
		{"the next second", "", -1, client.Issued{Tenant: "t", Key: "k", Time: second(1)}, nil},
		{"within the margin", "", 0, client.Issued{Tenant: "t", Key: "k", Time: second(2)}, client.ErrRevoked},
		{"after the margin", "", 0, client.Issued{Tenant: "t", Key: "k", Time: second(3)}, nil},
		{"of the owner", "", -1, client.Issued{Tenant: "t", Key: "k2", UID: "u", Time: second(0)}, client.ErrRevoked},
		{"of a session of the owner", "", -1, client.Issued{UID: "u", Time: second(0)}, client.ErrRevoked},
		{"of an owner named as the key", "", -1, client.Issued{Tenant: "t", Key: "u", UID: "k", Time: second(0)}, nil},
		{"of another key", "", -1, client.Issued{Tenant: "t", Key: "k2", UID: "u2", Time: second(0)}, nil},
		{"of another tenant", "", -1, client.Issued{Tenant: "t2", Key: "k2", Time: second(0)}, client.ErrOtherTenant},
		{"without a time", "", -1, client.Issued{Tenant: "t", Key: "k2"}, client.ErrRevoked},
		{"at the floor", "", -1, client.Issued{Tenant: "t", Key: "k2", Time: second(0).Add(-time.Hour - 10*time.Second)}, client.ErrRevoked},
		{"above the floor", "", -1, client.Issued{Tenant: "t", Key: "k2", Time: second(0).Add(-time.Hour - 9*time.Second)}, nil},
		{"the tenant ended", tenant, -1, client.Issued{Tenant: "t", Key: "k2", Time: second(0)}, client.ErrRevoked},
		{"the tenant ended before", tenant, -1, client.Issued{Tenant: "t", Key: "k2", Time: second(1)}, nil},
		{"everything ended", all, -1, client.Issued{Tenant: "t", Key: "k2", Time: second(0)}, client.ErrRevoked},
		{"something new ended", strange, -1, client.Issued{Tenant: "t", Key: "k2", Time: second(0)}, client.ErrRevoked},
	} {
		r := remote(t, func(q *http.Request) (*http.Response, error) {
			if q.URL.Query().Get("since") != "" {
				<-q.Context().Done()
				return nil, q.Context().Err()
			}
			return answer(q, http.StatusOK, strings.Replace(list, "%", row.more, 1)), nil
		}).FollowRevocations(client.RevocationsOptions{Margin: row.margin})
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.Check(row.j); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		r.Close()
	}
}

// A list that is not heard of any more counts for a while, and then nothing is known.
func TestRevocationsStale(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var down atomic.Bool
			var mu sync.Mutex // of asked and failed
			var asked []string
			failed := 0
			r := remote(t, func(q *http.Request) (*http.Response, error) {
				mu.Lock()
				asked = append(asked, q.URL.RawQuery)
				mu.Unlock()
				if down.Load() {
					return nil, errors.New("no route")
				}
				if q.URL.Query().Has("wait_s") {
					<-time.After(2 * time.Second)
				}
				return answer(q, http.StatusOK, `{"tenant":"t","floor":"1999-01-01T00:00:00Z","cursor":"c","revocations":[]}`), nil
			}).FollowRevocations(client.RevocationsOptions{Open: open, Failed: func(error) {
				mu.Lock()
				defer mu.Unlock()
				failed++
			}})
			defer r.Close()
			j := client.Issued{Tenant: "t", Key: "k", Time: time.Now()}
			check := func(when string, want error) {
				t.Helper()
				if open {
					want = nil
				}
				if err := r.Check(j); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", when, err, want)
				}
			}
			check("before the first answer", client.ErrStale)
			<-time.After(time.Minute)
			synctest.Wait()
			check("after a minute", nil)
			mu.Lock()
			if want := "since=c&wait_s=2"; asked[0] != "" || asked[len(asked)-1] != want || len(asked) > 32 || failed != 0 {
				t.Errorf("asked %q, failed %d times", asked, failed)
			}
			mu.Unlock()
			down.Store(true)
			<-time.After(3 * time.Second)
			check("shortly after the last answer", nil)
			<-time.After(5 * time.Second)
			check("long after it", client.ErrStale)
			mu.Lock()
			if failed == 0 || failed > 20 {
				t.Errorf("failed %d times", failed)
			}
			mu.Unlock()
			down.Store(false)
			<-time.After(2 * time.Second)
			check("heard again", nil)
		})
	}
	if !errors.Is(client.ErrStale, gatehouse.ErrUnavailable) {
		t.Error("nobody can tell, and it is no failure")
	}
}
