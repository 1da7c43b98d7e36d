// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// rows are those of the table below a heading of the specification that has a column's
// name, without the marks of code.
func rows(t *testing.T, column string) (out [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/forwardauth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| "+column+" |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(table, "\n")[1:] {
		if cells := strings.Split(strings.ReplaceAll(line, "`", ""), " | "); !strings.HasPrefix(line, "|---") {
			cells[0], cells[len(cells)-1] = strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[len(cells)-1], " |")
			out = append(out, cells)
		}
	}
	if !found || len(out) < 5 {
		t.Fatalf("no table with the column %q", column)
	}
	return out
}

// The specification names the facts of each dialect, all of them, and each is demanded.
func TestSpecFacts(t *testing.T) {
	t.Parallel()
	named := map[string][]string{}
	for _, row := range rows(t, "dialect") {
		dialect, field := row[0], http.CanonicalHeaderKey(row[1])
		describe := dialects[dialect]
		if describe == nil {
			t.Fatalf("no dialect %q", dialect)
		}
		if field == "Host" {
			continue
		}
		named[dialect] = append(named[dialect], field)
		for problem, values := range map[string][]string{"missing": nil, "repeated": {"a", "a"}} {
			if problem == "missing" && strings.HasPrefix(row[3], "optional") {
				continue
			}
			j := &judge{say: granted}
			door, log := doorOf(t, j, nil, forwardauth.Options{})
			r := describe(plain())
			if r.Header[field] = values; values == nil {
				delete(r.Header, field)
			}
			want := "dialect=" + dialect + " header=" + field + " problem=" + problem
			answer, code := ask(door, r)
			if answer.StatusCode != http.StatusForbidden || code != "adapter_headers" || j.asked != 0 || !strings.Contains(log.String(), want) {
				t.Errorf("%s %s %s: %d %s, asked %d times; %s", dialect, field, problem, answer.StatusCode, code, j.asked, log)
			}
		}
	}
	for dialect, describe := range dialects {
		c := plain()
		c.header = http.Header{}
		var set []string
		for field := range describe(c).Header {
			set = append(set, field)
		}
		slices.Sort(set)
		slices.Sort(named[dialect])
		if diff := cmp.Diff(named[dialect], set); diff != "" {
			t.Errorf("%s: %s", dialect, diff)
		}
	}
}

// The fields of an answer that is always there are those that the specification names.
func TestSpecAnswer(t *testing.T) {
	t.Parallel()
	want := append([]string{forwardauth.HeaderStatus, forwardauth.HeaderError, "Cache-Control"}, identity...)
	var got []string
	for _, row := range rows(t, "field")[:len(want)] {
		got = append(got, row[0])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each code of a denial that the specification names has its status there.
func TestSpecStatus(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	code := regexp.MustCompile("[a-z]+(_[a-z]+)*")
	for _, row := range rows(t, "denial") {
		for _, c := range code.FindAllString(row[1], -1) {
			said[c] = row[3] + " " + row[2]
		}
	}
	for reason := gatehouse.Reason(0); reason.Code() != "undecided" || reason == 0; reason++ {
		status, named := said[reason.Code()]
		if !named {
			continue // one of the dots
		}
		delete(said, reason.Code())
		for _, dialect := range []string{"haproxy", "nginx"} {
			door, _ := doorOf(t, &judge{say: gatehouse.Decision{Reason: reason}}, nil, forwardauth.Options{})
			answer, _ := ask(door, dialects[dialect](plain()))
			fine, coarse, _ := strings.Cut(status, " ")
			if want := map[string]string{"haproxy": fine, "nginx": coarse}[dialect]; !strings.HasPrefix(answer.Status, want) {
				t.Errorf("%s %s: %s, the specification says %s", dialect, reason, answer.Status, want)
			}
		}
	}
	for _, c := range []string{"adapter_headers", "gateway_unknown", "bad_body", "body_too_large", "unavailable"} {
		if said[c] == "" {
			t.Errorf("%s is not named", c)
		}
		delete(said, c)
	}
	if len(said) != 0 {
		t.Errorf("no such codes: %v", said)
	}
}
