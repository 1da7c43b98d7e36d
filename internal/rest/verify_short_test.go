// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Who asks for a decision has the same answer whether huma reads it and writes it or not, and
// however its caller comes. A request with an Idempotency-Key goes through huma.
func TestVerifyIsOneWithAndWithoutHuma(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	asker, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner, Schemes: []string{"bearer"}, Scopes: []string{string(gatehouse.ScopeKeysVerify)}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.client.CreateKey(t.Context(), api.NewKey{
		Owner: owner, Schemes: []string{"bearer"}, Scopes: []string{"read"}, Name: `<Zoë & "co">`, Metadata: map[string]string{"b": `<\>`, "a": "é"},
		Networks: []string{"203.0.113.0/24"}, Methods: []string{"GET"}, Paths: []string{"/orders/"}, Limits: []api.Limit{{Name: "all", Count: 1000, Refill: "day"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	own := `"method":"GET","scheme":"https","authority":"api.example.com","target":"/orders/7","headers":{"authorization":["Bearer ` + k.Token + `"]}`
	for name, row := range map[string]struct {
		body   string
		status int
	}{
		"granted":       {`{` + own + `,"peer":"203.0.113.7","scopes":["read"],"body":""}`, 200},
		"other network": {`{` + own + `,"peer":"198.51.100.7"}`, 200},
		"other scope":   {`{` + own + `,"peer":"203.0.113.7","scopes":["write"]}`, 200},
		"nobody":        {`{}`, 200},
		"unknown key":   {`{"headers":{"Authorization":["Bearer gh_aaaaaaaaaaaa_b"]}}`, 200},
		"by the rules":  {`{` + own + `,"peer":"203.0.113.7","rules":true}`, 200},
		"no scope":      {`{"scopes":["a b"]}`, 422},
		"no peer":       {`{"peer":"here"}`, 422},
		"no cost":       {`{"cost":1000001}`, 422},
		"no role":       {`{"roles":[""]}`, 422},
		"unknown":       {`{"no":1}`, 422},
		"nothing":       {``, 400},
		"more":          {`{} {}`, 400},
	} {
		for _, call := range []func(fields ...string) reply{
			func(fields ...string) reply { return h.call(asker.Token, "POST /v1/verify", row.body, fields...) },
			func(fields ...string) reply { return h.sendWith("POST /v1/verify", row.body, fields...) },
		} {
			short, long := call("Content-Type: application/json"), call("Idempotency-Key: a")
			if short.status != row.status {
				t.Errorf("%s: %d %s", name, short.status, short.body)
			}
			if (short.header.Get("Server-Timing") == "") != (long.header.Get("Server-Timing") == "") {
				t.Errorf("%s: %v, through huma %v", name, short.header, long.header)
			}
			if diff := cmp.Diff(settled(&long), settled(&short)); diff != "" {
				t.Errorf("%s: (-huma +short):\n%s", name, diff)
			}
		}
	}
}

// settled is what of an answer does not change with the time, or with what was used up before.
func settled(r *reply) []any {
	header := r.header.Clone()
	for _, name := range []string{"Date", "Server-Timing", "Content-Length"} {
		header.Del(name)
	}
	var d api.Decision
	if r.status != 200 || json.Unmarshal([]byte(r.body), &d) != nil || d.Limit == nil {
		return []any{header, r.body}
	}
	d.Limit.Remaining, d.Limit.Reset = 0, 0
	return []any{header, d}
}

// A store that fails is told as it is through huma.
func TestVerifyShortTellsFailures(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	check, err := json.Marshal(bearerCheck(k))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	short, long := h.sendWith("POST /v1/verify", string(check)), h.sendWith("POST /v1/verify", string(check), "Idempotency-Key: a")
	for _, r := range []reply{short, long} {
		if code := r.code(t); r.status != 503 || code != "unavailable" || r.header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", r.status, r.header, r.body)
		}
	}
}
