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
		for name, row := range map[string]struct {
			body   string
			status int
			code   string
			field  string
		}{
			"empty":            {"", 400, "malformed", "body"},
			"no JSON":          {marker, 400, "malformed", "body"},
			"cut short":        {good[:len(good)-1], 400, "malformed", "body"},
			"a list":           {"[" + good + "]", 422, "invalid", "body"},
			"a text":           {`"` + marker + `"`, 422, "invalid", "body"},
			"unknown member":   {good[:len(good)-1] + `,"` + marker + `":1}`, 422, "invalid", "body"},
			"two values":       {good + good, 400, "malformed", "body"},
			"a stray bracket":  {good + "}", 400, "malformed", "body"},
			"a stray bracket]": {good + "]", 400, "malformed", "body"},
			"trailing text":    {good + " " + marker, 400, "malformed", "body"},
			"too large":        {`{"` + strings.Repeat("x", 8<<20) + `":1}`, 413, "body_too_large", ""},
			"padded too large": {good + strings.Repeat(" ", 8<<20), 413, "body_too_large", ""},
		} {
			if p := h.refused(line, row.body, row.status, row.code); p.Field != row.field {
				t.Errorf("%s, %s: field %q", line, name, p.Field)
			}
		}
		if r := h.send(line, good+"\n"); r.status >= 400 {
			t.Errorf("%s: a good body is refused: %s", line, r.body)
		}
	}
}

func TestOtherBodies(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	const good = `{"owner":"` + owner + `","schemes":["bearer"]}`
	for kind, want := range map[string]int{
		"": 201, "application/json": 201, "application/json; charset=utf-8": 201, "application/problem+json": 201,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, marker: 415, ";": 201,
	} {
		got := h.sendWith("POST /v1/keys", good, "Content-Type: "+kind)
		if got.status != want || want == 415 && !strings.Contains(got.body, `"unsupported_media_type"`) || strings.Contains(got.body, marker) {
			t.Errorf("%q: %d %s", kind, got.status, got.body)
		}
	}
	for body, want := range map[string]int{"": 200, "{}": 200, " {}\n": 200, `{"` + marker + `":1}`: 422, marker: 422, "null": 422} {
		if got := h.send("POST /v1/keys/"+k.ID+"/disable", body); got.status != want || strings.Contains(got.body, marker) {
			t.Errorf("%q where none is expected: %d %s", body, got.status, got.body)
		}
	}
	for body, want := range map[string]int{"": 200, "{}": 200, `{"reason":"x"}`: 200, `{"reason":"` + strings.Repeat("x", 256) + `"}`: 422, `{"why":"x"}`: 422} {
		if got := h.send("POST /v1/keys/"+k.ID+"/revoke", body); got.status != want {
			t.Errorf("%q where one may be: %d %s", body, got.status, got.body)
		}
	}
}

