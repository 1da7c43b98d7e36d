// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

var token = gatehouse.NewSecret("gh_aaaaaaaaaaaa_hunter2")

// answers is a server without a network.
type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if status >= 400 {
		h.Set("Content-Type", api.ProblemType)
	}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

func remote(t *testing.T, f answers) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: "https://Keys.example.com:443", Token: token, HTTPClient: &http.Client{Transport: f}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		server string
		o      client.Options
		want   string
	}{
		{"https://keys.example.com", client.Options{Token: token}, ""},
		{"https://keys.example.com/", client.Options{Signer: sign.Bearer(token)}, ""},
		{"http://127.0.0.1:8080", client.Options{Token: token}, ""},
		{"http://[::1]:8080", client.Options{Token: token}, ""},
		{"http://localhost", client.Options{Token: token}, ""},
		{"http://keys.internal", client.Options{Token: token, PlainHTTP: true}, ""},
		{"http://keys.internal", client.Options{Token: token}, client.ErrPlainHTTP.Error()},
		{"http://localhost.example.com", client.Options{Signer: sign.Bearer(token)}, client.ErrPlainHTTP.Error()},
		{"https://u:hunter2@keys.example.com", client.Options{Token: token}, "server: is not of the form"},
		{"https://keys.example.com/v1", client.Options{Token: token}, "server: is not of the form"},
		{"https://keys.example.com?token=hunter2", client.Options{Token: token}, "server: is not of the form"},
		{"https://keys.example.com#hunter2", client.Options{Token: token}, "server: is not of the form"},
		{"keys.example.com", client.Options{Token: token}, "server: is not of the form"},
		{"://hunter2", client.Options{Token: token}, "server: is not of the form"},
		{"", client.Options{Token: token}, "server: is not of the form"},
		{"https://keys.example.com", client.Options{}, "token: either"},
		{"https://keys.example.com", client.Options{Token: token, Signer: sign.Bearer(token)}, "token: either"},
		{"https://keys.example.com", client.Options{Token: gatehouse.NewSecret("hunter2\r\nX: y")}, "token: is not printable"},
	} {
		row.o.Server = row.server
		c, err := client.New(row.o)
		if (c != nil) != (row.want == "") || (err == nil) != (row.want == "") || err != nil && (!strings.HasPrefix(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", row.server, err, row.want)
		}
	}
}

// Every request shows the credential and goes to the server, and to no other.
func TestCredential(t *testing.T) {
	t.Parallel()
	var asked []string
	c := remote(t, func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Gatehouse-Tenant"))
		return answer(r, http.StatusTemporaryRedirect, "", "Location", "https://elsewhere.example.com/"), nil
	})
	_, err := c.Key(t.Context(), "a/b")
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusTemporaryRedirect {
		t.Errorf("a redirect: %v", err)
	}
	if diff := cmp.Diff([]string{"GET https://keys.example.com/v1/keys/a%2Fb Bearer " + token.Reveal() + " "}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	s, err := client.New(client.Options{Server: "https://keys.example.com", Signer: sign.Shield("kid", token), HTTPClient: &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"reason":"lost"}` || !strings.HasPrefix(r.Header.Get("Authorization"), "HMAC-SHA256 kid:") {
			t.Errorf("%s, %v with %v", body, err, r.Header)
		}
		return answer(r, http.StatusOK, "{}"), nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeKey(t.Context(), "x", "lost"); err != nil {
		t.Error(err)
	}
}

// What is safe is asked again, and nothing else; a change under the same Idempotency-Key.
func TestAgain(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	read := func(ctx context.Context, c *client.Client) error { _, err := c.Key(ctx, "x"); return err }
	create := func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateKey(ctx, api.NewKey{})
		return err
	}
	verify := func(ctx context.Context, c *client.Client) error { _, err := c.Verify(ctx, api.Check{}); return err }
	update := func(ctx context.Context, c *client.Client) error {
		_, err := c.UpdateKey(ctx, "x", 7, api.PatchKey{})
		return err
	}
	remove := func(ctx context.Context, c *client.Client) error { return c.DeleteKey(ctx, "x") }
	for _, row := range []struct {
		name   string
		call   func(context.Context, *client.Client) error
		status int // 0: the connection breaks
		after  string
		tries  int
		least  time.Duration // that passes
	}{
		{"read, no connection", read, 0, "", 4, 350 * time.Millisecond},
		{"read, 502", read, 502, "", 4, 350 * time.Millisecond},
		{"read, 503 with Retry-After", read, 503, "2", 4, 6 * time.Second},
		{"read, 503 for a long time", read, 503, "31", 1, 0},
		{"read, 504", read, 504, "nonsense", 4, 350 * time.Millisecond},
		{"read, 500", read, 500, "", 1, 0},
		{"read, 429", read, 429, "1", 1, 0},
		{"read, 404", read, 404, "", 1, 0},
		{"create, no connection", create, 0, "", 4, 350 * time.Millisecond},
		{"create, 503", create, 503, "1", 4, 3 * time.Second},
		{"create, 409", create, 409, "", 1, 0},
		{"create, while it is done", create, 1409, "", 4, 350 * time.Millisecond},
		{"verify, no connection", verify, 0, "", 1, 0},
		{"verify, 503", verify, 503, "1", 1, 0},
		{"update, no connection", update, 0, "", 1, 0},
		{"delete, 503", remove, 503, "", 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries, ids := 0, map[string]bool{}
				c := remote(t, func(r *http.Request) (*http.Response, error) {
					tries++
					ids[r.Header.Get("Idempotency-Key")] = true
					if row.status == 0 {
						return nil, lost
					}
					if row.status > 1000 {
						return answer(r, row.status-1000, `{"code":"in_progress","title":"T"}`), nil
					}
					return answer(r, row.status, `{"code":"c","title":"T"}`, "Retry-After", row.after), nil
				})
				begin := time.Now()
				err := row.call(t.Context(), c)
				if err == nil || row.status == 0 && !errors.Is(err, lost) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v", err)
				}
				took := time.Since(begin)
				if tries != row.tries || len(ids) != 1 || took < row.least || took > row.least+time.Second {
					t.Errorf("%d tries in %v, with %d keys; want %d in %v", tries, took, len(ids), row.tries, row.least)
				}
				if ids[""] == strings.HasPrefix(row.name, "create") {
					t.Errorf("Idempotency-Key %v", ids)
				}
			})
		})
	}
}

// Two calls are two changes. The second answer counts where the first was lost.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		c := remote(t, func(r *http.Request) (*http.Response, error) {
			if ids = append(ids, r.Header.Get("Idempotency-Key")); len(ids) == 1 {
				return answer(r, http.StatusCreated, `{"kid":"a","sec`), nil
			}
			return answer(r, http.StatusCreated, `{"kid":"a","secret":"s"}`), nil
		})
		for range 2 {
			if k, err := c.CreateKey(t.Context(), api.NewKey{}); err != nil || k.Secret != "s" {
				t.Errorf("%+v, %v", k, err)
			}
		}
		if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] {
			t.Errorf("keys %q", ids)
		}
	})
}

