// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/seed14544106/gatehouse"
)

// key reads keyFields.
func (c *columns) key(k *gatehouse.Key) {
	k.ID, k.Tenant, k.Principal, k.Name, k.Prefix = c.text(), c.text(), c.text(), c.text(), c.text()
	k.Schemes = words[string](c)
	k.Scopes = words[gatehouse.Scope](c)
	k.Networks = c.networks()
	k.Limits = c.limits()
	k.Replay = c.replay()
	k.State = enum(c, gatehouse.ParseState)
	k.StateText = c.text()
	k.NotBefore, k.Expires, k.Created, k.Updated = c.moment(), c.moment(), c.moment(), c.moment()
	k.Unused = time.Duration(c.number())
	k.LastUsed = c.moment()
	k.Version = c.number()
	k.Methods, k.Paths = words[string](c), words[string](c)
	k.Signed = c.flag()
	k.Metadata = c.metadata()
	k.Deleted = c.moment()
}

// metadata reads what [metadataText] wrote.
func (c *columns) metadata() (out gatehouse.Metadata) {
	text := c.text()
	if text == "" || c.err != nil {
		return nil
	}
	if json.Unmarshal([]byte(text), &out) != nil {
		c.spoil("is not the metadata it should be")
		return nil
	}
	return out
}

func metadataText(m gatehouse.Metadata) (string, error) {
	for name, value := range m {
		if !storable(name) || !storable(value) {
			return "", errUnstorable
		}
	}
	if len(m) == 0 {
		return "", nil
	}
	return jsonText(m)
}

func (c *columns) materials(k *gatehouse.Key) {
	column := c.blob()
	if c.err != nil {
		return
	}
	var err error
	if k.Materials, err = decodeMaterials(column); err != nil {
		c.err = err
	}
}

// principal reads principalFields: all of a principal but who it is.
func (c *columns) principal(p *gatehouse.Principal) {
	p.Kind = enum(c, parsePrincipalKind)
	p.UID, p.Email, p.Username, p.Role = c.text(), c.text(), c.text(), c.text()
	p.Level = int(c.number())
	p.State = enum(c, parsePrincipalState)
	p.Referral = c.text()
	p.SecondFactor = c.flag()
	p.Version = c.number()
	p.Limits = c.limits()
}

// tenantBrief reads tenantFields. No row is no state, which denies.
func (c *columns) tenantBrief(t *gatehouse.TenantBrief) {
	t.State = gatehouse.TenantState(c.text())
	t.Limits = c.limits()
}

// keyArgs are the arguments $1 to $24 of insertKey and updateKey.
func keyArgs(k *gatehouse.Key) ([]any, error) {
	if k.State == gatehouse.StateInvalid || gatehouse.ParseState(k.State.String()) != k.State {
		return nil, &gatehouse.InvalidError{Field: "state", Problem: "is none"}
	}
	replay := replayName(k.Replay)
	if replay == "" {
		return nil, &gatehouse.InvalidError{Field: "replay", Problem: "is none"}
	}
	schemes, err := wordList(k.Schemes)
	if err != nil {
		return nil, err
	}
	scopes, err := wordList(k.Scopes)
	if err != nil {
		return nil, err
	}
	networks, err := networkList(k.Networks)
	if err != nil {
		return nil, err
	}
	methods, err := wordList(k.Methods)
	if err != nil {
		return nil, err
	}
	paths, err := wordList(k.Paths)
	if err != nil {
		return nil, err
	}
	metadata, err := metadataText(k.Metadata)
	if err != nil {
		return nil, err
	}
	limits, err := limitList(k.Limits)
	if err != nil {
		return nil, err
	}
	materials, err := encodeMaterials(k.Materials)
	if err != nil {
		return nil, err
	}
	return []any{
		k.ID, k.Tenant, k.Principal, k.Name, k.Prefix, schemes, scopes, networks, limits, replay,
		k.State.String(), k.StateText, micros(k.NotBefore), micros(k.Expires), micros(k.Created), micros(k.Updated), materials,
		Place(k.Principal), int64(k.Unused), methods, paths, flag(k.Signed), metadata, micros(k.Deleted),
	}, nil
}

