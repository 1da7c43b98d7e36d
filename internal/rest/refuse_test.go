// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

// marker stands for input that no answer and no log may repeat.
const marker = "hunter2hunter2"

// refused checks that an answer is a problem with this status and code that repeats
// nothing of the input, and returns it.
func (h *house) refused(line, body string, status int, code string) api.Problem {
	h.t.Helper()
	r := h.send(line, body)
	var p api.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		h.t.Fatalf("%s: %v: %s", line, err, r.body)
	}
	if r.status != status || p.Status != status || p.Code != code || p.Title == "" {
		h.t.Errorf("%s %.80s: %d %s, want %d %s", line, body, r.status, r.body, status, code)
	}
	if strings.Contains(r.body, marker) {
		h.t.Errorf("%s: the answer repeats the input: %s", line, r.body)
	}
	return p
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	for line, good := range map[string]string{
		"POST /v1/keys":                         `{"owner":"` + owner + `","schemes":["bearer"]}`,
		"POST /v1/verify":                       `{"headers":{}}`,
		"POST /v1/accounts":                     `{"email":"b@example.com"}`,
		"POST /v1/accounts/" + a.UID + "/state": `{"state":"active"}`,
	} {
		for name, body := range map[string]string{
			"empty":            "",
			"no JSON":          marker,
			"cut short":        good[:len(good)-1],
			"a list":           "[" + good + "]",
			"a text":           `"` + marker + `"`,
			"unknown member":   good[:len(good)-1] + `,"` + marker + `":1}`,
			"two values":       good + good,
			"a stray bracket":  good + "}",
			"a stray bracket]": good + "]",
			"trailing text":    good + " " + marker,
			"too large":        `{"` + strings.Repeat("x", 64<<10) + `":1}`,
			"padded too large": good + strings.Repeat(" ", 64<<10),
		} {
			if p := h.refused(line, body, 422, "invalid"); p.Field != "body" {
				t.Errorf("%s, %s: field %q", line, name, p.Field)
			}
		}
		if r := h.send(line, good+"\n"); r.status >= 400 {
			t.Errorf("%s: a good body is refused: %s", line, r.body)
		}
	}
}

func TestWrongKinds(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for _, row := range []struct{ line, body, field string }{
		{"POST /v1/keys", `{"owner":["` + marker + `"],"schemes":["bearer"]}`, "body"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":"` + marker + `"}`, "body"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"expires":"` + marker + `"}`, "body"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["` + marker + `"]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer","bearer"]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":[]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"scopes":["` + marker + ` x"]}`, "scopes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"replay":"` + marker + `"}`, "replay"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"prefix":"` + marker + `-"}`, "prefix"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"name":"` + marker + `\n"}`, "name"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"expires":"2001-01-01T00:00:00Z"}`, "expires"},
		{"POST /v1/verify", `{"headers":["` + marker + `"]}`, "body"},
		{"POST /v1/verify", `{"headers":{"a":"` + marker + `"}}`, "body"},
		{"POST /v1/verify", `{"headers":{},"peer":"` + marker + `"}`, "peer"},
		{"POST /v1/verify", `{"headers":{},"scopes":["` + marker + ` x"]}`, "scopes"},
		{"POST /v1/accounts", `{"email":"` + marker + `"}`, "email"},
		{"POST /v1/accounts", `{"email":"b@example.com","level":"` + marker + `"}`, "body"},
		{"POST /v1/accounts", `{"email":"b@example.com","state":"` + marker + `"}`, "state"},
		{"POST /v1/accounts", `{"email":"b@example.com","password":"` + marker + `"}`, "password"},
		{"POST /v1/accounts/" + owner + "/state", `{"state":"` + marker + `"}`, "state"},
		{"GET /v1/keys?limit=" + marker, "", "limit"},
		{"GET /v1/accounts?offset=" + marker, "", "offset"},
	} {
		if p := h.refused(row.line, row.body, 422, "invalid"); p.Field != row.field || p.Detail == "" {
			t.Errorf("%s %s: field %q, detail %q", row.line, row.body, p.Field, p.Detail)
		}
	}
	if h.log.String() != "" {
		t.Errorf("refusals were logged: %s", h.log)
	}
}

