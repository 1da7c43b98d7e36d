// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	// Barong spells the class in two ways: its library makes one of the class's name,
	// its authors wrote the other.
	kindKey      = "resource.apikey"
	kindKeyWords = "resource.api_key"

	schemeName = "barong"
	algorithm  = "HS256"
	// vaultLease is what the seed's envelope says; it means nothing here.
	vaultLease = 2764800

	stateActive  = "active"
	maxStateText = 255
)

var createKeyParams = []param{
	need(kindKey, "algorithm"),
	{name: "totp_code", required: true, missing: kindKeyWords + ".missing_totp", empty: kindKey + ".empty_totp_code"},
	filled(kindKey, "scope"),
}

// keyJSON is a key on the wire.
type keyJSON struct {
	KID       string   `json:"kid"`
	Algorithm string   `json:"algorithm"`
	Scope     []string `json:"scope"`
	State     string   `json:"state"`
	Secret    any      `json:"secret,omitempty"` // when it is made, and never again
	Created   string   `json:"created_at"`
	Updated   string   `json:"updated_at"`
}

// enclosedKey is keyJSON in the order in which the documents of Barong's envelope show it.
type enclosedKey struct {
	Algorithm string   `json:"algorithm"`
	Created   string   `json:"created_at"`
	KID       string   `json:"kid"`
	Scope     []string `json:"scope"`
	Secret    vault    `json:"secret"`
	State     string   `json:"state"`
	Updated   string   `json:"updated_at"`
}

func toJSON(k *gatehouse.Key) keyJSON {
	state := k.StateText
	if state == "" {
		state = k.State.String()
	}
	return keyJSON{KID: k.ID, Algorithm: algorithm, Scope: k.Scopes.Strings(), State: state, Created: stamp(k.Created), Updated: stamp(k.Updated)}
}

// withSecret is a new key on the wire: the one place where a secret is shown.
func (d *Door) withSecret(created *gatehouse.Created) any {
	k, secret := toJSON(&created.Key), created.Secret.Reveal()
	if d.c.SecretFormat == formatString {
		k.Secret = secret
		return k
	}
	envelope := vault{Duration: vaultLease, Data: struct {
		Value string `json:"value"`
	}{secret}}
	return enclosedKey{k.Algorithm, k.Created, k.KID, k.Scope, envelope, k.State, k.Updated}
}

// stepUp asks for the second factor anew, before anything is told of a key.
func (d *Door) stepUp(ctx context.Context, c *call) error {
	return say(d.c.Accounts.VerifyStepUp(ctx, c.actor, c.account.ID, c.params["totp_code"]), codeTOTPSlow,
		row{account.ErrOTPOff, http.StatusBadRequest, kindKeyWords + ".2fa_disabled"},
		row{account.ErrCodeMissing, http.StatusUnprocessableEntity, kindKeyWords + ".missing_totp"},
		row{account.ErrCodeInvalid, http.StatusUnprocessableEntity, kindKeyWords + ".invalid_totp"},
		row{account.ErrCodeUsed, http.StatusUnprocessableEntity, codeTOTPUsed})
}

func (d *Door) createKey(ctx context.Context, c *call) (answer, error) {
	if err := d.stepUp(ctx, c); err != nil {
		return answer{}, err
	}
	var codes []string
	if c.account.State != gatehouse.PrincipalActive {
		codes = append(codes, "key_holder_account.invalid")
	}
	if !strings.Contains(c.params["algorithm"], "HS") {
		codes = append(codes, "kid.blank") // Barong makes a key id only for what it takes for an HMAC
	}
	if c.params["algorithm"] != algorithm {
		codes = append(codes, "algorithm.inclusion")
	}
	granted, ok := readScopes(c.params["scope"])
	if !ok {
		codes = append(codes, "scope.invalid")
	}
	if len(codes) > 0 {
		return answer{}, refuse(http.StatusUnprocessableEntity, codes...)
	}
	created, err := d.c.Keys.Create(ctx, c.actor, gatehouse.NewKey{Principal: c.account.ID, Schemes: []string{schemeName}, Scopes: granted})
	if invalid := new(gatehouse.InvalidError); errors.As(err, &invalid) && invalid.Field == "principal" {
		return answer{}, refuse(http.StatusUnprocessableEntity, "key_holder_account.invalid") // it changed under us
	}
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: d.withSecret(&created)}, nil
}

