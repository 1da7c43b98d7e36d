// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

func TestNoRulesAreToldAtTheStart(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	var log strings.Builder
	p.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	actor := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	tenants := gatehouse.NewTenants(p.store, nil)
	for name, text := range map[string]string{"acme": "{}", "bolt": `{"/":{"key":true}}`, "core": "", "dust": " { } ", "gone": "{}", gatehouse.DefaultTenant: "null"} {
		if name != gatehouse.DefaultTenant {
			if _, err := tenants.Create(t.Context(), actor, name, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		if text == "" {
			continue
		}
		e := gatehouse.NewEvent(actor, time.Now(), "rules.update", name, gatehouse.OutcomeSucceeded)
		if err := p.store.PutRules(t.Context(), &gatehouse.RuleSet{Tenant: name, Text: text}, e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tenants.Update(t.Context(), actor, "gone", gatehouse.TenantPatch{State: new(gatehouse.TenantRemoved)}); err != nil {
		t.Fatal(err)
	}
	p.warnOfNoRules(t.Context())
	want := ""
	for _, name := range []string{"acme", "default", "dust"} {
		want += `level=WARN msg="the rules that are stored are none, and deny everything" tenant=` + name + ` remedy="gatehouse --tenant ` + name + " rules clear\"\n"
	}
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