func TestUnknownRecords(t *testing.T) {
	t.Parallel()
	h := open(t)
	for line, body := range map[string]string{
		"POST /v1/keys":                          `{"owner":"` + marker + `@example.com","schemes":["bearer"]}`,
		"GET /v1/keys?owner=" + marker:           "",
		"GET /v1/keys/" + marker:                 "",
		"GET /v1/keys/a%2Fb":                     "",
		"POST /v1/keys/" + marker + "/enable":    "",
		"POST /v1/keys/" + marker + "/disable":   "",
		"POST /v1/keys/" + marker + "/revoke":    "",
		"POST /v1/keys/revoke":                   `{"owner":"` + marker + `"}`,
		"GET /v1/accounts/" + marker + "@x.y":    "",
		"GET /v1/accounts/" + marker:             "",
		"POST /v1/accounts/" + marker + "/state": `{"state":"active"}`,
		"POST /v1/accounts/x@y.z/reset-otp":      "",
	} {
		p := h.refused(line, body, 404, "not_found")
		if diff := cmp.Diff(api.Problem{Status: 404, Code: "not_found", Title: p.Title}, p); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for range 3 {
		h.key("bearer")
	}
	for i := range 2 {
		if _, err := h.client.CreateAccount(t.Context(), api.NewAccount{Email: fmt.Sprintf("a%d@example.com", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/v1/keys", "/v1/accounts"} {
		for query, want := range map[string]int{
			"": 3, "?limit=1": 1, "?limit=1000": 3, "?offset=2": 1, "?offset=3": 0, "?offset=9223372036854775807": 0, "?offset=1&limit=1": 1, "?limit=&offset=": 3,
		} {
			r := h.send("GET "+path+query, "")
			var page struct {
				Keys, Accounts []json.RawMessage
				Total          int
			}
			if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 {
				t.Fatalf("%s%s: %d %s", path, query, r.status, r.body)
			}
			if got := len(page.Keys) + len(page.Accounts); got != want || page.Total != 3 {
				t.Errorf("%s%s: %d of %d, want %d of 3", path, query, got, page.Total, want)
			}
			if strings.Contains(r.body, "null") {
				t.Errorf("%s%s: an empty page is no list: %s", path, query, r.body)
			}
		}
		for query, field := range map[string]string{
			"?limit=0": "limit", "?limit=1001": "limit", "?limit=-1": "limit", "?limit=1x": "limit", "?limit=99999999999999999999": "limit",
			"?offset=-1": "offset", "?offset=0x1": "offset", "?offset=9223372036854775808": "offset",
		} {
			if p := h.refused("GET "+path+query, "", 422, "invalid"); p.Field != field {
				t.Errorf("%s%s: field %q", path, query, p.Field)
			}
		}
	}
}

// A store that fails is 503 with a request id and nothing more; the log says why, and
// neither holds a secret.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	check, _ := json.Marshal(bearerCheck(k))
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for line, body := range map[string]string{
		"POST /v1/verify":                   string(check),
		"POST /v1/accounts":                 `{"email":"b@example.com","password":"` + password + `"}`,
		"GET /v1/keys":                      "",
		"POST /v1/keys/" + k.ID + "/revoke": "",
	} {
		p := h.refused(line, body, 503, "unavailable")
		if p.Ref == "" || !strings.Contains(h.log.String(), "request_id="+p.Ref) {
			t.Errorf("%s: request id %q is not in the log", line, p.Ref)
		}
		if diff := cmp.Diff(api.Problem{Status: 503, Code: "unavailable", Title: p.Title, Ref: p.Ref}, p); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		if r := h.send(line, body); r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", line)
		}
	}
	if !strings.Contains(h.log.String(), "closed") {
		t.Errorf("the log does not hold the cause: %s", h.log)
	}
	for _, secret := range []string{k.Secret, k.Token, password} {
		if strings.Contains(h.log.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}
