// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

const key = `"principal":{"uid":"ID1","kind":"service","email":"a@example.com","role":"member","level":2,"state":"active","otp":true},"key":{"kid":"k","tenant":"t","owner":"ID1","schemes":["bearer"],"scopes":["a","b"],"state":"active","replay":"window",` +
	`"networks":["192.0.2.0/24"],"limits":[{"name":"l","count":5,"period_ms":1000},{"name":"q","count":9,"refill":"day"}],"unused_s":60,` +
	`"created":"2026-01-01T00:00:00Z","updated":"2026-01-02T00:00:00Z","expires":"2027-01-01T00:00:00+01:00","version":3}`

func granted() gatehouse.Decision {
	return gatehouse.Decision{
		Granted: true, Scheme: "bearer", Principal: &gatehouse.Principal{
			ID: "ID1", UID: "ID1", Tenant: "t", Kind: gatehouse.PrincipalService, Email: "a@example.com", Role: "member", Level: 2, State: gatehouse.PrincipalActive, SecondFactor: true,
		},
		Key: &gatehouse.Key{
			ID: "k", Tenant: "t", Principal: "ID1", Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a", "b"}, State: gatehouse.StateActive,
			Replay: gatehouse.ReplayWindow, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Unused: time.Minute,
			Limits:  []gatehouse.Limit{{Name: "l", Count: 5, Period: time.Second}, {Name: "q", Count: 9, Refill: gatehouse.RefillDay}},
			Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Updated: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
			Expires: time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), Version: 3,
		},
	}
}