func TestWrongKinds(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for _, row := range []struct{ line, body, field string }{
		{"POST /v1/keys", `{"owner":["` + marker + `"],"schemes":["bearer"]}`, "owner"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":"` + marker + `"}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"expires":"` + marker + `"}`, "expires"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["` + marker + `"]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer","bearer"]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":[]}`, "schemes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"scopes":["` + marker + ` x"]}`, "scopes"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"replay":"` + marker + `"}`, "replay"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"prefix":"` + marker + `-"}`, "prefix"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"name":"` + marker + `\n"}`, "name"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"expires":"2001-01-01T00:00:00Z"}`, "expires"},
		{"POST /v1/verify", `{"headers":["` + marker + `"]}`, "headers"},
		{"POST /v1/verify", `{"headers":{"` + marker + `":"` + marker + `"}}`, "headers"},
		{"POST /v1/verify", `{"headers":{},"peer":"` + marker + `"}`, "peer"},
		{"POST /v1/verify", `{"headers":{},"scopes":["` + marker + ` x"]}`, "scopes"},
		{"POST /v1/accounts", `{"email":"` + marker + `"}`, "email"},
		{"POST /v1/accounts", `{"email":"b@example.com","level":"` + marker + `"}`, "level"},
		{"POST /v1/accounts", `{"email":"b@example.com","state":"` + marker + `"}`, "state"},
		{"POST /v1/accounts", `{"email":"b@example.com","password":"` + marker + `"}`, "password"},
		{"POST /v1/accounts/" + owner + "/state", `{"state":"` + marker + `"}`, "state"},
		{"GET /v1/keys?limit=" + marker, "", "limit"},
		{"GET /v1/accounts?" + marker + "=1", "", "query"},
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
		for _, limit := range []int{1, 2, 3, 1000} {
			seen, next := map[string]bool{}, ""
			for pages := 0; ; pages++ {
				r := h.send(fmt.Sprintf("GET %s?limit=%d&cursor=%s", path, limit, next), "")
				var page struct {
					Keys     []api.Key
					Accounts []api.Account
					Next     string
				}
				if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 || pages > 3 {
					t.Fatalf("%s: %d %s", path, r.status, r.body)
				}
				for _, k := range page.Keys {
					seen[k.ID] = true
				}
				for _, a := range page.Accounts {
					seen[a.UID] = true
				}
				if got := len(page.Keys) + len(page.Accounts); got > limit || page.Next != "" && got != limit {
					t.Errorf("%s: a page of %d has %d rows", path, limit, got)
				}
				if next = page.Next; next == "" {
					break
				}
			}
			if len(seen) != 3 {
				t.Errorf("%s: %d rows in pages of %d", path, len(seen), limit)
			}
		}
		for query, field := range map[string]string{
			"?limit=0": "limit", "?limit=1001": "limit", "?limit=-1": "limit", "?limit=1x": "limit", "?limit=99999999999999999999": "limit",
			"?cursor=" + marker: "cursor", "?cursor=AQ": "cursor", "?offset=1": "query",
		} {
			if p := h.refused("GET "+path+query, "", 422, "invalid"); p.Field != field {
				t.Errorf("%s%s: field %q", path, query, p.Field)
			}
		}
	}
	if r := h.send("GET /v1/keys?owner="+h.other().UID, ""); r.body != `{"keys":[]}`+"\n" {
		t.Errorf("an empty page: %s", r.body)
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

// What is missing is told by its name, and how to name it; what is too much with its limit.
func TestWhatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	const names = "is not 4 to 12 letters or digits, of ASCII"
	for _, row := range []struct{ line, body, field, detail string }{
		{"POST /v1/keys", `{}`, "owner", "is missing: e-mail address or uid"},
		{"POST /v1/keys", `{"schemes":["bearer"]}`, "owner", "is missing: e-mail address or uid"},
		{"POST /v1/keys", `{"owner":"` + owner + `"}`, "schemes", "is missing"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"limits":[{"count":1}]}`, "limits[0].name", "is missing"},
		{"POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"],"replay":"` + marker + `"}`, "replay", "is none of strict, window"},
		{"GET /v1/keys?state=" + marker, "", "state[0]", "is none of active, disabled, revoked"},
		{"GET /v1/hygiene?limit=1001", "", "limit", "is more than 1000"},
		{"GET /v1/keys/x/rotation?quiet=31622401", "", "quiet", "is more than 31622400"},
		{"GET /v1/hygiene?days=0", "", "days", "is less than 1"},
		{"GET /v1/keys/" + strings.Repeat("x", 129), "", "kid", "is longer than 128 characters"},
		{"GET /v1/usage?grain=" + marker, "", "grain", "is none of minute, hour, day"},
		{"POST /v1/accounts", `{"email":"` + marker + `"}`, "email", "is no e-mail address, such as name@example.com"},
		{"POST /v1/accounts", `{"email":"b@example.com","username":"x"}`, "username", names},
		{"POST /v1/accounts", `{"email":"b@example.com","state":"` + marker + `"}`, "state", "is none of active, pending, locked, banned, disabled, deleted"},
		{"POST /v1/accounts", `{"email":"b@example.com","password":"short"}`, "password", "does not match account.password_pattern, which by default takes 8 to 80 characters with a small letter, a capital and a digit"},
		{"POST /v1/service-accounts", `{"name":"bot"}`, "name", names},
		{"POST /v1/service-accounts", `{"name":"build-bot-of-ours"}`, "name", names},
		{"POST /v1/service-accounts", `{"name":"build-bot"}`, "name", names},
	} {
		if p := h.refused(row.line, row.body, 422, "invalid"); p.Field != row.field || p.Detail != row.detail {
			t.Errorf("%s %s: %s: %s", row.line, row.body, p.Field, p.Detail)
		}
	}
	if p := h.refused("POST /v1/keys", "", 400, "malformed"); p.Field != "body" || p.Detail != "is missing" {
		t.Errorf("no body: %+v", p)
	}
}
