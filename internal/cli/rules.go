// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

type rulesCommand struct {
	Show    rulesShow    `cmd:"" help:"Show the route rules, as the TOML file that rules set and rules check take."`
	Set     rulesSet     `cmd:"" help:"Replace the route rules by those of a file."`
	Clear   rulesClear   `cmd:"" help:"Remove all route rules: gates let any valid key pass, as before the first ones."`
	Check   rulesCheck   `cmd:"" help:"Check a file of route rules, without a server."`
	Explain rulesExplain `cmd:"" help:"Say which rule is for a request, and why others are not. Exit code 3: nobody may make it."`
}

type rulesShow struct{}

func (c *rulesShow) Run(e *env, cl *client.Client) error {
	r, err := cl.Rules(e.ctx)
	return e.rules(r, err)
}

type rulesSet struct {
	File    string `arg:"" help:"TOML file with the table rules: a pattern such as \"GET /orders\", and what it demands." placeholder:"FILE"`
	Version int64  `name:"if-version" help:"Replace the rules only while they have this version." placeholder:"N"`
}

func (c *rulesSet) Run(e *env, cl *client.Client) error {
	if _, err := readRules(c.File); err != nil {
		return err
	}
	rules, err := config.LoadRules(c.File)
	if err != nil {
		return err
	}
	r, err := cl.SetRules(e.ctx, c.Version, rules)
	return e.rules(r, err)
}

type rulesClear struct {
	sure
	Version int64 `name:"if-version" help:"Remove the rules only while they have this version." placeholder:"N"`
}

func (c *rulesClear) Run(e *env, cl *client.Client) error {
	if err := c.confirm(e, "Remove all rules, so that gates let any valid key pass?"); err != nil {
		return err
	}
	return cl.RemoveRules(e.ctx, c.Version)
}

// rules prints rules, as the text of a file of them where no other form is asked for.
func (e *env) rules(r api.Rules, err error) error {
	if err != nil {
		return err
	}
	e.warnOf(&r)
	if e.format != "table" {
		return e.plain(r)
	}
	if _, err := io.WriteString(e.Out, rulesText(&r)); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// warnOf tells of rules that are stored and are none, as builds of before took them.
func (e *env) warnOf(r *api.Rules) {
	if r.Version > 0 && len(r.Rules) == 0 {
		_, _ = fmt.Fprintln(e.Err, printable("The rules that are stored are none, and deny everything. To let any valid key pass at gates: gatehouse "+e.inTenant()+"rules clear"))
	}
}

type rulesCheck struct {
	File string `arg:"" help:"TOML file with the table rules." placeholder:"FILE"`
}

func (c *rulesCheck) Run(e *env) error {
	rules, err := readRules(c.File)
	if err != nil {
		return err
	}
	return one(e, rulesSound{len(rules)}, []string{"RULES"}, func(r *rulesSound) []string { return []string{strconv.Itoa(r.Rules)} })
}

// rulesSound says how many rules a sound file has.
type rulesSound struct {
	Rules int `json:"rules"`
}

// readRules reads the rules of a file and checks them.
func readRules(file string) (gate.Rules, error) {
	data, err := config.LoadRules(file)
	if err != nil {
		return nil, err
	}
	rules, err := gate.ParseRules(data)
	if err == nil {
		err = rules.CheckSchemes([]string{barong.Name, bearer.Name, httpsig.Name, shield.Name})
	}
	if err == nil {
		_, err = rules.Compile()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rules, nil
}

type rulesExplain struct {
	Method string `arg:"" help:"The request's method."`
	URL    string `arg:"" name:"url" help:"The request's URL, or only its path, with or without a query: then rules with a host are not for it." placeholder:"URL"`
	File   string `help:"Ask a TOML file of rules, and no server." placeholder:"FILE" xor:"rules"`
	Config string `help:"Ask as the gates of a server with this configuration do: its rules file, if it has one, else the server." placeholder:"FILE" xor:"rules"`
}

func (c *rulesExplain) Run(e *env, connect func() (*client.Client, error)) error {
	q := api.Explain{Method: c.Method, Target: c.URL}
	if !strings.HasPrefix(c.URL, "/") {
		_, rest, ok := strings.Cut(c.URL, "://")
		i := strings.IndexAny(rest+"/", "/?")
		if q.Authority, q.Target = rest[:i], rest[i:]; !ok || q.Authority == "" {
			return usageError{errors.New("the URL is none, and no path")}
		}
		if !strings.HasPrefix(q.Target, "/") {
			q.Target = "/" + q.Target
		}
	}
	x, err := c.explain(e, q, connect)
	if err != nil {
		return err
	}
	if err := e.explained(q, &x); err != nil {
		return err
	}
	switch x.Outcome {
	case "open", "key", "scopes":
		return nil
	}
	return errDenied
}

func (c *rulesExplain) explain(e *env, q api.Explain, connect func() (*client.Client, error)) (api.Explained, error) {
	file := c.File
	if c.Config != "" {
		cfg, err := config.Load(c.Config, e.environ, nil)
		if err != nil {
			return api.Explained{}, err
		}
		file = cfg.Gate.RulesFile
	}
	if file != "" {
		rules, err := readRules(file)
		if err != nil {
			return api.Explained{}, err
		}
		return rules.Explain(q.Method, q.Authority, q.Target)
	}
	cl, err := connect()
	if err != nil {
		return api.Explained{}, err
	}
	x, err := cl.ExplainRule(e.ctx, q)
	if p, ok := errors.AsType[*client.Error](err); ok && p.Code == "rules_file" {
		err = fmt.Errorf("%w; or ask the file: gatehouse rules explain --file FILE METHOD URL", err)
	}
	return x, err
}

// rule is a row of what was explained.
type rule struct{ pattern, demands string }

// explained prints which rule is for a request: that one first, the others below.
func (e *env) explained(q api.Explain, x *api.Explained) error {
	if e.format != "table" {
		return e.plain(x)
	}
	rows := []rule{{x.Pattern, demands(q, x)}}
	for _, o := range x.Others {
		rows = append(rows, rule{o.Pattern, "not this one: it " + o.Why})
	}
	return table(e, rows, []string{"PATTERN", "DEMANDS"}, func(r *rule) []string { return []string{r.pattern, r.demands} })
}

// demands is what a rule demands, in words.
func demands(q api.Explain, x *api.Explained) string {
	switch x.Outcome {
	case "open":
		return "pass: no key is asked for"
	case "blocked":
		return "block: nobody passes"
	case "no_rule":
		return "no_rule: nobody passes"
	case "ambiguous_path":
		return "ambiguous_path: " + gate.WhyAmbiguous(q.Method, q.Authority) + ": nobody passes"
	}
	if x.Outcome == "key" && x.Pattern == "" {
		return "require: a key; there are no rules: gates let any valid key pass"
	}
	words := []string{"a key"}
	for _, list := range []struct {
		text  string
		words []string
	}{{"all scopes of ", x.All}, {"a scope of ", x.Any}, {"a role of ", x.Roles}, {"a scheme of ", x.Schemes}} {
		if len(list.words) > 0 {
			words = append(words, list.text+comma(list.words))
		}
	}
	if x.Signed {
		words = append(words, "a scheme that signs")
	}
	if x.Cost > 1 {
		words = append(words, "costs "+number64(x.Cost))
	}
	return "require: " + strings.Join(words, "; ")
}
