// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// calls is a keyring that writes down what it is asked and answers err. The real one is
// behind the API in the tests of internal/cli and cmd/gatehouse.
type calls struct {
	err  error
	list []string
}

func (c *calls) note(format string, args ...any) {
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *calls) List(context.Context) ([]api.KeyringKey, int, error) {
	c.note("list")
	return []api.KeyringKey{{ID: "k1", Kind: "kek"}}, 7, c.err
}

func (c *calls) Add(_ context.Context, a gatehouse.Actor, n api.NewKeyringKey) (api.KeyringKey, error) {
	c.note("%s adds %+v", a.Kind, n)
	return api.KeyringKey{ID: n.ID, Kind: n.Kind}, c.err
}

func (c *calls) SetPrimary(_ context.Context, a gatehouse.Actor, id string) (api.KeyringKey, error) {
	c.note("%s makes %s primary", a.Kind, id)
	return api.KeyringKey{ID: id, Rank: "primary"}, c.err
}

func (c *calls) Retire(_ context.Context, a gatehouse.Actor, id string) error {
	c.note("%s retires %s", a.Kind, id)
	return c.err
}

func (c *calls) Rewrap(_ context.Context, a gatehouse.Actor) (api.Rewrap, error) {
	c.note("%s rewraps", a.Kind)
	return api.Rewrap{State: "running", KEK: "k1"}, c.err
}

func (c *calls) Progress() api.Rewrap {
	c.note("progress")
	return api.Rewrap{State: "done", KEK: "k1", Done: 5, Total: 5}
}

// ask sends a request to the house's API with this keyring.
func (h *house) ask(k rest.Keyring, line, body string) (status int, answer string) {
	h.t.Helper()
	a, err := rest.New(rest.Config{Authority: h.authority, Directory: h.directory, Keyring: k, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.t.Fatal(err)
	}
	method, target, _ := strings.Cut(line, " ")
	w := httptest.NewRecorder()
	a.Socket().ServeHTTP(w, httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestKeyringRoutes(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, row := range []struct {
		line, body string
		status     int
		calls      []string
		answer     string
	}{
		{"GET /v1/keyring", "", 200, []string{"list", "progress"}, `"unreadable":7`},
		{"POST /v1/keyring/keys", `{"id":"k2","kind":"kek","algorithm":"a","source":"file:/x","primary":true}`, 201,
			[]string{"operator adds {Kind:kek Algorithm:a ID:k2 Source:file:/x Primary:true}"}, `{"id":"k2"`},
		{"POST /v1/keyring/keys", `{"key":"hunter2"}`, 422, nil, `"field":"body"`},
		{"POST /v1/keyring/keys/k1/primary", `{}`, 200, []string{"operator makes k1 primary"}, `"rank":"primary"`},
		{"POST /v1/keyring/keys/k1/retire", `{}`, 200, []string{"operator retires k1", "list", "progress"}, `"keys":[{"id":"k1"`},
		{"POST /v1/keyring/rewrap", `{}`, 202, []string{"operator rewraps"}, `{"state":"running"`},
		{"GET /v1/keyring/rewrap", "", 200, []string{"progress"}, `"done":5,"total":5`},
		{"GET /v1/keyring/keys/k1", "", 404, nil, ""},
	} {
		k := &calls{}
		status, body := h.ask(k, row.line, row.body)
		if status != row.status || !strings.Contains(body, row.answer) || strings.Contains(body, "hunter2") {
			t.Errorf("%s: %d %s", row.line, status, body)
		}
		if diff := cmp.Diff(row.calls, k.list); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", row.line, diff)
		}
	}
	if status, _ := h.ask(nil, "GET /v1/keyring", ""); status != http.StatusNotFound {
		t.Errorf("without a keyring: %d", status)
	}
}

func TestKeyringProblems(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, row := range []struct {
		err  error
		want api.Problem
	}{
		{&rest.ConflictError{Problem: "KEK k1 still wraps 3 data keys"}, api.Problem{Status: 409, Code: "conflict", Title: "Its state does not allow this", Detail: "KEK k1 still wraps 3 data keys"}},
		{fmt.Errorf("x: %w", gatehouse.ErrConflict), api.Problem{Status: 409, Code: "conflict", Title: "It changed meanwhile, or its state does not allow this"}},
		{gatehouse.ErrNotFound, api.Problem{Status: 404, Code: "not_found", Title: "There is no such record"}},
		{&gatehouse.InvalidError{Field: "source", Problem: "no"}, api.Problem{Status: 422, Code: "invalid", Title: "The input is not usable", Field: "source", Detail: "no"}},
		{gatehouse.Unavailable("vault", io.ErrUnexpectedEOF), api.Problem{Status: 503, Code: "unavailable", Title: "A part that is needed does not answer; the server's log says which"}},
		{errors.New("secret"), api.Problem{Status: 500, Code: "internal", Title: "Something is wrong here"}},
	} {
		for _, line := range []string{"GET /v1/keyring", "POST /v1/keyring/keys", "POST /v1/keyring/keys/k1/primary", "POST /v1/keyring/keys/k1/retire", "POST /v1/keyring/rewrap"} {
			_, body := h.ask(&calls{err: row.err}, line, "{}")
			var got api.Problem
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			got.Ref = ""
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", line, row.err, diff)
			}
		}
	}
	if !errors.Is(&rest.ConflictError{}, gatehouse.ErrConflict) {
		t.Error("a ConflictError is no ErrConflict")
	}
}
