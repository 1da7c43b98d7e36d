// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// plan is what is done for one step of the policies, and what is expected here.
type plan struct {
	header  string                                   // of the credential; empty: Authorization
	key     gatehouse.Foreign                        // but for its id and secret
	sign    string                                   // what is signed; empty: the body
	value   func(id, proof string) string            // the field's value; nil: as clients send it
	body    string                                   // empty: the test body
	path    string                                   // as in the step
	spoil   func(m *gatehouse.Material, text string) // what happened to the stored secret
	want    gatehouse.Reason
	differs bool // from the real server, on purpose
}

var everything = gatehouse.Foreign{Scopes: gatehouse.Scopes{"*"}}

func owned(by string) gatehouse.Foreign { return gatehouse.Foreign{Principal: by} }

// plans are the plans of all steps but those of lifetimes and of the column extra.
var plans = map[string]plan{
	"success":                        {key: everything},
	"active user":                    {key: everything},
	"no scheme":                      {value: func(id, proof string) string { return id + ":" + proof }},
	"wrong signature":                {value: func(id, _ string) string { return shield.Header(id, "00") }, want: gatehouse.ReasonInvalidCredential},
	"no header":                      {value: func(string, string) string { return "" }, want: gatehouse.ReasonNoCredential},
	"malformed (500)":                {value: func(id, _ string) string { return "HMAC-SHA256 " + id }, want: gatehouse.ReasonMalformedCredential},
	"malformed":                      {value: func(id, _ string) string { return "HMAC-SHA256 " + id }, want: gatehouse.ReasonMalformedCredential},
	"valid signature, missing scope": {key: gatehouse.Foreign{Scopes: gatehouse.Scopes{"users-write"}}, want: gatehouse.ReasonInsufficientScope},
	"banned":                         {key: owned("banned"), want: gatehouse.ReasonPrincipalInactive},
	"banned user":                    {key: owned("banned"), want: gatehouse.ReasonPrincipalInactive},
	"deleted user":                   {key: owned("deleted"), want: gatehouse.ReasonPrincipalInactive},
	"old":                            {key: gatehouse.Foreign{Unused: shield.DefaultUnused, LastUsed: began.AddDate(-1, 0, -1)}, want: gatehouse.ReasonKeyExpired},

	// Whoever must activate an account before keys work is locked here.
	"inactive user":                {key: owned("locked"), want: gatehouse.ReasonPrincipalInactive, differs: true},
	"inactive user, bad signature": {key: owned("locked"), sign: "another", want: gatehouse.ReasonInvalidCredential},
	"inactive and missing scope":   {key: owned("locked"), want: gatehouse.ReasonPrincipalInactive},

	"in X-HMAC":        {header: "X-HMAC"},
	"in Authorization": {header: "X-HMAC", value: func(string, string) string { return "" }, want: gatehouse.ReasonNoCredential},
	"empty X-HMAC":     {header: "X-HMAC", value: func(string, string) string { return "" }, want: gatehouse.ReasonNoCredential},

	// What PHP did not read, it signs as a constant. Here the body is the body.
	"3 kB body, real body signed":           {body: strings.Repeat("x", 3000), differs: true},
	"3 kB body, empty signed":               {body: strings.Repeat("x", 3000), value: func(id, _ string) string { return shield.Header(id, shield.Sign(wildcardSecret, nil)) }, want: gatehouse.ReasonInvalidCredential},
	"3 kB body, literal php://input signed": {body: strings.Repeat("x", 3000), sign: "php://input", want: gatehouse.ReasonInvalidCredential, differs: true},

	"valid request":                  {spoil: func(m *gatehouse.Material, _ string) { m.Ref += "0" }},
	"valid request, stored under k1": {spoil: func(m *gatehouse.Material, _ string) { m.Ref = "k1" }},
	"secret2 stored unencrypted":     {spoil: func(m *gatehouse.Material, text string) { m.Data = []byte(text) }},
	"secret2 not base64":             {spoil: func(m *gatehouse.Material, _ string) { m.Data = []byte("!") }},
	"secret2 last byte changed":      {spoil: func(m *gatehouse.Material, _ string) { m.Data[len(m.Data)-1] ^= 1 }},

	"k2 docs secret":         {key: gatehouse.Foreign{Scopes: gatehouse.Scopes{"users-read"}}},
	"sodium na1":             {key: gatehouse.Foreign{Scopes: gatehouse.Scopes{"a", "b", "c"}}},
	"sha384 base64 text key": {key: everything},
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	plain, custom := newHouse(t, shield.Options{}), newHouse(t, shield.Options{Header: "X-HMAC"})
	used, n := map[string]bool{}, 0
	for policy, p := range load(t).Policies {
		if strings.HasPrefix(policy, "lifetime_") || policy == "extra_column_variants" {
			continue // TestLifetimes, TestExtraColumn
		}
		for _, s := range p.Steps {
			todo, ok := plans[s.Step]
			if !ok {
				t.Errorf("%s: %s has no plan", policy, s.Step)
			}
			h := plain
			if todo.header != "" {
				h = custom
			}
			n++
			todo.path = s.Path
			used[s.Step] = true
			d, err := todo.run(t, h, fmt.Sprintf("%032x", n))
			switch {
			case todo.spoil != nil:
				// What was stored does not open: that is no answer, and no 401 either.
				if err == nil || d.Granted || d.Reason != 0 || s.ServerStatus != http.StatusInternalServerError {
					t.Errorf("%s: %s: %v, %v", policy, s.Step, d.Reason, err)
				}
			case err != nil || d.Granted != (todo.want == 0) || d.Reason != todo.want:
				t.Errorf("%s: %s: %v, %v, want %v", policy, s.Step, d.Reason, err, todo.want)
			case !todo.differs:
				agree(t, policy+": "+s.Step, d.Reason, s.ServerStatus)
			case status(d.Reason) == s.ServerStatus:
				t.Errorf("%s: %s does not differ", policy, s.Step)
			}
		}
	}
	for name := range plans {
		if !used[name] {
			t.Errorf("no step is %q", name)
		}
	}
}

