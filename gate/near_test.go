// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

func TestNear(t *testing.T) {
	t.Parallel()
	const (
		letters = "is for a path with letters of another case; paths are compared exactly"
		slash   = "is for the path without the slash at its end; paths are compared exactly"
		both    = "is for a path with letters of another case, and without the slash at its end; paths are compared exactly"
	)
	rules := gate.Rules{}
	for _, pattern := range []string{"GET /v1/Orders", "POST /v1/Orders/{ID}", "/Files/", "a.test/Only", "/health"} {
		rules[pattern] = gate.AnyKey()
	}
	for _, row := range []struct {
		method, authority, target string
		want                      []api.OtherRule
	}{
		{"GET", "", "/v1/orders?a=B", []api.OtherRule{{Pattern: "GET /v1/Orders", Why: letters}}},
		{"GET", "", "/V1/ORDERS", []api.OtherRule{{Pattern: "GET /v1/Orders", Why: letters}}},
		{"GET", "", "/v1/Orders/", []api.OtherRule{{Pattern: "GET /v1/Orders", Why: slash}}},
		{"GET", "", "/v1/orders/", []api.OtherRule{{Pattern: "GET /v1/Orders", Why: both}}},
		{"POST", "", "/v1/orders/7", []api.OtherRule{{Pattern: "POST /v1/Orders/{ID}", Why: letters}}},
		{"PUT", "", "/files/x", []api.OtherRule{{Pattern: "/Files/", Why: letters}}},
		{"PUT", "", "/health/", []api.OtherRule{{Pattern: "/health", Why: slash}}},
		{"PUT", "a.test", "/only", []api.OtherRule{{Pattern: "a.test/Only", Why: letters}}},
		{"PUT", "b.test", "/only", nil},
		{"PUT", "", "/v1/orders", nil}, // another method's
		{"GET", "", "/v1/Orders", nil}, {"GET", "", "/", nil}, {"GET", "", "/v1/order", nil}, {"GET", "", "/v1/../v1/orders", nil}, {"GET", "", "", nil},
	} {
		x, err := rules.Explain(row.method, row.authority, row.target)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(x.Others, func(o api.OtherRule) bool { return !strings.HasSuffix(o.Why, "exactly") })
		if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s %s%s (-want +got):\n%s", row.method, row.authority, row.target, diff)
		}
	}
}

// What the outcome ambiguous_path is about is the same text wherever it is told.
func TestWhyAmbiguous(t *testing.T) {
	t.Parallel()
	rules := gate.Rules{"/y": gate.AnyKey(), "/y/": gate.AnyKey()}
	for _, row := range []struct{ method, authority, target, want string }{
		{"get", "", "/x", "the method is not in upper case"},
		{"GET", "a..test:80:90", "/x", "the host can be read in two ways"},
		{"GET", "", "/a/../x", "the path can be read in two ways"},
		{"GET", "a.test", "/y/", "the path can be read in two ways"},
	} {
		x, err := rules.Explain(row.method, row.authority, row.target)
		if got := gate.WhyAmbiguous(row.method, row.authority); err != nil || x.Outcome != "ambiguous_path" || got != row.want {
			t.Errorf("%+v: %s, %q, %v", row, x.Outcome, got, err)
		}
	}
}