// Nobody waits beyond the context.
func TestContextEndsTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := remote(t, func(r *http.Request) (*http.Response, error) {
			tries++
			return answer(r, http.StatusServiceUnavailable, `{"code":"c"}`, "Retry-After", "10"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.Key(ctx, "x")
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "c" || tries != 2 || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %d tries in %v", err, tries, time.Since(begin))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin = time.Now()
		if _, err := c.Key(ctx, "x"); err == nil || time.Since(begin) != time.Second {
			t.Errorf("%v in %v", err, time.Since(begin))
		}
	})
}

// A list is read page by page, no further than it is wanted.
func TestLists(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"":  `{"keys":[{"kid":"1"},{"kid":"2"}],"next":"b"}`,
		"b": `{"keys":[],"next":"c"}`,
		"c": `{"keys":[{"kid":"3"}]}`,
		"d": `{"keys":[{"kid":"4"}],"next":"d"}`,
	}
	var asked []string
	c := remote(t, func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.RawQuery)
		at := r.URL.Query().Get("cursor")
		if r.URL.Query().Get("owner") == "loop" {
			at = "d"
		}
		return answer(r, http.StatusOK, pages[at]), nil
	})
	var got []string
	f := client.KeyQuery{
		Owner: "a@b.c", States: []string{"active", "disabled"}, Scheme: "bearer", Scope: "s&t", ExpiresBefore: time.Unix(0, 0), UnusedSince: time.Unix(1, 5000),
		Metadata: map[string]string{"team": "x=y", "plan": "gold"}, Text: "n ö",
	}
	for k, err := range c.Keys(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.ID)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	const query = "expires_before=1970-01-01T00%3A00%3A00Z&limit=500&metadata=plan%3Dgold&metadata=team%3Dx%3Dy&owner=a%40b.c&scheme=bearer&scope=s%26t&state=active&state=disabled&text=n+%C3%B6&unused_since=1970-01-01T00%3A00%3A01.000005Z"
	if diff := cmp.Diff([]string{query, "cursor=b&" + query, "cursor=c&" + query}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	asked = nil
	for range c.Keys(t.Context(), client.KeyQuery{}) {
		break
	}
	if len(asked) != 1 {
		t.Errorf("%d pages for one key", len(asked))
	}
	n := 0
	for _, err := range c.Keys(t.Context(), client.KeyQuery{Owner: "loop"}) {
		if n++; n == 3 && err == nil || n > 3 {
			t.Fatal("a list without an end is read for ever")
		}
	}
}

// Each list of records can be read by the page.
func TestPages(t *testing.T) {
	t.Parallel()
	c := remote(t, func(r *http.Request) (*http.Response, error) {
		const want = "/v1/accounts?cursor=b&kind=service&limit=50&limited=true&owner=a%40b.c&role=clerk&state=active&text=ada"
		if got := r.URL.RequestURI(); got != want {
			t.Errorf("asks %s, want %s", got, want)
		}
		return answer(r, http.StatusOK, `{"accounts":[{"uid":"ID1"}],"next":"c"}`), nil
	})
	q := client.AccountQuery{Kind: "service", Owner: "a@b.c", State: "active", Role: "clerk", Text: "ada", Limited: true}
	got, err := c.AccountPage(t.Context(), q, client.Page{Cursor: "b", Limit: 50})
	if err != nil || len(got.Accounts) != 1 || got.Accounts[0].UID != "ID1" || got.Next != "c" {
		t.Errorf("page %+v, %v", got, err)
	}
}

// No server, wherever it should be, has a name.
func TestNoRemoteServer(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{Server: "http://" + testenv.Nobody, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Verify(t.Context(), api.Check{}); !errors.Is(err, client.ErrNoServer) || !strings.Contains(err.Error(), testenv.Nobody) {
		t.Errorf("error %v", err)
	}
}
