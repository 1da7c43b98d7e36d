// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// keyForm is what a form says of a key, as it was typed. The forms that make and that change
// a key share it.
type keyForm struct {
	Name, Scheme, PublicKey string
	Picked                  []string // scopes that were ticked
	Scopes                  string   // others, with blanks or commas between them
	Expiry, Date            string   // a preset, and the day of the preset "date"
	Networks, Metadata      string
	Limits                  string
	Signed                  bool
}

// typed is the form of the request. preset is the expiry that the form had when nobody had touched
// it: a day that is given with it is meant, as no choice was made against it.
func (v *visit) typed(preset string) keyForm {
	get := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	f := keyForm{
		Name: get("name"), Scheme: get("scheme"), PublicKey: get("public_key"), Picked: v.r.PostForm["scope"], Scopes: get("scopes"),
		Expiry: get("expiry"), Date: get("date"), Networks: get("networks"), Metadata: get("metadata"), Limits: get("limits"), Signed: get("signed") != "",
	}
	if f.Date != "" && f.Expiry == preset {
		f.Expiry = expiryDate
	}
	return f
}

// formOf is the form that says what a key is.
func formOf(k *api.Key) keyForm {
	f := keyForm{Name: k.Name, Picked: k.Scopes, Expiry: expiryKeep, Networks: strings.Join(k.Networks, "\n"), Limits: limitLines(k.Limits), Signed: k.Signed}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(k.Metadata)) {
		pairs = append(pairs, name+"="+k.Metadata[name])
	}
	f.Metadata = strings.Join(pairs, "\n")
	return f
}

// scopes are those that were ticked and those that were written, each once.
func (f *keyForm) scopes() []string {
	out := []string{}
	for _, s := range slices.Concat(f.Picked, words(f.Scopes)) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (f *keyForm) networks() []string { return words(f.Networks) }

// words are those of a text, with blanks or commas between them.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// metadata reads lines of name=value. *gatehouse.InvalidError.
func (f *keyForm) metadata() (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(f.Metadata) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if _, twice := out[name]; !ok || twice {
			return nil, &gatehouse.InvalidError{Field: "notes", Problem: "each line is name=value, each name once"}
		}
		out[name] = strings.TrimSpace(value)
	}
	return out, gatehouse.Metadata(out).Check()
}

// The presets of an expiry. Others are numbers of days.
const (
	expiryKeep  = "keep" // of the form that changes a key: it begins with this one
	expiryNew   = "90"   // that the form of a new key begins with
	expiryNever = "never"
	expiryDate  = "date"
)

var expiryDays = map[string]int{"30": 30, "90": 90, "365": 365}

// expires is when the key ends; zero: never. It is always a midnight in UTC: a form that is
// sent twice asks for the same, so that the API knows it again. *gatehouse.InvalidError.
func (f *keyForm) expires(now time.Time) (time.Time, error) {
	if f.Date != "" && f.Expiry != expiryDate {
		return time.Time{}, &gatehouse.InvalidError{Field: "expiry", Problem: "a day is given, and another end is chosen: choose “with the day below”, or take the day out"}
	}
	day := now.UTC().Truncate(24 * time.Hour)
	if n, ok := expiryDays[f.Expiry]; ok {
		return day.AddDate(0, 0, n+1), nil
	}
	switch f.Expiry {
	case expiryNever:
		return time.Time{}, nil
	case expiryDate:
		at, err := time.Parse(time.DateOnly, f.Date)
		if err != nil || at.Year() > 9000 {
			return time.Time{}, &gatehouse.InvalidError{Field: "expiry", Problem: "the day is missing, or is not of the form 2027-01-31"}
		}
		return at.AddDate(0, 0, 1), nil
	}
	return time.Time{}, &gatehouse.InvalidError{Field: "expiry", Problem: "choose when the key ends"}
}

