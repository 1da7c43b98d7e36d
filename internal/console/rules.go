// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

func (c *Console) ruleRoutes() []route {
	return []route{
		{pattern: "GET /operate/rules", need: operator, serve: (*visit).showRules},
		{pattern: "POST /operate/rules", need: operator, serve: (*visit).saveRules, form: 1 << 20},
		{pattern: "POST /operate/rules/remove", need: operator, serve: (*visit).removeRules},
		{pattern: "POST /operate/rules/explain", need: operator, serve: (*visit).explainRule},
	}
}

// rulesPage is the rules, to be read and changed, and what they say of a request.
type rulesPage struct {
	Text    string // the rules, or what was typed in their place
	Version int64  // that a change is made of; zero: there are none
	Count   int    // of the rules that are in force
	Theirs  string // the rules as somebody else has made them meanwhile
	Problem string // of the rules that were typed
	Refused string // why they were not removed
	Confirm string // what was typed to remove them

	Method, URL string // of the request that is asked about
	Explained   *api.Explained
	Unclear     string // what is wrong with the question
}

func (v *visit) showRules() error { return v.rulesPage(http.StatusOK, rulesPage{}) }

// rulesPage completes the page with the rules in force, where it does not hold others.
func (v *visit) rulesPage(status int, page rulesPage) error {
	now, err := v.api.Rules(v.r.Context())
	if err != nil {
		return err
	}
	text, err := ruleLines(now.Rules)
	if err != nil {
		return err
	}
	page.Count = len(now.Rules)
	if page.Problem == "" {
		page.Text, page.Version = text, now.Version
	} else if page.Version != now.Version {
		page.Theirs, page.Version = text, now.Version
	}
	if page.Method == "" {
		page.Method = http.MethodGet
	}
	return v.show(status, "operate-rules.html", "Rules", page)
}

func (v *visit) saveRules() error {
	page := rulesPage{Text: v.r.PostFormValue("rules")}
	var err error
	if page.Version, err = strconv.ParseInt(v.r.PostFormValue("version"), 10, 64); err != nil || page.Version < 0 {
		return errForm
	}
	sheet, problem := readRules(page.Text)
	if problem == "" {
		problem = sheet.wrong(v.Schemes)
	}
	if page.Problem = problem; problem != "" {
		return v.rulesPage(http.StatusUnprocessableEntity, page)
	}
	if page.Version == 0 { // the API knows no version to ask for where there are no rules
		now, err := v.api.Rules(v.r.Context())
		if err != nil {
			return err
		}
		if now.Version != 0 {
			return v.overtaken(page)
		}
	}
	_, err = v.api.SetRules(v.r.Context(), page.Version, sheet.table)
	if isStatus(err, http.StatusPreconditionFailed) {
		return v.overtaken(page)
	}
	if status, text := v.refusal(err); text != "" {
		page.Problem = text
		return v.rulesPage(status, page)
	}
	if err != nil {
		return err
	}
	return v.to("/operate/rules", "rules-saved")
}

// noRules is what is wrong with a form without rules, such as one that nobody has filled in.
const noRules = `There are no rules in it, and nothing was saved: no rules at all deny everything. To deny everything, write {"/": {"block": true}}. Gates let any valid key pass as long as there are none, or once all are removed.`

// removeRules leaves no rules, which is not the same as to deny everything: it is meant.
func (v *visit) removeRules() error {
	version, err := strconv.ParseInt(v.r.PostFormValue("version"), 10, 64)
	if err != nil || version < 1 {
		return errForm
	}
	refuse := func(status int, text string) error {
		return v.rulesPage(status, rulesPage{Refused: text, Confirm: v.r.PostFormValue("confirm")})
	}
	if !v.confirms("remove") {
		return refuse(http.StatusUnprocessableEntity, "Type the word remove to remove all rules. Nothing was done.")
	}
	err = v.api.RemoveRules(v.r.Context(), version)
	if isStatus(err, http.StatusPreconditionFailed) {
		return refuse(http.StatusPreconditionFailed, "Somebody else changed the rules meanwhile. These are the rules now; nothing was done.")
	}
	if status, text := v.refusal(err); text != "" {
		return refuse(status, text)
	}
	if err != nil {
		return err
	}
	return v.to("/operate/rules", "rules-removed")
}

// overtaken shows what was typed beside what somebody else has saved.
func (v *visit) overtaken(page rulesPage) error {
	page.Problem = "Somebody else changed the rules meanwhile; yours are not saved. Both are below: take over what you want to keep, and save again."
	return v.rulesPage(http.StatusPreconditionFailed, page)
}

func (v *visit) explainRule() error {
	page := rulesPage{Method: strings.TrimSpace(v.r.PostFormValue("method")), URL: strings.TrimSpace(v.r.PostFormValue("url"))}
	q := api.Explain{Method: page.Method}
	var ok bool
	if q.Authority, q.Target, ok = splitURL(page.URL); !ok {
		page.Unclear = "That is neither a URL nor a path."
		return v.rulesPage(http.StatusUnprocessableEntity, page)
	}
	found, err := v.api.ExplainRule(v.r.Context(), q)
	if err != nil {
		return v.refusedOr(err, &page.Unclear, func(status int) error { return v.rulesPage(status, page) })
	}
	page.Explained = &found
	return v.rulesPage(http.StatusOK, page)
}

// splitURL parts a URL into what the client names as host and the raw rest; a path has no
// host.
func splitURL(text string) (authority, target string, ok bool) {
	if strings.HasPrefix(text, "/") {
		return "", text, true
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", "", false
	}
	_, rest, _ := strings.Cut(text, "://")
	rest, _, _ = strings.Cut(rest, "#")
	i := strings.IndexAny(rest+"/", "/?")
	if target = rest[i:]; !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return u.Host, target, true
}

// outcomes are what becomes of a request, in words, by the API's name for it.
var outcomes = map[string]string{
	"open":    "It passes without a key.",
	"key":     "It passes with any valid key.",
	"scopes":  "It passes with a key that has the scopes.",
	"blocked": "Nobody passes: the route is blocked.",
	"no_rule": "Nobody passes: no rule is for it.",
}

// Outcome is what becomes of the request, in words.
func (p rulesPage) Outcome() string {
	if p.Explained.Outcome == "key" && p.Explained.Pattern == "" {
		return "There are no rules: at gates it passes with any valid key."
	}
	if p.Explained.Outcome == "ambiguous_path" {
		authority, _, _ := splitURL(p.URL) // it was read once
		return "Nobody passes: " + gate.WhyAmbiguous(p.Method, authority) + "."
	}
	return outcomes[p.Explained.Outcome]
}

// Passes reports whether somebody can pass.
func (p rulesPage) Passes() bool {
	return slices.Contains([]string{"open", "key", "scopes"}, p.Explained.Outcome)
}
