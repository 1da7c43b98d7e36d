// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

const shieldSecret = "gT+b58Qr+GGwW5a2d7LBf9EoY3AsFYaAt+Zu6SDtdi8="

// shieldHouse is an authority with one of Shield's keys for each token of the policies.
type shieldHouse struct {
	*embedded.House
	ids map[string]string
}

func newShieldHouse(t *testing.T, header string) *shieldHouse {
	t.Helper()
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{Shield: shield.Options{Header: header}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	h := &shieldHouse{house, map[string]string{}}
	for token, row := range map[string]struct {
		state  gatehouse.PrincipalState
		scopes gatehouse.Scopes
		used   time.Time
	}{
		"wildcard":        {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"*"}},
		"users-write":     {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"users-write"}},
		"old":             {state: gatehouse.PrincipalActive, scopes: gatehouse.Scopes{"*"}, used: time.Now().AddDate(-1, 0, -2)},
		"banned":          {state: gatehouse.PrincipalBanned, scopes: gatehouse.Scopes{"*"}},
		"deleted-user":    {state: gatehouse.PrincipalDeleted, scopes: gatehouse.Scopes{"*"}},
		"inactive":        {state: gatehouse.PrincipalLocked, scopes: gatehouse.Scopes{"*"}},
		"inactive-scoped": {state: gatehouse.PrincipalLocked, scopes: gatehouse.Scopes{"users-write"}},
	} {
		a, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: token + "@example.com", State: row.state})
		if err != nil {
			t.Fatal(err)
		}
		h.ids[token] = fmt.Sprintf("%032x", len(h.ids))
		answers, _, err := house.Authority.Adopt(ctx, house.Actor(), []gatehouse.Foreign{{
			ID: h.ids[token], Secret: gatehouse.NewSecret(shieldSecret), Principal: a.ID, Scheme: shield.Name,
			Scopes: row.scopes, Unused: shield.DefaultUnused, LastUsed: row.used,
		}}, false)
		if err != nil {
			t.Fatalf("%s: %+v, %v", token, answers, err)
		}
	}
	return h
}

// request is a step's request: what is in the field, by the name of the step.
func (h *shieldHouse) request(step, token, path, header string) *http.Request {
	body := []byte("the body")
	id, proof := h.ids[token], shield.Sign(shieldSecret, body)
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	switch {
	case step == "no header":
	case step == "empty X-HMAC":
		r.Header.Set(header, "")
	case step == "in Authorization":
		r.Header.Set("Authorization", shield.Header(id, proof))
	case step == "no scheme":
		r.Header.Set(header, id+":"+proof)
	case strings.HasPrefix(step, "malformed"):
		r.Header.Set(header, "HMAC-SHA256 "+id)
	case strings.HasSuffix(step, "signature"):
		r.Header.Set(header, shield.Header(id, "00"))
	default:
		r.Header.Set(header, shield.Header(id, proof))
	}
	return r
}

// The policies' answers, through a gate: Shield's status and its very words. Its 500 are
// refusals here.
func TestShieldPolicies(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../testdata/vectors/shield-hmac.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Policies map[string]struct {
			Steps []struct {
				Step, Token, Path string
				Status            int             `json:"server_status"`
				Body              json.RawMessage `json:"server_body"`
			}
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for policy, header := range map[string]string{
		"email_activation_required": "Authorization", "custom_header_X-HMAC": "X-HMAC", "development_mode": "Authorization",
		"record_none": "Authorization", "record_failure": "Authorization", "record_all": "Authorization",
	} {
		h := newShieldHouse(t, header)
		g, err := gate.New(h.Authority, gate.Options{
			Denials: gate.ShieldActivationDenials, Strip: []string{header}, Rules: gate.Rules{"/api/ping": gate.AnyKey(), "/api/users": gate.All("users-read")},
		})
		if err != nil {
			t.Fatal(err)
		}
		steps := vectors.Policies[policy].Steps
		if len(steps) == 0 {
			t.Errorf("%s has no steps", policy)
		}
		for _, s := range steps {
			want, body := s.Status, string(s.Body)
			if want == http.StatusInternalServerError {
				want, body = http.StatusUnauthorized, `{"message":"The access token is invalid."}`
			}
			w := answer(g, h.request(s.Step, s.Token, s.Path, header))
			if w.Code != want || want != http.StatusOK && strings.Join(strings.Fields(body), "") != strings.Join(strings.Fields(w.Body.String()), "") {
				t.Errorf("%s: %s: %d %s, want %d %s", policy, s.Step, w.Code, w.Body, want, body)
			}
		}
	}
}

// What docs/spec/shield.md says of a gate.
func TestShieldAtAGate(t *testing.T) {
	t.Parallel()
	h := newShieldHouse(t, "X-HMAC")
	for name, row := range map[string]struct {
		field, value string
		size         int
		maxBody      int64
		want         int
		code         string
	}{
		"as it is":                 {want: 200},
		"a foreign bearer token":   {field: "Authorization", value: "Bearer junk", want: 401, code: "malformed_credential"},
		"a foreign key":            {field: "X-Api-Key", value: "junk", want: 401, code: "malformed_credential"},
		"a foreign word":           {field: "Authorization", value: "Basic anVuaw==", want: 200},
		"1 MiB":                    {size: 1 << 20, want: 200},
		"more":                     {size: 1<<20 + 1, want: 413, code: "body_too_large"},
		"more, and MaxBody is set": {size: 8 << 20, maxBody: 8 << 20, want: 200},
	} {
		for denials, deny := range map[string]gate.DenyFunc{"ours": nil, "Shield's": gate.ShieldDenials} {
			g, err := gate.New(h.Authority, gate.Options{Denials: deny, MaxBody: row.maxBody})
			if err != nil {
				t.Fatal(err)
			}
			body := bytes.Repeat([]byte("x"), row.size)
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			r.Header.Set("X-HMAC", shield.Header(h.ids["wildcard"], shield.Sign(shieldSecret, body)))
			r.Header.Set("Accept-Language", "de")
			if row.field != "" {
				r.Header.Set(row.field, row.value)
			}
			w := answer(g, r)
			said := `"code":"` + row.code + `"`
			if deny != nil && row.want == http.StatusUnauthorized {
				said = `{"message":"The access token is invalid."}`
			}
			if w.Code != row.want || row.code != "" && !strings.Contains(w.Body.String(), said) {
				t.Errorf("%s, denials %s: %d %s", name, denials, w.Code, w.Body)
			}
		}
	}
}

func answer(g *gate.Gate, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w
}