// newKey is the key that the form asks for. Its errors are *gatehouse.InvalidError, all at once.
func (f *keyForm) newKey(now time.Time) (api.NewKey, error) {
	n := api.NewKey{Name: f.Name, Schemes: []string{f.Scheme}, Scopes: f.scopes(), Networks: f.networks(), Signed: f.Signed, PublicKey: f.PublicKey}
	wrong := f.check(n.Schemes)
	if f.Scheme == schemeHTTPSig {
		wrong = append(wrong, checkPublic(f.PublicKey))
	} else if f.PublicKey != "" {
		wrong = append(wrong, &gatehouse.InvalidError{Field: "public key", Problem: "it is for signed requests alone: choose those, or take the public key out"})
	}
	if f.Scheme == schemeShield && len(n.Scopes) == 0 { // the API would give it all, as Shield does
		wrong = append(wrong, &gatehouse.InvalidError{Field: "scopes", Problem: "a Shield key that names none may do everything, as in Shield: name some, or * for everything"})
	}
	ends, late := f.expires(now)
	if !ends.IsZero() {
		n.Expires = &ends
		if !ends.After(now) {
			late = &gatehouse.InvalidError{Field: "expires", Problem: "is not in the future"}
		}
	}
	var badLimits, badNotes error
	n.Limits, badLimits = readLimits(f.Limits)
	n.Metadata, badNotes = f.metadata()
	return n, errors.Join(append(wrong, late, badLimits, badNotes)...)
}

// patch is the change that the form asks for, of a key of these schemes. Its errors are *gatehouse.InvalidError, all at once.
func (f *keyForm) patch(now time.Time, schemes []string) (api.PatchKey, error) {
	wrong := f.check(schemes)
	notes, badNotes := f.metadata()
	limits, badLimits := readLimits(f.Limits)
	p := api.PatchKey{Name: &f.Name, Scopes: new(f.scopes()), Networks: new(append([]string{}, f.networks()...)), Signed: &f.Signed, Limits: &limits, Metadata: &notes}
	if f.Expiry == expiryKeep {
		return p, errors.Join(append(wrong, badLimits, badNotes)...)
	}
	ends, err := f.expires(now)
	p.Expires = new(expiryNever)
	if !ends.IsZero() {
		p.Expires = new(ends.Format(time.RFC3339))
	}
	return p, errors.Join(append(wrong, err, badLimits, badNotes)...)
}

// scopeChoice is a scope that a form offers.
type scopeChoice struct {
	Name, Text string
	Picked     bool
}

// offer are the scopes that a form offers: to operators those that manage, and to everybody
// what the owner's other keys have. What the form holds besides is left in Scopes.
func (v *visit) offer(f *keyForm, owner string) ([]scopeChoice, error) {
	var out []scopeChoice
	have := f.scopes()
	add := func(name, text string) {
		if name != "" && !slices.ContainsFunc(out, func(c scopeChoice) bool { return c.Name == name }) {
			out = append(out, scopeChoice{name, text, slices.Contains(have, name)})
		}
	}
	others, err := v.api.KeyPage(v.r.Context(), client.KeyQuery{Owner: owner}, client.Page{Limit: keyPageSize})
	if err != nil {
		return nil, err
	}
	for _, k := range others.Keys {
		for _, s := range k.Scopes {
			if !gatehouse.Scope(s).Manages() {
				add(s, "as another key")
			}
		}
	}
	slices.SortFunc(out, func(a, b scopeChoice) int { return cmp.Compare(a.Name, b.Name) })
	if v.operates() {
		for _, m := range gatehouse.ManagementScopes() {
			add(string(m.Scope), m.Text)
		}
	}
	for _, s := range have {
		if strings.Contains(s, ",") { // written among the others it would be two
			add(s, "as it is now")
		}
	}
	rest := slices.DeleteFunc(have, func(s string) bool {
		return slices.ContainsFunc(out, func(c scopeChoice) bool { return c.Name == s })
	})
	f.Scopes = strings.Join(rest, " ")
	return out, nil
}
