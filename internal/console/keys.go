// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/url"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func (c *Console) keyRoutes() []route {
	return []route{
		{pattern: "GET /keys", need: holder, serve: (*visit).showKeys},
		{pattern: "GET /keys/new", need: holder, serve: (*visit).showNewKey},
		{pattern: "POST /keys", need: holder, serve: (*visit).createKey, form: maxKeyForm},
		{pattern: "GET /keys/{kid}", need: holder, serve: (*visit).showKey},
		{pattern: "GET /keys/{kid}/edit", need: holder, serve: (*visit).showEditKey},
		{pattern: "POST /keys/{kid}/edit", need: holder, serve: (*visit).editKey, form: maxKeyForm},
		{pattern: "GET /keys/{kid}/rotate", need: holder, serve: (*visit).showRotate},
		{pattern: "POST /keys/{kid}/rotate", need: holder, serve: (*visit).rotateKey},
		{pattern: "GET /keys/{kid}/rotation", need: holder, serve: (*visit).showRotation},
		{pattern: "POST /keys/{kid}/rotation", need: holder, serve: (*visit).changeRotation},
		{pattern: "GET /keys/{kid}/{verb}", need: holder, serve: (*visit).showVerb},
		{pattern: "POST /keys/{kid}/{verb}", need: holder, serve: (*visit).doVerb},
	}
}

// maxKeyForm holds the most scopes, networks and notes that a key can have, in bytes.
const maxKeyForm = 64 << 10

var keyNotices = map[string]string{
	"key-changed":        "The key is changed. What it may no longer do is refused everywhere.",
	"key-disabled":       "The key is disabled. It is refused everywhere until you enable it.",
	"key-enabled":        "The key is active again.",
	"key-revoked":        "The key is revoked. It is refused everywhere, for good.",
	"rotation-finished":  "The rotation is finished. The old secret is refused everywhere.",
	"rotation-extended":  "The old secret works longer now.",
	"rotation-cancelled": "The rotation is cancelled. The new secret is refused everywhere, and the old one stays.",
}

// shownKey is a key with what pages say of it.
type shownKey struct{ api.Key }

// keyAt is where the page of a key is. Ids of imported keys may hold anything printable.
func keyAt(kid string) string { return "/keys/" + url.PathEscape(kid) }

// Path is the page of the key.
func (k *shownKey) Path() string { return keyAt(k.ID) }

// Label is what people call the key.
func (k *shownKey) Label() string {
	if k.Name == "" {
		return k.ID
	}
	return k.Name
}

// badge is a state in a word, and how good that is: "good", "warn" or "bad".
type badge struct{ Kind, Text string }

// Badge is the state of the key as its holder sees it: expired is a time, and looks like a
// state to who is refused.
func (k *shownKey) Badge() badge {
	now := time.Now()
	switch {
	case k.State == gatehouse.StateRevoked.String():
		return badge{"bad", "revoked"}
	case k.Expires != nil && !k.Expires.After(now):
		return badge{"bad", "expired"}
	case k.State != gatehouse.StateActive.String():
		return badge{"warn", k.State}
	case k.NotBefore != nil && k.NotBefore.After(now):
		return badge{"warn", "not yet valid"}
	case k.Expires != nil && k.Expires.Sub(now) < gatehouse.EndingSoon:
		return badge{"warn", "expires soon"}
	}
	return badge{"good", "active"}
}

// Active reports whether the key is in the state active, and Revoked whether it has ended
// for good.
func (k *shownKey) Active() bool  { return k.State == gatehouse.StateActive.String() }
func (k *shownKey) Revoked() bool { return k.State == gatehouse.StateRevoked.String() }

// Works reports whether requests with the key may pass now.
func (k *shownKey) Works() bool {
	now := time.Now()
	return k.Active() && (k.Expires == nil || k.Expires.After(now)) && (k.NotBefore == nil || !k.NotBefore.After(now))
}

func shownKeys(keys []api.Key) []*shownKey {
	out := make([]*shownKey, len(keys))
	for i := range keys {
		out[i] = &shownKey{keys[i]}
	}
	return out
}

// keyPageSize is how many keys a page of a list has.
const keyPageSize = 50

// keysPage is a page of a list of keys.
type keysPage struct {
	Path        string // of the list
	Keys        []*shownKey
	Text, State string
	States      []string
	First, Next string // links; empty: there is no such page
	Problem     string
	Status      int          // of the page
	Service     *servicePart // whose keys they are; nil: the reader's own
}

// Filtered reports whether the list was narrowed: then its emptiness says little.
func (p *keysPage) Filtered() bool { return p.Text != "" || p.State != "" }

func (v *visit) showKeys() error {
	page, err := v.keysOf(v.account.UID, "/keys")
	if err != nil {
		return err
	}
	return v.show(page.Status, "keys.html", "My keys", page)
}

// keysOf is the page of an owner's keys that the query asks for; its links lead to path.
func (v *visit) keysOf(owner, path string) (*keysPage, error) {
	asked := v.r.URL.Query()
	page := &keysPage{Path: path, Text: asked.Get("text"), State: asked.Get("state"), States: []string{"active", "disabled", "revoked"}}
	if !slices.Contains(page.States, page.State) {
		page.State = ""
	}
	q := client.KeyQuery{Owner: owner, Text: page.Text}
	again := url.Values{}
	if page.Text != "" {
		again.Set("text", page.Text)
	}
	if page.State != "" {
		q.States = []string{page.State}
		again.Set("state", page.State)
	}
	found, err := v.api.KeyPage(v.r.Context(), q, client.Page{Cursor: asked.Get("after"), Limit: keyPageSize})
	if page.Status, page.Problem, err = v.answered(err); err != nil {
		return nil, err
	}
	page.Keys = shownKeys(found.Keys)
	if asked.Get("after") != "" {
		page.First = linkTo(path, again)
	}
	if found.Next != "" {
		again.Set("after", found.Next)
		page.Next = linkTo(path, again)
	}
	return page, nil
}

// linkTo is a path with a query, where there is one.
func linkTo(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
