// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func mustCompile(t *testing.T, r Rules) rules {
	t.Helper()
	rs, err := r.compile()
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestRestrict(t *testing.T) {
	t.Parallel()
	const signIn, other = "/api/v2/barong/identity/sessions", "/api/v2/barong/resource/users/me"
	all := Restriction{Category: "maintenance", Scope: "all"}
	for _, tt := range []struct {
		name  string
		rules []Restriction
		path  string
		peer  string
		want  string
	}{
		{"none", nil, other, "203.0.113.9", ""},
		{"maintenance", []Restriction{all}, other, "203.0.113.9", "471 authz.restrict.maintenance"},
		{"maintenance with a code", []Restriction{{"maintenance", "all", "", 503}}, other, "203.0.113.9", "503 authz.restrict.maintenance"},
		{"whitelist spares", []Restriction{all, {"whitelist", "ip", "203.0.113.9", 0}}, other, "203.0.113.9", ""},
		{"whitelist of another", []Restriction{all, {"whitelist", "ip", "203.0.113.8", 0}}, other, "203.0.113.9", "471 authz.restrict.maintenance"},
		{"maintenance before blacklist", []Restriction{{"blacklist", "ip", "203.0.113.9", 0}, all}, other, "203.0.113.9", "471 authz.restrict.maintenance"},
		{"blacklist ip", []Restriction{{"blacklist", "ip", "203.0.113.9", 0}}, other, "203.0.113.9", "401 authz.restrict.blacklist"},
		{"blacklist subnet", []Restriction{{"blacklist", "ip_subnet", "203.0.113.7/24", 0}}, other, "203.0.113.9", "403 authz.restrict.blacklist"},
		{"ip before subnet", []Restriction{{"blacklist", "ip_subnet", "203.0.113.0/24", 0}, {"blacklist", "ip", "203.0.113.9", 433}}, other, "203.0.113.9", "433 authz.restrict.blacklist"},
		{"all before ip", []Restriction{{"blacklist", "ip", "203.0.113.9", 433}, {"blacklist", "all", "", 434}}, other, "203.0.113.9", "434 authz.restrict.blacklist"},
		{"blacklist of another", []Restriction{{"blacklist", "ip_subnet", "203.0.113.0/24", 0}}, other, "198.51.100.1", ""},
		{"unknown peer", []Restriction{{"blacklist", "ip", "203.0.113.9", 0}}, other, "", "401 authz.restrict.blacklist"},
		{"unknown peer, spared is another", []Restriction{all, {"whitelist", "ip", "203.0.113.9", 0}}, other, "", "471 authz.restrict.maintenance"},
		{"unknown peer and all", []Restriction{all}, other, "", "471 authz.restrict.maintenance"},
		{"blocklogin", []Restriction{{"blocklogin", "all", "", 0}}, signIn, "203.0.113.9", "401 authz.restrict.blocklogin"},
		{"blocklogin elsewhere", []Restriction{{"blocklogin", "all", "", 0}}, other, "203.0.113.9", ""},
		{"blocklogin below", []Restriction{{"blocklogin", "all", "", 0}}, signIn + "/auth0", "203.0.113.9", ""},
		{"IPv6", []Restriction{{"blacklist", "ip", "2001:db8::1", 0}}, other, "2001:db8::1", "401 authz.restrict.blacklist"},
		{"upper case", []Restriction{{"BLACKLIST", "ALL", "", 0}}, other, "203.0.113.9", "401 authz.restrict.blacklist"},
	} {
		rs := mustCompile(t, Rules{Restrictions: tt.rules})
		peer, _ := netip.ParseAddr(tt.peer)
		if got := refused(rs.restrict(tt.path, peer)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// refused prints a refusal as status and codes.
func refused(err error) string {
	if err == nil {
		return ""
	}
	r, ok := err.(*refusal)
	if !ok {
		return err.Error()
	}
	return fmt.Sprint(r.status, " ", strings.Join(r.codes, " "))
}

// On purpose: Barong compares prefixes as plain text.
func TestRulesEndAtSegments(t *testing.T) {
	t.Parallel()
	rs := mustCompile(t, Rules{Pass: []string{"api/v2/barong/public", "/api/v2/x/"}, Block: []string{"api/v2/barong/management"}})
	for path, want := range map[string]bool{
		"/api/v2/barong/public": true, "/api/v2/barong/public/ping": true, "/api/v2/barong/publicity": false,
		"/api/v2/barong": false, "/api/v2/x": true, "/api/v2/x/y": true, "/api/v2/xy": false,
	} {
		if got := rs.passes(path); got != want {
			t.Errorf("passes(%q) = %v", path, got)
		}
	}
	peer := netip.MustParseAddr("203.0.113.9")
	for path, want := range map[string]string{
		"/api/v2/barong/management":          "401 authz.permission_denied",
		"/api/v2/barong/management/api_keys": "401 authz.permission_denied",
		"/api/v2/barong/managements":         "",
		"":                                   "401 authz.permission_denied",
	} {
		if got := refused(rs.screen(path, peer)); got != want {
			t.Errorf("screen(%q): %q, want %q", path, got, want)
		}
	}
}

func TestRulesRefuse(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Rules{
		"pass":           {Pass: []string{"api/../v2"}},
		"block":          {Block: []string{"api//v2"}},
		"category":       {Restrictions: []Restriction{{Category: "greylist", Scope: "all"}}},
		"scope":          {Restrictions: []Restriction{{Category: "blacklist", Scope: "planet"}}},
		"address":        {Restrictions: []Restriction{{Category: "blacklist", Scope: "ip", Value: "203.0.113"}}},
		"network":        {Restrictions: []Restriction{{Category: "blacklist", Scope: "ip_subnet", Value: "203.0.113.9"}}},
		"code":           {Restrictions: []Restriction{{Category: "blacklist", Scope: "all", Code: 200}}},
		"no role":        {Permissions: []Permission{{Verb: "get", Path: "api", Action: "accept"}}},
		"verb":           {Permissions: []Permission{{Role: "a", Verb: "look", Path: "api", Action: "accept"}}},
		"action":         {Permissions: []Permission{{Role: "a", Verb: "get", Path: "api", Action: "allow"}}},
		"path":           {Permissions: []Permission{{Role: "a", Verb: "get", Path: "api/%2e%2e", Action: "accept"}}},
		"second of list": {Permissions: []Permission{{Role: "a", Verb: "all", Path: "api", Action: "drop"}, {}}},
	} {
		if _, err := r.compile(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, scope := range []string{"country", "continent"} {
		_, err := Rules{Restrictions: []Restriction{{Category: "blacklist", Scope: scope, Value: "UA"}}}.compile()
		if err == nil || !strings.Contains(err.Error(), scope) || !strings.Contains(err.Error(), "ip_subnet") {
			t.Errorf("%s: %v, want what to use instead", scope, err)
		}
	}
}

func TestNilListsTakeDefaults(t *testing.T) {
	t.Parallel()
	rs := mustCompile(t, Rules{})
	if !rs.passes("/api/v2/barong/identity/sessions") || !rs.judge("member", "POST", "/api/v2/peatio/market/orders").allowed {
		t.Error("defaults are not in force")
	}
	rs = mustCompile(t, Rules{Pass: []string{}, Permissions: []Permission{}})
	if rs.passes("/api/v2/barong/identity/sessions") || rs.judge("member", "POST", "/api/v2/peatio/market/orders").allowed {
		t.Error("an empty list is not empty")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rows := []Permission{
		{"a", "get", "api/v2/x", "accept", "looks"},
		{"a", "all", "api/v2/y", "accept", ""},
		{"a", "delete", "api/v2/y/z", "drop", "no deletes"},
		{"a", "post", "api/v2", "audit", "writes"},
		{"drop first", "all", "api", "drop", ""},
		{"drop first", "all", "api", "accept", ""},
	}
	rs := mustCompile(t, Rules{Permissions: rows})
	for _, tt := range []struct {
		role, method, path string
		want               verdict
	}{
		{"a", "GET", "/api/v2/x", verdict{allowed: true}},
		{"a", "GET", "/api/v2/x/1", verdict{allowed: true}},
		{"a", "GET", "/api/v2/xx", verdict{}},
		{"a", "PUT", "/api/v2/x", verdict{}},
		{"a", "get", "/api/v2/x", verdict{}},
		{"a", "PROPFIND", "/api/v2/y", verdict{allowed: true}},
		{"a", "DELETE", "/api/v2/y", verdict{allowed: true}},
		{"a", "DELETE", "/api/v2/y/z/1", verdict{topic: "no deletes"}},
		{"a", "POST", "/api/v2/y", verdict{allowed: true, audited: true, topic: "writes"}},
		{"a", "POST", "/api/v2/q", verdict{audited: true, topic: "writes"}},
		{"drop first", "GET", "/api", verdict{}},
		{"b", "GET", "/api/v2/x", verdict{}},
		{"", "GET", "/api/v2/x", verdict{}},
	} {
		if got := rs.judge(tt.role, tt.method, tt.path); got != tt.want {
			t.Errorf("judge(%s, %s, %s) = %+v, want %+v", tt.role, tt.method, tt.path, got, tt.want)
		}
	}
}

func TestDefaultRules(t *testing.T) {
	t.Parallel()
	rs := mustCompile(t, DefaultRules())
	for _, tt := range []struct {
		role, method, path string
		allowed            bool
	}{
		{"superadmin", "DELETE", "/api/v2/barong/admin/permissions", true},
		{"admin", "DELETE", "/api/v2/barong/admin/permissions", false},
		{"admin", "PUT", "/api/v2/barong/admin/users/role", false},
		{"admin", "GET", "/api/v2/barong/admin/activities/admin", false},
		{"admin", "GET", "/api/v2/barong/admin/users", true},
		{"support", "GET", "/api/v2/barong/admin/users", true},
		{"support", "POST", "/api/v2/barong/admin/users", false},
		{"compliance", "GET", "/api/v2/barong/resource/users/me", true},
		{"member", "POST", "/api/v2/barong/resource/api_keys", true},
		{"member", "GET", "/api/v2/barong/admin/users", false},
		{"member", "GET", "/api/v2/ranger/private", true},
		{"member", "POST", "/api/v2/ranger/private", false},
		{"maker", "POST", "/api/v2/finex/market/orders", true},
		{"sa_maker", "POST", "/api/v2/peatio/market/orders", true},
		{"sa_maker", "POST", "/api/v2/barong/resource/api_keys", false},
		{"sa_maker", "GET", "/api/v2/barong/resource/otp/verify", false},
		{"sa_maker", "POST", "/api/v2/peatio/account/withdraws", false},
		{"service_account", "GET", "/api/v2/peatio/market/orders", false},
		{"nobody", "GET", "/api/v2/peatio/market/orders", false},
	} {
		if got := rs.judge(tt.role, tt.method, tt.path).allowed; got != tt.allowed {
			t.Errorf("%s %s %s: %v", tt.role, tt.method, tt.path, got)
		}
	}
	if v := rs.judge("admin", "PUT", "/api/v2/barong/admin/users"); !v.allowed || !v.audited {
		t.Errorf("an admin's change is not audited: %+v", v)
	}
}

func TestTopic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ own, path, want string }{
		{"mine", "/api/v2/barong/admin/users", "mine"}, {"", "/api/v2/barong/admin/users/role", "users"},
		{"", "/api/v2/peatio/market", "general"}, {"", "/api/v2/barong/admin", "general"},
	} {
		if got := topic(tt.own, tt.path); got != tt.want {
			t.Errorf("topic(%q, %q) = %q, want %q", tt.own, tt.path, got, tt.want)
		}
	}
}
