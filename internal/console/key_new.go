// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/httpsig"
)

// The names of the schemes that pages say something of.
const (
	schemeBearer  = "bearer"
	schemeBarong  = "barong"
	schemeShield  = "shield"
	schemeHTTPSig = "httpsig"
)

// schemeChoice is a scheme that a form offers.
type schemeChoice struct{ Name, Title, Text string }

// schemeTexts explain the schemes, the simplest first.
var schemeTexts = []schemeChoice{
	{schemeBearer, "Bearer token", "The client sends one text with each request. Every tool can. Whoever sees a request has the key, so it wants HTTPS all the way."},
	{schemeHTTPSig, "Signed requests (RFC 9421)", "The client signs method, address and body of each request, and the secret never travels. A captured request is good for nothing else, and once. The best choice where you write the client. With a public key of yours we never have a secret at all."},
	{schemeBarong, "Barong", "For clients of Barong and Peatio: each request carries a time and a signature of it. The secret never travels, but the signature says nothing of the request itself."},
	{schemeShield, "Shield HMAC", "For clients of CodeIgniter Shield: the signature covers the body alone, and never runs out. Take it only for clients that exist."},
}

// schemeChoices are the schemes of this server.
func (c *Console) schemeChoices() (out []schemeChoice) {
	known := map[string]bool{}
	for _, s := range schemeTexts {
		known[s.Name] = true
	}
	for _, s := range schemeTexts {
		for _, name := range c.Schemes {
			if name == s.Name {
				out = append(out, s)
			}
		}
	}
	for _, name := range c.Schemes {
		if !known[name] {
			out = append(out, schemeChoice{Name: name, Title: name})
		}
	}
	return out
}

// keyFormPage is the form that makes a key, or changes one.
type keyFormPage struct {
	keyForm
	Key     *shownKey // nil: a new one
	Version int64     // of Key, that the form was made for
	Owner   string    // uid of whom a new key is for; empty: the account itself
	For     string    // name of Owner; empty: it is the account itself
	Schemes []schemeChoice
	Offer   []scopeChoice
	Once    string            // of the form as it was sent first; empty: a new one
	Problem string            // of no field
	Wrong   map[string]string // what is wrong with a field, by its id
}

// Others are the scopes that the form offers and that do not manage, Manage those that do.
func (p *keyFormPage) Others() []scopeChoice { return p.offered(false) }
func (p *keyFormPage) Manage() []scopeChoice { return p.offered(true) }

// Manages reports whether a scope that manages is picked.
func (p *keyFormPage) Manages() bool {
	return slices.ContainsFunc(p.Manage(), func(c scopeChoice) bool { return c.Picked })
}

func (p *keyFormPage) offered(manages bool) (out []scopeChoice) {
	for _, c := range p.Offer {
		if gatehouse.Scope(c.Name).Manages() == manages {
			out = append(out, c)
		}
	}
	return out
}

func (v *visit) showNewKey() error {
	page := &keyFormPage{Owner: v.r.URL.Query().Get("owner")}
	page.Expiry = expiryNew
	return v.keyForm(page)(http.StatusOK)
}

// keyForm shows the form with a status.
func (v *visit) keyForm(page *keyFormPage) func(int) error {
	return func(status int) (err error) {
		title, owner := "New key", cmp.Or(page.Owner, v.account.UID)
		if page.Key != nil {
			title, owner = "Edit "+page.Key.Label(), page.Key.Owner
		}
		page.Schemes = v.schemeChoices()
		v.standBy(owner)
		if page.Scheme == "" && len(page.Schemes) > 0 {
			page.Scheme = page.Schemes[0].Name
		}
		if page.For, _, err = v.ownerOf(owner); err != nil {
			return err
		}
		if page.Offer, err = v.offer(&page.keyForm, owner); err != nil {
			return err
		}
		return v.show(status, "key-form.html", title, page)
	}
}

func (v *visit) createKey() error {
	page := &keyFormPage{keyForm: v.typed(expiryNew), Owner: v.r.PostFormValue("owner"), Once: v.r.PostFormValue("once")}
	n, err := page.newKey(time.Now())
	var made api.CreatedKey
	if err == nil {
		n.Owner = cmp.Or(page.Owner, v.account.UID)
		made, err = v.api.CreateKey(v.r.Context(), n)
	}
	if err == nil || errors.Is(err, client.ErrSecretLost) {
		return v.showSecret(http.StatusCreated, "Key made", &made, n.PublicKey, false)
	}
	if !strings.HasPrefix(strings.TrimSpace(page.PublicKey), "-----BEGIN PUBLIC KEY") { // it may be a private one in another form
		page.PublicKey = ""
	}
	return v.refusedKey(err, page)
}

// secretPage shows a new secret, this once.
type secretPage struct {
	Key           *shownKey
	Secret, Token string
	Public        bool // the holder has the private key: there is no secret
	Again         bool // the form was sent before, and its secret was shown then
	Rotated       bool
	Samples       []sample
}

// TokenOnly reports whether the token is all that requests need.
func (p *secretPage) TokenOnly() bool {
	return slices.Equal(p.Key.Schemes, []string{schemeBearer})
}

func (v *visit) showSecret(status int, title string, made *api.CreatedKey, publicKey string, rotated bool) (err error) {
	page := secretPage{Key: &shownKey{made.Key}, Secret: made.Secret, Token: made.Token, Public: publicKey != "", Rotated: rotated}
	page.Again = page.Secret == "" && !page.Public
	facts := sampleFacts{Origin: v.origin(), ID: made.ID, Secret: made.Secret, Token: made.Token}
	if page.Public {
		key, err := httpsig.ParsePublicKey(publicKey)
		if err != nil {
			return err
		}
		facts.Algorithm = key.Algorithm()
	}
	if page.Again {
		status, title = http.StatusOK, "Made already"
	} else if page.Samples, err = samplesFor(made.Schemes, &facts); err != nil {
		return err
	}
	v.standBy(made.Owner)
	return v.show(status, "key-secret.html", title, &page)
}
