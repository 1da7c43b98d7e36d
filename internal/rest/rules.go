// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// VerbRules is the verb of the event of new route rules. The subject is the tenant; the
// change "rules" holds how many there were and are, and the SHA-256 of their text: nothing
// where there are none.
const VerbRules = "rules.update"

func (h *Handler) ruleOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/rules", ID: "getRules", Tag: "rules", Summary: "Read the route rules", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeRulesRead, Everyone: true,
		}, h.getRules),
		does(route{
			Method: http.MethodPut, Path: "/v1/rules", ID: "putRules", Tag: "rules", Summary: "Replace the route rules", Status: http.StatusOK,
			Text: "They are in force for /v1/verify and at gates, on every node, when the answer comes. What no rule is for is denied; a rule that is open lets requests pass without a key, " +
				"and the decision then names none. No rules at all, which would deny everything, are refused: {'/': {'block': true}} says so. " +
				"As long as there are none, a gate lets any valid key pass, and /v1/verify nobody who asks for rules. Once there are rules, If-Match is required.",
			limits: limits{MaxBody: 256 << 10, Timeout: small.Timeout}, Scope: gatehouse.ScopeRules, Everyone: true,
		}, h.putRules),
		does(route{
			Method: http.MethodDelete, Path: "/v1/rules", ID: "removeRules", Tag: "rules", Summary: "Remove all route rules", Status: http.StatusNoContent,
			Text: "It is as before the first rules, on every node, when the answer comes: gates let any valid key pass, and /v1/verify nobody who asks for rules. " +
				"Once there are rules, If-Match is required.",
			limits: small, Scope: gatehouse.ScopeRules, Everyone: true,
		}, h.removeRules),
		does(route{
			Method: http.MethodPost, Path: "/v1/rules/explain", ID: "explainRule", Tag: "rules", Summary: "Ask which rule is for a request", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeRulesRead, Everyone: true, Repeat: repeatFresh, Reads: true,
		}, h.explainRule),
	}
}

type rulesOut struct {
	ETag string `header:"ETag"`
	Body api.Rules
}

func (h *Handler) getRules(ctx context.Context, c *caller, _ *struct{}) (*rulesOut, error) {
	set, err := h.c.RuleStore.Rules(ctx, c.actor.Tenant)
	if err != nil {
		return nil, err
	}
	return shownRules(&set)
}

var errNoPrecondition = &refusal{
	Status: http.StatusPreconditionRequired, Code: "precondition_required", Title: "The rules are replaced where they are known",
	Field: "If-Match", Detail: "is required: the ETag of the rules, or * for whichever there are",
}

var errByFile = &refusal{
	Status: http.StatusConflict, Code: "rules_file", Title: "The gates go by a file",
	Detail: "gate.rules_file is set, and the gates do not look at the rules that are stored here: edit the file, or take it out of the configuration",
}

// byFile is errByFile where the gates go by other rules than those that are stored.
func (h *Handler) byFile(c *caller) error {
	if h.c.ByFile != "" && c.actor.Tenant == h.c.ByFile {
		return errByFile
	}
	return nil
}

func (h *Handler) putRules(ctx context.Context, c *caller, in *struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"the ETag of the rules that are replaced, or *: whichever; required but for the first"`
	Body    api.Rules
}) (*rulesOut, error) {
	if err := h.byFile(c); err != nil {
		return nil, err
	}
	if err := checkRules(in.Body.Rules, h.c.Authority.SchemeNames()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(in.Body.Rules)
	if err != nil {
		return nil, fmt.Errorf("write rules: %w", err)
	}
	set, err := h.replaceRules(ctx, c, in.IfMatch, string(text))
	if err != nil {
		return nil, err
	}
	return shownRules(&set)
}

func (h *Handler) removeRules(ctx context.Context, c *caller, in *struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"the ETag of the rules that are removed, or *: whichever; required once there are some"`
}) (*struct{}, error) {
	if err := h.byFile(c); err != nil {
		return nil, err
	}
	_, err := h.replaceRules(ctx, c, in.IfMatch, "")
	return &struct{}{}, err
}

// replaceRules stores the text of rules, empty for none, in place of those that are as match
// says. Rules that are gone already are as they should be, whatever match says.
func (h *Handler) replaceRules(ctx context.Context, c *caller, match, text string) (gatehouse.RuleSet, error) {
	none := gatehouse.RuleSet{}
	version, err := (&Precondition{IfMatch: match}).version()
	if err != nil {
		return none, err
	}
	old, err := h.c.RuleStore.Rules(ctx, c.actor.Tenant)
	gone := old.Text == "" && text == ""
	switch {
	case err != nil:
		return none, err
	case match == "" && old.Text != "":
		return none, errNoPrecondition
	case version != 0 && version != old.Version && !gone:
		return none, errPrecondition
	case old.Text == text:
		return old, gatehouse.InForce(ctx, h.c.RuleStore, old.Tenant)
	}
	set := gatehouse.RuleSet{Tenant: c.actor.Tenant, Text: text, Version: old.Version}
	e := gatehouse.NewEvent(c.actor, time.Now(), VerbRules, c.actor.Tenant, gatehouse.OutcomeSucceeded,
		gatehouse.Change{Field: "rules", Before: brief(&old), After: brief(&set)})
	err = h.c.RuleStore.PutRules(ctx, &set, e)
	if errors.Is(err, gatehouse.ErrConflict) && version != 0 {
		return none, errPrecondition
	}
	if err != nil {
		return none, fmt.Errorf("put rules: %w", err)
	}
	set.Version++
	return set, nil
}

// brief tells rules in the audit log: their text can be long.
func brief(set *gatehouse.RuleSet) string {
	table, err := tableOf(set)
	if err != nil || set.Text == "" {
		return ""
	}
	return fmt.Sprintf("%d, sha-256 %x", len(table), sha256.Sum256([]byte(set.Text)))
}

func shownRules(set *gatehouse.RuleSet) (*rulesOut, error) {
	table, err := tableOf(set)
	out := &rulesOut{ETag: etag(set.Version), Body: api.Rules{Rules: table}}
	if set.Text != "" {
		out.Body.Version = set.Version
	}
	return out, err
}

type explainedOut struct{ Body api.Explained }

func (h *Handler) explainRule(ctx context.Context, c *caller, in *struct{ Body api.Explain }) (*explainedOut, error) {
	if err := h.byFile(c); err != nil {
		return nil, err
	}
	out, err := h.book.Explain(ctx, c.actor.Tenant, in.Body.Method, in.Body.Authority, in.Body.Target)
	return &explainedOut{Body: out}, err
}
