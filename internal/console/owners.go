// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// owners are the names of accounts by their user ids, for lists of what belongs to them.
type owners map[string]string

// link is an account in a list: its name, or its user id where that is all that is known.
type link struct{ Name, At string }

// Of is the account of a user id.
func (o owners) Of(uid string) link { return link{cmp.Or(o[uid], uid), accountAt(uid)} }

// mostNames is how many names a page asks for: a list may have many owners.
const mostNames = 100

// name finds out the names of accounts that have none yet, as many as a page may ask for. One
// that is not there has none.
func (v *visit) name(o owners, uids ...string) error {
	for _, uid := range uids {
		if _, known := o[uid]; known || uid == "" || len(o) == mostNames {
			continue
		}
		a, err := v.api.Account(v.r.Context(), uid)
		if err != nil && !isStatus(err, http.StatusNotFound) {
			return err
		}
		if o[uid] = a.Email; a.Kind == kindService {
			o[uid] = a.Username // its address is made up
		}
	}
	return nil
}

// namesOf are the names of who owns the keys.
func (v *visit) namesOf(keys []api.Key) (owners, error) {
	o := owners{}
	for i := range keys {
		if err := v.name(o, keys[i].Owner); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// findings are keys that want looking after, with the names of who owns them.
type findings struct {
	api.Hygiene
	Owners owners
	None   bool // nothing is found because no key is active
}

// named gives the findings of a report the names of the owners.
func (v *visit) named(report api.Hygiene) (findings, error) {
	f := findings{Hygiene: report, Owners: owners{}}
	for i := range report.Findings {
		if err := v.name(f.Owners, report.Findings[i].Owner); err != nil {
			return f, err
		}
	}
	if len(report.Findings) > 0 {
		return f, nil
	}
	active, err := v.api.KeyPage(v.r.Context(), client.KeyQuery{States: []string{gatehouse.StateActive.String()}}, client.Page{Limit: 1})
	f.None = len(active.Keys) == 0
	return f, err
}
