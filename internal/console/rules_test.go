// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

func TestRulesAreSavedAndExplained(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/rules").expect(t, 200, "There are none yet", ">{\n}\n<")
	const rules = "{\r\n\"GET /orders/{id}\": \"orders:read\",\r\n  \"/health\": {\"open\": true}, \"/x/\": {\"block\": true}, \"a.example/\": {\"all\": \"a\", \"cost\": 10, \"signed\": true}}"
	b.post("/operate/rules", "version", "0", "rules", rules).leads(t, "/operate/rules?done=rules-saved")
	b.follow().expect(t, 200, "The rules are in force.", "4 rules, version 1",
		"{\n  &#34;/health&#34;: {&#34;open&#34;:true},\n  &#34;/x/&#34;: {&#34;block&#34;:true},\n  &#34;GET /orders/{id}&#34;: &#34;orders:read&#34;,\n")

	for _, row := range []struct {
		method, url string
		status      int
		words       []string
	}{
		{"GET", "/orders/7?page=2", 200, []string{">scopes<", "It passes with a key that has the scopes.", "GET /orders/{id}", "orders:read"}},
		{"GET", "https://b.example/orders/7#top", 200, []string{">scopes<", "GET /orders/{id}"}},
		{"POST", "https://a.example", 200, []string{">scopes<", "one that signs", "10 requests"}},
		{"GET", "/health", 200, []string{">open<", "It passes without a key."}},
		{"GET", "/x/y", 200, []string{">blocked<"}},
		{"POST", "/orders/7", 200, []string{">no_rule<", "Nobody passes: no rule is for it.", "Rules that come near"}},
		{"GET", "/a/../b", 200, []string{">ambiguous_path<", "Nobody passes: the path can be read in two ways."}},
		{"get", "/health", 200, []string{">ambiguous_path<", "Nobody passes: the method is not in upper case."}},
		{"GET", "orders", 422, []string{"That is neither a URL nor a path.", `value="orders"`}},
		{"GET", hostileNames[0], 422, []string{"neither a URL nor a path"}},
		{hostileNames[3], "/" + hostileNames[3], 200, nil},
	} {
		p := b.post("/operate/rules/explain", "method", row.method, "url", row.url)
		p.expect(t, row.status, row.words...)
		p.harmless(t)
	}
}

// Nobody denies everything with a form that he has not touched; and there is a way back to none.
func TestNoRulesAreNoMistake(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/rules").expect(t, 200, "There are none yet")
	if strings.Contains(b.page.text, "Remove all rules") {
		t.Error("there is nothing to remove")
	}
	b.post("/operate/rules/explain", "method", "GET", "url", "/x").expect(t, 200, `"badge good">key<`, "There are no rules: at gates it passes with any valid key.")
	b.post("/operate/rules", "version", "0", "rules", "{\n}\n").expect(t, 422, "no rules at all deny everything", "There are none yet")
	b.post("/operate/rules", "version", "0", "rules", `{"/a": {"key": true}}`).leads(t, "/operate/rules?done=rules-saved")
	b.post("/operate/rules/explain", "method", "GET", "url", "/a").expect(t, 200, "It passes with any valid key.")
	b.post("/operate/rules", "version", "1", "rules", "{}").expect(t, 422, "no rules at all deny everything", "1 rule, version 1")

	const remove = "/operate/rules/remove"
	b.get("/operate/rules").expect(t, 200, `data-confirm="remove"`)
	b.post(remove, "version", "1").expect(t, 422, "Type the word remove", "1 rule, version 1", "open><summary>Remove all rules")
	b.post(remove, "version", "0", "confirm", "remove").expect(t, 422)
	b.post(remove, "version", "7", "confirm", "remove").expect(t, 412, "nothing was done", "1 rule, version 1")
	b.post(remove, "version", "1", "confirm", " remove ").leads(t, "/operate/rules?done=rules-removed")
	b.follow().expect(t, 200, "There are no rules any more", "There are none yet", `name="version" value="0"`)
	b.post("/operate/rules", "version", "0", "rules", `{"/a": {"key": true}}`).leads(t, "/operate/rules?done=rules-saved")
	b.follow().expect(t, 200, "1 rule, version 3")
}

