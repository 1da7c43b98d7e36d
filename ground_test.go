// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Every reason has a code and a status of its own kind, and codes do not repeat: they
// are what clients tell denials apart by.
func TestReasonTableIsTotal(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := range reasonEnd {
		code, status := r.Code(), r.Status()
		if code == "" || seen[code] {
			t.Errorf("reason %d: code %q is empty or taken", r, code)
		}
		seen[code] = true
		if status != 401 && status != 403 && status != 429 && (status != 503 || r != ReasonUndecided) {
			t.Errorf("reason %s: status %d", code, status)
		}
	}
	if Reason(200).Code() != "undecided" || Reason(200).Status() != 503 {
		t.Error("a reason outside the table does not read as undecided")
	}
}

func TestZeroValuesDeny(t *testing.T) {
	t.Parallel()
	var d Decision
	if d.Granted || d.Reason != ReasonUndecided {
		t.Error("the zero Decision does not deny")
	}
	var k Key
	active := &Principal{State: PrincipalActive}
	if k.usable(active, TenantActive, time.Now()) == 0 {
		t.Error("the zero Key is usable")
	}
	k.State = StateActive
	if k.usable(active, "", time.Now()) == 0 {
		t.Error("a key of the zero tenant is usable")
	}
	if k.usable(&Principal{}, TenantActive, time.Now()) == 0 {
		t.Error("a key of the zero Principal is usable")
	}
	if k.permits(&Request{}, &Principal{}, named("bearer")) == 0 {
		t.Error("a key without schemes permits one")
	}
	if ParseState("nonsense") != StateInvalid || ParseActorKind("") != ActorInvalid || ParseOutcome("x") != OutcomeInvalid {
		t.Error("unknown text parses as something")
	}
	if (&Actor{}).mayCreate(&NewKey{}) == nil || (&Actor{}).mayManage(&Key{}) {
		t.Error("the zero Actor may do something")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for s := StateActive; s <= StateRevoked; s++ {
		if ParseState(s.String()) != s {
			t.Errorf("state %d does not come back", s)
		}
	}
	for k := ActorSystem; k <= ActorNobody; k++ {
		if ParseActorKind(k.String()) != k {
			t.Errorf("actor kind %d does not come back", k)
		}
	}
	for o := OutcomeSucceeded; o <= OutcomeDenied; o++ {
		if ParseOutcome(o.String()) != o {
			t.Errorf("outcome %d does not come back", o)
		}
	}
	if State(99).String() != "invalid" || ActorKind(99).String() != "invalid" || Outcome(99).String() != "invalid" {
		t.Error("a value outside the table has a name")
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	s := NewSecret(text)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	j, err := json.Marshal(map[string]any{"s": s, "in": Created{Secret: s}})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(j) + fmt.Sprint(s, &s) + fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, struct{ S Secret }{s}) +
		// Fields that fmt may look at but not ask.
		fmt.Sprintf("%v %+v %#v", struct{ s Secret }{s}, &struct{ s []Secret }{[]Secret{s}}, struct{ m map[string]Secret }{map[string]Secret{"a": s}})
	if strings.Contains(all, text) || strings.Contains(all, fmt.Sprintf("%x", text)) {
		t.Errorf("the secret leaves: %s", all)
	}
	if s.Reveal() != text || s.Empty() || !(Secret{}).Empty() {
		t.Error("Reveal or Empty is wrong")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	ss, err := ParseScopes([]string{"read", "write", "read"})
	if err != nil || len(ss) != 2 {
		t.Fatalf("ParseScopes = %v, %v", ss, err)
	}
	for _, row := range []struct {
		have, need Scopes
		want       bool
	}{
		{nil, nil, true}, {nil, Scopes{"a"}, false}, {Scopes{"a"}, nil, true}, {Scopes{"a", "b"}, Scopes{"b"}, true},
		{Scopes{"a"}, Scopes{"a", "b"}, false}, {Scopes{"*"}, Scopes{"a", "b"}, true}, {Scopes{"users-*"}, Scopes{"users-read"}, false},
		{Scopes{"A"}, Scopes{"a"}, false},
	} {
		if got := row.have.Covers(row.need); got != row.want {
			t.Errorf("%v covers %v: %v", row.have, row.need, got)
		}
	}
	for _, bad := range []string{"", "a b", "a\"", `a\`, "a\n", "\u202e", strings.Repeat("a", 129)} {
		var invalid *InvalidError
		if _, err := ParseScopes([]string{bad}); !errors.As(err, &invalid) || (bad != "" && len(bad) > 3 && strings.Contains(err.Error(), bad)) {
			t.Errorf("ParseScopes(%q) = %v", bad, err)
		}
	}
	if _, err := ParseScopes(make([]string, 65)); err == nil {
		t.Error("65 scopes were accepted")
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	k := Key{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for addr, want := range map[string]bool{"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.3.1": false, "2001:db8::1": true, "2001:db8::1%eth0": true, "2001:db9::1": false} {
		if got := k.reachableFrom(netip.MustParseAddr(addr)); got != want {
			t.Errorf("from %s: %v", addr, got)
		}
	}
	if k.reachableFrom(netip.Addr{}) {
		t.Error("an unknown address is inside a network")
	}
	if !(&Key{}).reachableFrom(netip.Addr{}) {
		t.Error("a key without networks is bound to one")
	}
}

func TestChainHashCoversEveryField(t *testing.T) {
	t.Parallel()
	base := func() *Event {
		e := NewEvent(Actor{Kind: ActorAccount, ID: "a", Tenant: "t", Address: netip.MustParseAddr("192.0.2.1"), UserAgent: "ua"},
			time.UnixMicro(1_700_000_000_000_001), "key.create", "k", OutcomeSucceeded, Change{"f", "x", "y"}, Change{"g", "", ""})
		e.Seq, e.Prev = 7, []byte{1, 2, 3}
		return e
	}
	want := base().ChainHash()
	for name, spoil := range map[string]func(*Event){
		"seq": func(e *Event) { e.Seq++ }, "time": func(e *Event) { e.Time = e.Time.Add(time.Microsecond) },
		"tenant": func(e *Event) { e.Tenant = "u" }, "actor kind": func(e *Event) { e.Actor.Kind = ActorKey }, "actor id": func(e *Event) { e.Actor.ID = "b" },
		"address": func(e *Event) { e.Actor.Address = netip.Addr{} }, "agent": func(e *Event) { e.Actor.UserAgent = "" },
		"verb": func(e *Event) { e.Verb = "key.creat" }, "subject": func(e *Event) { e.Subject = "ek" }, "outcome": func(e *Event) { e.Outcome = OutcomeFailed },
		"change": func(e *Event) { e.Changes[0].After = "z" }, "less changes": func(e *Event) { e.Changes = e.Changes[:1] },
		"moved boundary": func(e *Event) { e.Changes[0] = Change{"fx", "", "y"} }, "prev": func(e *Event) { e.Prev = nil },
	} {
		e := base()
		spoil(e)
		if bytes.Equal(e.ChainHash(), want) {
			t.Errorf("%s does not change the hash", name)
		}
	}
	if !bytes.Equal(base().ChainHash(), want) {
		t.Error("the hash is not a function of the fields")
	}
}

func TestClockNeverRunsBackwards(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_700_000_000_000_000)
	c := clock{read: func() time.Time { return at }}
	first := c.now()
	at = at.Add(-10 * time.Second)
	if got := c.now(); got.Before(first) {
		t.Errorf("now went from %v back to %v", first, got)
	}
	at = first.Add(time.Second)
	if got := c.now(); !got.Equal(at) {
		t.Errorf("now = %v, want %v", got, at)
	}
}

func TestFreshnessIsOpenAtBothEnds(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	for ms, want := range map[int64]bool{0: true, 4999: true, 5000: false, 5001: false, -4999: true, -5000: false} {
		c := Credential{Time: now.Add(time.Duration(ms) * time.Millisecond), Window: 5 * time.Second}
		if got := c.fresh(now); got != want {
			t.Errorf("%d ms away: fresh = %v", ms, got)
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk on fire")
	err := Unavailable("look up key", cause)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, cause) {
		t.Errorf("%v does not wrap both", err)
	}
	if !errors.Is(Unavailable("look up key", nil), ErrUnavailable) {
		t.Error("without a cause it is not ErrUnavailable")
	}
}

// named is a scheme that is nothing but a name.
type named string

func (n named) Name() string                                           { return string(n) }
func (named) Kinds() []MaterialKind                                    { return nil }
func (named) SharesSecret() bool                                       { return false }
func (named) WantsBody(*Request) bool                                  { return false }
func (named) Extract(*Request) (Credential, Presence)                  { return Credential{}, CredentialAbsent }
func (named) Prove(*Request, Credential, *Key, *Material, []byte) bool { return false }
func (named) Mint(string, string) (Minted, error)                      { return Minted{}, nil }
func (named) Challenge() Header                                        { return nil }
