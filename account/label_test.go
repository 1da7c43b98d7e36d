// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
)

func private(keysAndValues ...string) (labels []Label) {
	for i := 0; i < len(keysAndValues); i += 2 {
		labels = append(labels, Label{Key: keysAndValues[i], Value: keysAndValues[i+1], Scope: LabelPrivate})
	}
	return labels
}

func TestLabelState(t *testing.T) {
	t.Parallel()
	activation := map[string]string{"email": "verified", "phone": "verified"}
	both := private("email", "verified", "phone", "verified")
	for _, tt := range []struct {
		name   string
		labels []Label
		want   gatehouse.PrincipalState
	}{
		{"none", nil, gatehouse.PrincipalPending},
		{"one of two", private("email", "verified"), gatehouse.PrincipalPending},
		{"both", both, gatehouse.PrincipalActive},
		{"other value", private("email", "verified", "phone", "rejected"), gatehouse.PrincipalPending},
		{"public marks do not activate", append(private("email", "verified"), Label{Key: "phone", Value: "verified", Scope: LabelPublic}), gatehouse.PrincipalPending},
		{"ban", append(private("ban", "any"), both...), gatehouse.PrincipalBanned},
		{"fraud", append(private("fraud", "any"), both...), gatehouse.PrincipalBanned},
		{"delete", append(private("delete", "any"), both...), gatehouse.PrincipalDeleted},
		{"suspicious", append(private("suspicious", "any"), both...), gatehouse.PrincipalLocked},
		{"lock", append(private("lock", "any"), both...), gatehouse.PrincipalLocked},
		{"ban before delete", append(private("delete", "x", "ban", "x"), both...), gatehouse.PrincipalBanned},
		{"delete before lock", append(private("lock", "x", "delete", "x"), both...), gatehouse.PrincipalDeleted},
		{"public words do not ban", append([]Label{{Key: "ban", Value: "x", Scope: LabelPublic}}, both...), gatehouse.PrincipalActive},
		{"keys count whole", append(private("banned", "x"), both...), gatehouse.PrincipalActive},
	} {
		if got := labelState(tt.labels, activation); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := labelState(nil, nil); got != gatehouse.PrincipalActive {
		t.Errorf("nothing is asked for: %s, want active", got)
	}
}

func TestStateAfter(t *testing.T) {
	t.Parallel()
	const (
		active  = gatehouse.PrincipalActive
		pending = gatehouse.PrincipalPending
		locked  = gatehouse.PrincipalLocked
		banned  = gatehouse.PrincipalBanned
	)
	for _, tt := range []struct {
		name                         string
		current, before, after, want gatehouse.PrincipalState
	}{
		{"confirmed", pending, pending, active, active},
		{"mark taken away", active, active, pending, pending},
		{"banned by a label", active, active, banned, banned},
		{"the label goes", banned, banned, active, active},
		{"active by hand, other label", active, pending, pending, active},
		{"active by hand, confirmed", active, pending, active, active},
		{"active by hand, banned by a label", active, pending, banned, banned},
		{"active by hand beside a ban, other label", active, banned, banned, banned},
		{"pending by hand, other label", pending, active, active, pending},
		{"pending by hand, locked by a label", pending, active, locked, locked},
		{"banned by hand, other label", banned, active, active, banned},
		{"banned by hand, confirmed", banned, pending, active, banned},
		{"banned by hand, locked by a label", banned, active, locked, banned},
		{"unknown state, confirmed", "", pending, active, ""},
	} {
		if got := stateAfter(tt.current, tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLabelLevel(t *testing.T) {
	t.Parallel()
	levels := private("email", "verified", "phone", "verified", "document", "verified")
	for _, tt := range []struct {
		labels []Label
		want   int
	}{
		{nil, 0},
		{private("email", "verified"), 1},
		{private("phone", "verified"), 0},
		{private("phone", "verified", "email", "verified"), 2},
		{private("document", "verified", "email", "verified"), 1},
		{levels, 3},
		{[]Label{{Key: "email", Value: "verified", Scope: LabelPublic}}, 0},
	} {
		if got := labelLevel(tt.labels, levels); got != tt.want {
			t.Errorf("%v: level %d, want %d", tt.labels, got, tt.want)
		}
	}
}

func TestCascade(t *testing.T) {
	t.Parallel()
	const person, service = gatehouse.PrincipalAccount, gatehouse.PrincipalService
	for _, tt := range []struct {
		kind     gatehouse.PrincipalKind
		from, to gatehouse.PrincipalState
		want     Effects
	}{
		{person, "active", "active", Effects{}},
		{person, "banned", "active", Effects{}},
		{person, "pending", "active", Effects{}},
		{person, "active", "pending", Effects{DisableKeys: true, ServiceState: "pending"}},
		{person, "active", "locked", Effects{DisableKeys: true, ServiceState: "locked"}},
		{person, "active", "banned", Effects{DisableKeys: true, ServiceState: "banned"}},
		{person, "active", "deleted", Effects{DisableKeys: true, ServiceState: "deleted"}},
		{person, "pending", "banned", Effects{DisableKeys: true, ServiceState: "banned"}},
		{service, "active", "disabled", Effects{DisableKeys: true}},
		{service, "active", "banned", Effects{}},
		{service, "banned", "active", Effects{}},
	} {
		if diff := cmp.Diff(tt.want, cascade(tt.kind, tt.from, tt.to)); diff != "" {
			t.Errorf("%v %s to %s: %s", tt.kind, tt.from, tt.to, diff)
		}
	}
}

func TestLabelsAreCopied(t *testing.T) {
	t.Parallel()
	labels := private("a", "1", "b", "2")
	withLabel(labels, "a", "3", LabelPrivate, labels[0].Updated)
	withoutLabel(labels, "a", LabelPrivate)
	if diff := cmp.Diff(private("a", "1", "b", "2"), labels); diff != "" {
		t.Error(diff)
	}
}