// readScopes reads a comma list.
func readScopes(list string) (gatehouse.Scopes, bool) {
	words := slices.DeleteFunc(strings.Split(list, ","), func(w string) bool { return strings.TrimSpace(w) == "" })
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	granted, err := gatehouse.ParseScopes(words)
	return granted, err == nil
}

// findKey looks for one of the caller's keys. A revoked one is gone for Barong's clients.
func (d *Door) findKey(ctx context.Context, c *call) error {
	k, err := d.c.Keys.Get(ctx, c.actor, c.params["kid"])
	if err == nil && k.State == gatehouse.StateRevoked {
		return refuse(http.StatusNotFound, codeNotFound)
	}
	return err
}

// updateKey changes what was sent and nothing else: what Barong clears when it is left
// out stays here.
func (d *Door) updateKey(ctx context.Context, c *call) (answer, error) {
	if err := d.stepUp(ctx, c); err != nil {
		return answer{}, err
	}
	if err := d.findKey(ctx, c); err != nil {
		return answer{}, err
	}
	patch, err := readPatch(c.params)
	if err != nil {
		return answer{}, err
	}
	k, err := d.c.Keys.Update(ctx, c.actor, c.params["kid"], patch)
	if invalid := new(gatehouse.InvalidError); errors.As(err, &invalid) && invalid.Field == "state" {
		return answer{}, refuse(http.StatusUnprocessableEntity, "state.invalid")
	}
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: toJSON(&k)}, nil
}

// readPatch reads scope and state. Barong's state is any text, of which only "active"
// works: every other one disables, and is shown back as it was sent.
func readPatch(v values) (gatehouse.Patch, error) {
	var p gatehouse.Patch
	if v.has("scope") {
		granted, ok := readScopes(v["scope"])
		if !ok {
			return p, refuse(http.StatusUnprocessableEntity, "scope.invalid")
		}
		p.Scopes = &granted
	}
	if !v.has("state") {
		return p, nil
	}
	text, state := v["state"], gatehouse.StateDisabled
	switch {
	case text == stateActive:
		text, state = "", gatehouse.StateActive
	case utf8.RuneCountInString(text) > maxStateText || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return p, refuse(http.StatusUnprocessableEntity, "state.invalid")
	}
	p.State, p.StateText = &state, &text
	return p, nil
}

func (d *Door) deleteKey(ctx context.Context, c *call) (answer, error) {
	if err := d.stepUp(ctx, c); err != nil {
		return answer{}, err
	}
	if err := d.findKey(ctx, c); err != nil {
		return answer{}, err
	}
	if _, err := d.c.Keys.Revoke(ctx, c.actor, c.params["kid"], ""); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// keyColumns are the columns that Barong's clients may order by. Those that we do not
// have hold the same for all keys of an account, or nothing that anyone may see: they
// order by creation.
var keyColumns = map[string]gatehouse.KeyOrder{
	"id": gatehouse.KeyOrderCreated, "key_holder_account_id": gatehouse.KeyOrderCreated, "key_holder_account_type": gatehouse.KeyOrderCreated,
	"kid": gatehouse.KeyOrderID, "algorithm": gatehouse.KeyOrderCreated, "scope": gatehouse.KeyOrderScopes,
	"secret_encrypted": gatehouse.KeyOrderCreated, "state": gatehouse.KeyOrderState,
	"created_at": gatehouse.KeyOrderCreated, "updated_at": gatehouse.KeyOrderUpdated,
}

func (d *Door) listKeys(ctx context.Context, c *call) (answer, error) {
	var codes []string
	desc := c.params["ordering"] == "desc"
	if c.params.has("ordering") && !desc && c.params["ordering"] != "asc" {
		codes = append(codes, kindKeyWords+".invalid_ordering")
	}
	order, known := keyColumns[c.params["order_by"]]
	if c.params.has("order_by") && !known {
		codes = append(codes, kindKeyWords+".invalid_attribute")
	}
	p, wrong := readPage(c.params)
	if codes = append(codes, wrong...); len(codes) > 0 {
		return answer{}, refuse(http.StatusUnprocessableEntity, codes...)
	}
	keys, total, err := d.c.Keys.List(ctx, c.actor, gatehouse.KeyQuery{
		Principal: c.account.ID, States: []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled},
		Order: order, Desc: desc, Offset: p.offset(), Limit: p.limit,
	})
	if err != nil {
		return answer{}, err
	}
	rows := make([]keyJSON, len(keys))
	for i := range keys {
		rows[i] = toJSON(&keys[i])
	}
	return answer{status: http.StatusOK, body: rows, header: p.headers(c.r, d.c.Proxies, total)}, nil
}