// compare ignores when a decision was made.
var compare = cmp.Options{
	cmpopts.IgnoreUnexported(gatehouse.Decision{}), cmpopts.IgnoreFields(gatehouse.Decision{}, "Time"), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// An answer is taken over as it is; what makes no sense, and no answer, decides nothing.
func TestVerifierAnswers(t *testing.T) {
	t.Parallel()
	edit := func(f func(*gatehouse.Decision)) gatehouse.Decision {
		d := granted()
		f(&d)
		return d
	}
	for name, row := range map[string]struct {
		status int
		answer string
		tenant string
		want   gatehouse.Decision // zero: an error
	}{
		"granted": {200, `{"granted":true,"status":200,"scheme":"bearer",` + key + `}`, "", granted()},
		"granted, all told": {
			200, `{"granted":true,"status":200,"scheme":"bearer","body":"deferred","content_digest":"sha-256=:x:","limit":{"name":"l","count":5,"remaining":2,"reset_s":7,"period_s":60},"deprecated":"2026-01-01T00:00:00Z","sunset":"2026-02-01T00:00:00Z",` + key + `}`, "t",
			edit(func(d *gatehouse.Decision) {
				d.Body, d.Digest = gatehouse.BodyDeferred, "sha-256=:x:"
				d.Limit = gatehouse.Standing{Name: "l", Count: 5, Remaining: 2, Reset: 7 * time.Second, Period: time.Minute}
				d.Deprecated, d.Sunset = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
			}),
		},
		"granted, signed":         {200, `{"granted":true,"status":200,"scheme":"httpsig","signed":true,` + key + `}`, "", edit(func(d *gatehouse.Decision) { d.Scheme, d.Signed = "httpsig", true })},
		"denied before the proof": {200, `{"granted":false,"reason":"invalid_credential","status":401,"scheme":"bearer"}`, "", gatehouse.Decision{Reason: gatehouse.ReasonInvalidCredential, Scheme: "bearer"}},
		"denied by a limit": {
			200, `{"granted":false,"reason":"rate_limited","status":429,"scheme":"bearer","retry_after_ms":1500,"limit":{"name":"l","count":5,"remaining":0,"reset_s":7},` + key + `}`, "",
			edit(func(d *gatehouse.Decision) {
				d.Granted, d.Reason, d.RetryAfter = false, gatehouse.ReasonRateLimited, 1500*time.Millisecond
				d.Limit = gatehouse.Standing{Name: "l", Count: 5, Reset: 7 * time.Second, RetryAfter: 1500 * time.Millisecond}
			}),
		},
		"another tenant's key": {200, `{"granted":true,"status":200,"scheme":"bearer",` + key + `}`, "u", gatehouse.Decision{Reason: gatehouse.ReasonInvalidCredential, Scheme: "bearer"}},

		"nothing":                       {200, `{}`, "", gatehouse.Decision{}},
		"granted without a key":         {200, `{"granted":true,"status":200,"scheme":"bearer"}`, "", gatehouse.Decision{}},
		"granted with a reason":         {200, `{"granted":true,"reason":"key_revoked","status":200,"scheme":"bearer",` + key + `}`, "", gatehouse.Decision{}},
		"granted with another status":   {200, `{"granted":true,"status":401,"scheme":"bearer",` + key + `}`, "", gatehouse.Decision{}},
		"granted without a scheme":      {200, `{"granted":true,"status":200,` + key + `}`, "", gatehouse.Decision{}},
		"granted with a strange body":   {200, `{"granted":true,"status":200,"scheme":"bearer","body":"chewed",` + key + `}`, "", gatehouse.Decision{}},
		"granted with a revoked key":    {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, `"state":"active","replay"`, `"state":"revoked","replay"`, 1) + `}`, "", gatehouse.Decision{}},
		"granted to a banned holder":    {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, `"active","otp"`, `"banned","otp"`, 1) + `}`, "", gatehouse.Decision{}},
		"granted to somebody else":      {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, `"uid":"ID1"`, `"uid":"ID2"`, 1) + `}`, "", gatehouse.Decision{}},
		"granted with no network":       {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, "192.0.2.0/24", "here", 1) + `}`, "", gatehouse.Decision{}},
		"granted with a strange scope":  {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, `"b"`, `"b c"`, 1) + `}`, "", gatehouse.Decision{}},
		"granted with a strange refill": {200, `{"granted":true,"status":200,"scheme":"bearer",` + strings.Replace(key, "day", "dawn", 1) + `}`, "", gatehouse.Decision{}},
		"a new reason":                  {200, `{"granted":false,"reason":"full_moon","status":401}`, "", gatehouse.Decision{}},
		"undecided":                     {200, `{"granted":false,"reason":"undecided","status":503}`, "", gatehouse.Decision{}},
		"a problem inside":              {200, `{"granted":true,"status":200,"scheme":"bearer","problem":{"status":503,"code":"unavailable"},` + key + `}`, "", gatehouse.Decision{}},
		"the verifier's key is denied":  {401, `{"status":401,"code":"key_revoked","title":"T"}`, "", gatehouse.Decision{}},
		"it may not ask":                {403, `{"status":403,"code":"insufficient_scope","title":"T"}`, "", gatehouse.Decision{}},
		"the server is not ready":       {503, `{"status":503,"code":"unavailable","title":"T"}`, "", gatehouse.Decision{}},
		"no JSON":                       {200, `<h1>`, "", gatehouse.Decision{}},
	} {
		asked := 0
		v := client.NewVerifier(remote(t, func(r *http.Request) (*http.Response, error) {
			asked++
			return answer(r, row.status, row.answer), nil
		}), client.VerifierOptions{})
		d, err := v.Verify(t.Context(), &gatehouse.Request{Tenant: row.tenant})
		none := !row.want.Granted && row.want.Reason == 0
		if none != errors.Is(err, gatehouse.ErrUnavailable) || none != (err != nil) || asked != 1 {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		if diff := cmp.Diff(row.want, d, compare); diff != "" || none != d.Time.IsZero() {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The server is told all that the gate knows, and a body that is not known is none.
func TestVerifierAsks(t *testing.T) {
	t.Parallel()
	var got api.Check
	v := client.NewVerifier(remote(t, func(r *http.Request) (*http.Response, error) {
		got = api.Check{}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		return answer(r, http.StatusOK, `{"granted":false,"reason":"no_credential","status":401}`), nil
	}), client.VerifierOptions{})
	empty, some := []byte{}, []byte("x=1")
	for _, row := range []struct {
		in   gatehouse.Request
		want api.Check
	}{
		{gatehouse.Request{}, api.Check{}},
		{gatehouse.Request{Body: gatehouse.Body{State: gatehouse.BodyPresent}}, api.Check{Body: &empty}},
		{gatehouse.Request{Body: gatehouse.Body{State: gatehouse.BodyUnavailable, Bytes: some}}, api.Check{}},
		{
			gatehouse.Request{
				Method: "PoST", Scheme: "https", Authority: "a:1", Target: "/x?y=%2f", Peer: netip.MustParseAddr("::ffff:192.0.2.1"), Header: gatehouse.Header{"A": {"1", "2"}},
				Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: some}, Cost: 3, Need: gatehouse.Scopes{"a"}, NeedAny: gatehouse.Scopes{"b", "c"},
				Roles: []string{"r"}, Schemes: []string{"s", "t"}, Signed: true,
			},
			api.Check{
				Method: "PoST", Scheme: "https", Authority: "a:1", Target: "/x?y=%2f", Peer: "::ffff:192.0.2.1", Headers: map[string][]string{"A": {"1", "2"}},
				Body: &some, Cost: 3, Scopes: []string{"a"}, AnyScope: []string{"b", "c"},
				Roles: []string{"r"}, Schemes: []string{"s", "t"}, Signed: true,
			},
		},
	} {
		if _, err := v.Verify(t.Context(), &row.in); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	}
}

func TestVerifierWantsBody(t *testing.T) {
	t.Parallel()
	v := client.NewVerifier(remote(t, nil), client.VerifierOptions{})
	for want, headers := range map[bool][]gatehouse.Header{
		true:  {{"Signature-Input": {"s=()"}}, {"Authorization": {"HMAC-SHA256 k:0"}}, {"Authorization": {"Bearer x", "HMAC-SHA256 k:0"}}},
		false: {nil, {"Authorization": {"Bearer HMAC-SHA256 "}}, {"X-Auth-Apikey": {"k"}}},
	} {
		for _, h := range headers {
			if v.WantsBody(&gatehouse.Request{Header: h}) != want {
				t.Errorf("%v: want %v", h, want)
			}
		}
	}
	own := client.NewVerifier(remote(t, nil), client.VerifierOptions{
		WantsBody: func(r *gatehouse.Request) bool { return r.Method == "X" }, Challenges: gatehouse.Header{"Www-Authenticate": {"X"}},
	})
	if !own.WantsBody(&gatehouse.Request{Method: "X"}) || own.WantsBody(&gatehouse.Request{}) || own.Challenges()["Www-Authenticate"][0] != "X" || v.Challenges()["Www-Authenticate"] == nil {
		t.Error("the options do not count")
	}
}
