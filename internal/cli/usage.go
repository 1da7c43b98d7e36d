// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// series says which part of a series is wanted.
type series struct {
	Grain string `help:"Length of a span: minute, hour or day. Default: the server's." enum:"minute,hour,day," default:"" placeholder:"GRAIN"`
	From  string `help:"Where it begins: a duration back from now, or a time. Default: the server's." placeholder:"WHEN"`
	To    string `help:"Where it ends, exclusive. Default: now." placeholder:"WHEN"`
}

func (s *series) show(e *env, cl *client.Client, kid string) error {
	q := client.UsageQuery{Grain: s.Grain}
	var err error
	if q.From, err = past("from", s.From); err != nil {
		return err
	}
	if q.To, err = past("to", s.To); err != nil {
		return err
	}
	u, err := cl.Usage(e.ctx, kid, q)
	if err != nil {
		return err
	}
	if e.format != "table" {
		return e.plain(u)
	}
	return table(e, u.Points, []string{"START", "GRANTED", "DENIED", "DENIED-FOR"}, usageRow)
}

type usageCommand struct{ series }

func (c *usageCommand) Run(e *env, cl *client.Client) error { return c.show(e, cl, "") }

type keyUsage struct {
	series
	Kid string `arg:"" help:"Key id."`
}

func (c *keyUsage) Run(e *env, cl *client.Client) error { return c.show(e, cl, c.Kid) }

// granted is the outcome of a request that passed.
const granted = "granted"

func usageRow(p *api.UsagePoint) []string {
	var denied int64
	var reasons []string
	for _, outcome := range slices.Sorted(maps.Keys(p.Counts)) {
		if outcome != granted {
			denied += p.Counts[outcome]
			reasons = append(reasons, fmt.Sprintf("%s=%d", outcome, p.Counts[outcome]))
		}
	}
	return []string{moment(&p.Start), number64(p.Counts[granted]), number64(denied), strings.Join(reasons, " ")}
}

func number64(n int64) string { return strconv.FormatInt(n, 10) }

type hygieneCommand struct {
	Days  int `help:"What counts as unused. Default: the server's."`
	Limit int `help:"How many keys to list. Default: the server's."`
}

func (c *hygieneCommand) Run(e *env, cl *client.Client) error {
	h, err := cl.Hygiene(e.ctx, c.Days, c.Limit)
	if err != nil {
		return err
	}
	if r, err := cl.Rules(e.ctx); err == nil { // a key may not be allowed to read them
		e.warnOf(&r)
	}
	if h.More {
		_, _ = fmt.Fprintln(e.Err, "there are more keys than these (see --limit)")
	}
	return print(e, h.Findings, []string{"KID", "NAME", "OWNER", "CREATED", "LAST-USED", "FINDINGS"}, func(r *api.HygieneRow) []string {
		return []string{r.Key, r.Name, r.Owner, moment(&r.Created), moment(r.LastUsed), findings(r)}
	})
}

// findings is what is wrong with a key, in words.
func findings(r *api.HygieneRow) string {
	var out []string
	for text, found := range map[string]bool{"never used": r.Never, "no expiry": r.Endless, "unused": r.Unused && !r.Never} {
		if found {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	if len(r.Idle) > 0 {
		out = append(out, "idle scopes "+comma(r.Idle))
	}
	if len(r.Legacy) > 0 {
		out = append(out, "legacy schemes "+comma(r.Legacy))
	}
	return strings.Join(out, "; ")
}

type signingKeyCommand struct {
	List   signingKeyList   `cmd:"" help:"List the signing keys."`
	Rotate signingKeyRotate `cmd:"" help:"Publish the next signing key. It signs once everybody can know it."`
}

type signingKeyList struct{}

func (c *signingKeyList) Run(e *env, cl *client.Client) error {
	k, err := cl.SigningKeys(e.ctx)
	return e.signingKeys(k, err)
}

type signingKeyRotate struct{}

func (c *signingKeyRotate) Run(e *env, cl *client.Client) error {
	k, err := cl.RotateSigningKeys(e.ctx)
	return e.signingKeys(k, err)
}

// signingKeys prints signing keys.
func (e *env) signingKeys(k api.SigningKeys, err error) error {
	if err != nil {
		return err
	}
	return print(e, k.Keys, []string{"KID", "ALGORITHM", "STATE", "CREATED", "SIGNS-FROM", "RETIRES"}, func(k *api.SigningKey) []string {
		return []string{k.ID, k.Algorithm, k.State, moment(&k.Created), moment(k.Signs), moment(k.Retires)}
	})
}

type openapiCommand struct{}

func (c *openapiCommand) Run(e *env, cl *client.Client) error {
	doc, err := cl.OpenAPI(e.ctx)
	if err != nil {
		return err
	}
	if e.format == "yaml" {
		return e.plain(doc)
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err == nil {
		_, err = fmt.Fprintln(e.Out, string(escaped(text)))
	}
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