// run adopts a key as planned and decides about the planned request.
func (p *plan) run(t *testing.T, h *house, id string) (gatehouse.Decision, error) {
	t.Helper()
	f := p.key
	f.ID, f.Secret = id, gatehouse.NewSecret(wildcardSecret)
	h.adopt(t, f)
	if p.spoil != nil {
		h.spoil(t, id, p.spoil)
	}
	field, body, value := "Authorization", string(testBody), shield.Header
	if p.header != "" {
		field = "X-Hmac"
	}
	if p.body != "" {
		body = p.body
	}
	text := body
	if p.sign != "" {
		text = p.sign
	}
	if p.value != nil {
		value = p.value
	}
	r := &gatehouse.Request{Method: "POST", Target: p.path, Need: need(p.path), Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte(body)}}
	proof := shield.Sign(wildcardSecret, []byte(text))
	r.Header = gatehouse.Header{field: {value(id, proof)}}
	if p.header != "" && p.value != nil {
		r.Header["Authorization"] = []string{shield.Header(id, proof)}
	}
	return h.Verify(context.Background(), r)
}

// spoil changes what is stored of a key's secret.
func (h *house) spoil(t *testing.T, id string, change func(*gatehouse.Material, string)) {
	t.Helper()
	k, err := h.Get(context.Background(), operator, id)
	must(t, err)
	change(&k.Materials[0], wildcardSecret)
	must(t, h.store.UpdateKey(context.Background(), &k, gatehouse.NewEvent(operator, h.now, "key.update", id, gatehouse.OutcomeSucceeded)))
}

// The column extra, read into scopes by an import, means here what it means there.
func TestExtraColumn(t *testing.T) {
	t.Parallel()
	const broken = "broken serialization"
	scopes := map[string]gatehouse.Scopes{
		"NULL": nil, "empty text": nil, "serialized empty array": nil, "JSON array text": nil, "serialized nested": nil, "serialized integers": nil,
		"serialized star": {"*"}, "bare star": {"*"},
		"bare text": {"users-read"}, "serialized string": {"users-read"}, "serialized string keys": {"users-read"},
	}
	h, n := newHouse(t, shield.Options{}), 0
	for _, s := range load(t).Policies["extra_column_variants"].Steps {
		variant, _, _ := strings.Cut(strings.TrimPrefix(s.Step, "extra = "), ",")
		if variant == broken {
			continue // no scopes can be read: such a row cannot be adopted
		}
		has, ok := scopes[variant]
		n++
		p := plan{key: gatehouse.Foreign{Scopes: has}, path: s.Path}
		d, err := p.run(t, h, fmt.Sprintf("%032x", n))
		if !ok || err != nil {
			t.Errorf("%s: %v", s.Step, err)
		}
		agree(t, s.Step, d.Reason, s.ServerStatus)
	}
	if n != 2*len(scopes) {
		t.Errorf("%d steps", n)
	}
}