const (
	replayStrict = "strict"
	replayWindow = "window"
)

func replayName(m gatehouse.ReplayMode) string {
	switch m {
	case gatehouse.ReplayStrict:
		return replayStrict
	case gatehouse.ReplayWindow:
		return replayWindow
	}
	return ""
}

// replay reads a mode. Its zero value is a mode too, so an unknown word is told apart.
func (c *columns) replay() gatehouse.ReplayMode {
	switch c.text() {
	case replayStrict:
	case replayWindow:
		return gatehouse.ReplayWindow
	default:
		c.spoil("holds an unknown word")
	}
	return gatehouse.ReplayStrict
}

func (c *columns) networks() []netip.Prefix {
	texts := words[string](c)
	if texts == nil {
		return nil
	}
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			c.spoil("holds no network")
		}
		out[i] = p
	}
	return out
}

func networkList(list []netip.Prefix) (string, error) {
	texts := make([]string, len(list))
	for i, p := range list {
		if !p.IsValid() {
			return "", &gatehouse.InvalidError{Field: "networks", Problem: "one is no network"}
		}
		texts[i] = p.String()
	}
	return wordList(texts)
}

// storedLimit is a limit in JSON. Its names are those of the column and do not change
// with those of the type.
type storedLimit struct {
	Name   string        `json:"name"`
	Count  int64         `json:"count"`
	Period time.Duration `json:"period_ns"`
	Burst  int64         `json:"burst,omitempty"`
	Refill string        `json:"refill,omitempty"`
}

func (c *columns) limits() []gatehouse.Limit {
	read := list[storedLimit](c, c.text())
	if read == nil {
		return nil
	}
	out := make([]gatehouse.Limit, len(read))
	for i, l := range read {
		refill, ok := gatehouse.ParseRefill(l.Refill)
		if !ok {
			c.spoil("holds an unknown word")
		}
		out[i] = gatehouse.Limit{Name: l.Name, Count: l.Count, Period: l.Period, Burst: l.Burst, Refill: refill}
	}
	return out
}

func limitList(list []gatehouse.Limit) (string, error) {
	out := make([]storedLimit, len(list))
	for i, l := range list {
		if !storable(l.Name) {
			return "", errUnstorable
		}
		if l.Refill != gatehouse.RefillNone && l.Refill.String() == "" {
			return "", &gatehouse.InvalidError{Field: "limits", Problem: "one refills by no span"}
		}
		out[i] = storedLimit{Name: l.Name, Count: l.Count, Period: l.Period, Burst: l.Burst, Refill: l.Refill.String()}
	}
	return jsonList(out)
}

const (
	kindAccount = "account"
	kindService = "service"
)

func principalKindName(k gatehouse.PrincipalKind) string {
	switch k {
	case gatehouse.PrincipalAccount:
		return kindAccount
	case gatehouse.PrincipalService:
		return kindService
	}
	return ""
}

func parsePrincipalKind(text string) gatehouse.PrincipalKind {
	switch text {
	case kindAccount:
		return gatehouse.PrincipalAccount
	case kindService:
		return gatehouse.PrincipalService
	}
	return gatehouse.PrincipalInvalid
}

// parsePrincipalState returns the empty state for an unknown word. An unknown state
// may not act; but what nobody could have written is not passed on either.
func parsePrincipalState(text string) gatehouse.PrincipalState {
	switch s := gatehouse.PrincipalState(text); s {
	case gatehouse.PrincipalActive, gatehouse.PrincipalPending, gatehouse.PrincipalLocked,
		gatehouse.PrincipalBanned, gatehouse.PrincipalDeleted, gatehouse.PrincipalDisabled:
		return s
	}
	return ""
}
