// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
)

// keyFields are the fields of the form of a key in their order, with what the API and the checks
// of the form call each.
var keyFields = []struct {
	id    string
	names []string
}{
	{"name", []string{"name"}},
	{"scheme", []string{"schemes"}},
	{"public_key", []string{"public_key", "public key"}},
	{"scopes", []string{"scopes"}},
	{"expiry", []string{"expiry", "expires"}},
	{"date", nil}, // instead of expiry where a day was chosen
	{"networks", []string{"networks"}},
	{"signed", []string{"signed", "signed_only"}},
	{"limits", []string{"limits"}},
	{"metadata", []string{"metadata", "notes"}},
}

// field is the id of the field that an error is about; empty: of none.
func (f *keyForm) field(err error) string {
	named := ""
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		named = e.Field
	} else if e, ok := errors.AsType[*client.Error](err); ok {
		named = e.Field
	}
	if at := strings.IndexAny(named, ".["); at > 0 { // of one in a list
		named = named[:at]
	}
	for _, field := range keyFields {
		switch {
		case !slices.Contains(field.names, named), field.id == "scheme" && f.Scheme == "": // which is not shown again
		case field.id == "expiry" && (f.Expiry == expiryDate || f.Date != ""):
			return "date"
		default:
			return field.id
		}
	}
	return ""
}

// refusedKey shows the form again where err is about what was sent with it, with what is wrong
// beside each field.
func (v *visit) refusedKey(err error, page *keyFormPage) error {
	each := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		each = joined.Unwrap()
	}
	page.Wrong = map[string]string{}
	status := 0
	for _, err := range each {
		code, text := v.refusal(err)
		if text == "" {
			return err
		}
		status = code
		if id := page.field(err); id != "" {
			page.Wrong[id] = text
		} else {
			page.Problem = text
		}
	}
	return v.keyForm(page)(status)
}

// Says ties a field to its hint, if it has one, and to what is wrong with it. The first wrong field
// has the focus.
func (p *keyFormPage) Says(id, hint string) template.HTMLAttr {
	if p.Wrong[id] == "" {
		if hint == "" {
			return ""
		}
		return template.HTMLAttr(fmt.Sprintf(`aria-describedby="%s"`, hint)) // both are our own words
	}
	said := strings.TrimSpace(id + "-wrong " + hint)
	out := fmt.Sprintf(`aria-invalid="true" aria-describedby="%s"`, said)
	for _, field := range keyFields {
		if p.Wrong[field.id] == "" {
			continue
		}
		if field.id == id {
			out += " autofocus"
		}
		break
	}
	return template.HTMLAttr(out)
}