func TestRuleProblemsNameTheLine(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/rules")
	for _, row := range []struct{ rules, want string }{
		{"{\n  \"/a\": \"x\",\n  oops\n}", "Line 3 is no JSON"},
		{"{\n  \"/a\": \"x\"", "Line 2 is no JSON"},
		{"", "nothing was saved"},
		{"{}", "nothing was saved"},
		{"[]", "read as TOML: line 1: "},
		{"null", "read as TOML: line 1: "},
		{"[rules]\n\"/a\" = \"x\"\nopen", "read as TOML: line 3: "},
		{"[rule]\n\"/a\" = \"x\"", "read as TOML: line 1: is not in the table rules"},
		{"[rules]\n\"/a\" = \"x\"\n\"/b\" = {opne = true}", "Rule &#34;/b&#34; (line 3): opne: is none of all"},
		{"{\n\"/b\": {\"opne\": true}}", "Rule &#34;/b&#34; (line 2): opne: is none of all"},
		{"{\"/b\": {\"schemes\": \"barnog\"}}", "Rule &#34;/b&#34; (line 1): schemes: holds a word that is none of"},
		{"{\n\"/a\": \"x\",\n\"/b\": \"x\",\n\"/a\": \"y\"}", "Lines 2 and 4 have the same pattern."},
		{"{\n\"/b\": {\"odd\": true},\n\"/a\": \"x\"}", "&#34;/b&#34; (line 2)"},
		{"{\n\"/b\": {\"all\": \"a\", \"all\": \"b\"}}", "Body:"},
		{"{\n\"/{x}/b\": \"x\",\n\"/a\": \"x\",\n\n\"/a/{y}\": \"x\"}", "Rule &#34;/{x}/b&#34; (line 2): conflicts with &#34;/a/{y}&#34; (line 5): both match"},
		{"{\"" + hostileNames[3][:11] + "\": 1}", `role="alert"`},
	} {
		p := b.post("/operate/rules", "version", "0", "rules", row.rules)
		p.expect(t, 422, row.want, `name="version" value="0"`)
		p.harmless(t)
	}
	b.post("/operate/rules", "version", "x", "rules", "{}").expect(t, 422)
	b.get("/operate/rules").expect(t, 200, "There are none yet")
}

// The rules as the command line has them do as well.
func TestRulesInTOML(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/rules").expect(t, 200, "TOML does as well")
	b.post("/operate/rules", "version", "0", "rules", "# ours\r\n[rules]\r\n\"GET /orders\" = [\"orders:read\"]\r\n\"/reports\" = { all = \"reports\", cost = 10 }\r\n").leads(t, "/operate/rules?done=rules-saved")
	b.follow().expect(t, 200, "{\n  &#34;/reports&#34;: {&#34;all&#34;:&#34;reports&#34;,&#34;cost&#34;:10},\n  &#34;GET /orders&#34;: [&#34;orders:read&#34;]\n}")
}

func TestRulesOfSomebodyElseAreKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, mine := h.administrator("super@example.com")
	theirs := h.signIn("super@example.com", password)
	mine.get("/operate/rules")
	theirs.get("/operate/rules")
	theirs.post("/operate/rules", "version", "0", "rules", `{"/theirs": "a"}`).leads(t, "/operate/rules?done=rules-saved")
	for _, version := range []string{"0", "7"} {
		p := mine.post("/operate/rules", "version", version, "rules", `{"/mine": "a"}`)
		p.expect(t, 412, "Somebody else changed the rules meanwhile", "/mine", "/theirs", `name="version" value="1"`, "readonly")
	}
	if p := theirs.get("/operate/rules"); strings.Contains(p.text, "/mine") {
		t.Errorf("the rules of somebody else are gone: %v", p)
	}
	mine.post("/operate/rules", "version", mine.page.input("version"), "rules", `{"/mine": "a", "/theirs": "a"}`).leads(t, "/operate/rules?done=rules-saved")
	mine.follow().expect(t, 200, "2 rules, version 2")
}

// Builds of before stored rules that are none, which deny everything: pages say so, and how it
// ends.
func TestStoredNoRulesAreTold(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	const told = "that are stored are none, and deny everything"
	for _, page := range []string{"/operate/rules", "/operate/hygiene"} {
		if p := b.get(page); strings.Contains(p.text, told) {
			t.Errorf("%s: there are no rules stored: %v", page, p)
		}
	}
	set := gatehouse.RuleSet{Tenant: gatehouse.DefaultTenant, Text: "{}"}
	h.must(h.store.PutRules(t.Context(), &set, gatehouse.NewEvent(system, time.Now(), "rules.update", set.Tenant, gatehouse.OutcomeSucceeded)))
	b.get("/operate/hygiene").expect(t, 200, told)
	b.get("/operate/rules").expect(t, 200, told, "0 rules, version 1")
	b.post("/operate/rules/remove", "version", "1", "confirm", "remove").leads(t, "/operate/rules?done=rules-removed")
	if p := b.follow(); strings.Contains(p.text, told) {
		t.Errorf("removed: %v", p)
	}
}

// What nearly is the path of a rule is named, as the command line does.
func TestNearRulesAreNamed(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/rules")
	b.post("/operate/rules", "version", "0", "rules", `{"GET /orders": {"key": true}}`).leads(t, "/operate/rules?done=rules-saved")
	b.post("/operate/rules/explain", "method", "GET", "url", "/Orders").expect(t, 200, "Rules that come near", "It is for a path with letters of another case; paths are compared exactly.")
}
