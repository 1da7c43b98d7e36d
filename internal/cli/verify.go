// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type keyVerify struct {
	Scope  []string `help:"A scope the request needs. May be repeated."`
	Any    []string `name:"any-scope" help:"A scope of which the request needs one. May be repeated."`
	Cost   int64    `help:"What the request costs under limits and quotas." default:"1"`
	Rules  bool     `help:"Demand what the route rules demand of --method and --url, besides."`
	Peer   string   `help:"The client's address."`
	Method string   `short:"X" help:"The request's method." default:"GET"`
	URL    string   `name:"url" help:"The request's URL, for credentials that sign it." placeholder:"URL"`
	Body   string   `short:"d" help:"The request's body, for credentials that sign it: @FILE, or the text itself. Without it the body counts as not known." placeholder:"DATA"`
	NoBody bool     `help:"The request has no body."`
}

// check is the question about a request with these header fields.
func (c *keyVerify) check(headers map[string][]string) (api.Check, error) {
	q := api.Check{Method: c.Method, Target: "/", Peer: c.Peer, Headers: headers, Scopes: c.Scope, AnyScope: c.Any, Rules: c.Rules}
	if c.Cost != 1 {
		q.Cost = c.Cost
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return q, usageError{errors.New("--url is no http or https URL")}
		}
		q.Scheme, q.Authority, q.Target = u.Scheme, u.Host, u.RequestURI()
	}
	if c.Body == "" && !c.NoBody {
		return q, nil
	}
	body := []byte(c.Body)
	if path, ok := strings.CutPrefix(c.Body, "@"); ok {
		var err error
		if body, err = os.ReadFile(path); err != nil {
			return q, fmt.Errorf("read body: %w", err)
		}
	}
	q.Body = &body
	return q, nil
}

func (c *keyVerify) Run(e *env, cl *client.Client) error {
	headers, err := e.readCredential()
	if err != nil {
		return err
	}
	q, err := c.check(headers)
	if err != nil {
		return err
	}
	d, err := cl.Verify(e.ctx, q)
	if err != nil {
		return err
	}
	return e.decisions([]api.Decision{d})
}

// decisions prints decisions. A denial among them makes the exit code 3.
func (e *env) decisions(all []api.Decision) error {
	denied := false
	err := print(e, all, []string{"GRANTED", "REASON", "STATUS", "SCHEME", "KID"}, func(d *api.Decision) []string {
		kid, reason := "", d.Reason
		if d.Key != nil {
			kid = d.Key.ID
		}
		if d.Problem != nil {
			reason = d.Problem.Code
		}
		return []string{strconv.FormatBool(d.Granted), reason, strconv.Itoa(d.Status), d.Scheme, kid}
	})
	for i := range all {
		denied = denied || !all[i].Granted
	}
	if err == nil && denied {
		return errDenied
	}
	return err
}

type keyVerifyBatch struct{}

const (
	verifyBatch = 100     // checks in one call
	maxCheck    = 2 << 20 // bytes of one check
)

func (c *keyVerifyBatch) Run(e *env, cl *client.Client) error {
	var out []api.Decision
	var batch []api.Check
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		d, err := cl.VerifyBatch(e.ctx, batch)
		out, batch = append(out, d...), batch[:0]
		return err
	}
	lines := bufio.NewScanner(e.In)
	lines.Buffer(nil, maxCheck)
	for n := 1; lines.Scan(); n++ {
		var check api.Check
		d := json.NewDecoder(strings.NewReader(lines.Text()))
		d.DisallowUnknownFields()
		// The parser's error may tell of a credential.
		if d.Decode(&check) != nil {
			return usageError{fmt.Errorf("line %d of standard input is no check in JSON", n)}
		}
		if batch = append(batch, check); len(batch) == verifyBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read checks: %w", err)
	}
	if err := flush(); err != nil {
		return err
	}
	if len(out) == 0 {
		return usageError{errors.New("checks are expected on standard input")}
	}
	return e.decisions(out)
}

// readCredential reads header lines ("Name: value") or one bare token from standard
// input: a credential on a command line could be seen by every user of the machine.
func (e *env) readCredential() (map[string][]string, error) {
	text, err := e.readLines("a credential")
	if err != nil {
		return nil, err
	}
	if len(text) == 1 && !strings.Contains(text[0], ":") {
		return map[string][]string{"Authorization": {"Bearer " + strings.TrimSpace(text[0])}}, nil
	}
	headers := map[string][]string{}
	for i, line := range text {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, usageError{fmt.Errorf("line %d of standard input is no header line", i+1)}
		}
		headers[name] = append(headers[name], strings.TrimSpace(value))
	}
	return headers, nil
}