// Shield's lifetime of two seconds, walked in hours: the shortest here is one. Its
// lifetime of zero means one use; here zero is for ever.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	const scale = gatehouse.MinUnused / (2 * time.Second)
	h := newHouse(t, shield.Options{})
	short := shield.NewKey("alice", "short")
	short.Unused = 2 * time.Second
	var invalid *gatehouse.InvalidError
	if _, err := h.Create(context.Background(), operator, short); !errors.As(err, &invalid) || invalid.Field != "unused" {
		t.Errorf("an unused time of two seconds: %v", err)
	}
	policies, n := load(t).Policies, 0
	for _, policy := range []struct {
		name   string
		unused time.Duration
		steps  []time.Duration
	}{
		{"lifetime_2_seconds", gatehouse.MinUnused, []time.Duration{0, 0, 1200 * time.Millisecond, 5300 * time.Millisecond, 5400 * time.Millisecond, 0}},
		{"lifetime_0", 0, []time.Duration{0, 1100 * time.Millisecond}},
	} {
		steps := policies[policy.name].Steps
		if len(steps) != len(policy.steps) {
			t.Fatalf("%s: %d steps", policy.name, len(steps))
		}
		var last time.Time
		for i, s := range steps {
			if s.Token != steps[0].Token {
				last = time.Time{} // another key, never used
			}
			n++
			h.now = began.Add(policy.steps[i] * scale)
			p := plan{key: gatehouse.Foreign{Created: began.AddDate(-3, 0, 0), LastUsed: last, Unused: policy.unused}, path: s.Path}
			d, err := p.run(t, h, fmt.Sprintf("%032x", n))
			must(t, err)
			if policy.unused == 0 && i == 1 {
				if !d.Granted {
					t.Errorf("%s: %s: %v", policy.name, s.Step, d.Reason)
				}
				continue
			}
			agree(t, policy.name+": "+s.Step, d.Reason, s.ServerStatus)
			if d.Granted {
				last = h.now
			}
		}
	}
}

// Shield keeps a failed attempt's whole header. Here nothing of its credential is kept.
func TestFailedProofLeavesNoTrace(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, shield.Options{})
	r := signed(h.key(t, shield.NewKey("alice", "one")))
	_, before, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	must(t, err)
	r.Body.Bytes = []byte("changed on the way")
	d := h.verify(t, r)
	if d.Reason != gatehouse.ReasonInvalidCredential || d.Key != nil || d.Principal != nil {
		t.Errorf("%v tells of %v and %v", d.Reason, d.Key, d.Principal)
	}
	if text := fmt.Sprintf("%+v", d); strings.Contains(text, r.Header["Authorization"][0][45:]) {
		t.Errorf("the decision holds the proof: %s", text)
	}
	if _, after, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant}); err != nil || after != before {
		t.Errorf("%d events became %d, %v", before, after, err)
	}
}

// What is sealed belongs to its key: another key's sealed secret does not open in its place.
func TestSecretIsBoundToItsKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shield.Options{})
	alices, bobs := h.key(t, shield.NewKey("alice", "alice's")), h.key(t, shield.NewKey("bob", "bob's"))
	h.spoil(t, alices.Key.ID, func(m *gatehouse.Material, _ string) { *m = bobs.Key.Materials[0] })
	r := carrying(shield.Header(alices.Key.ID, shield.Sign(bobs.Secret.Reveal(), testBody)))
	if d, err := h.Verify(context.Background(), r); err == nil || d.Granted {
		t.Errorf("bob's secret speaks for alice: %v", d.Reason)
	}
}
