// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (c *Console) systemRoutes() []route {
	return []route{
		{pattern: "GET /operate/system", need: operator, serve: (*visit).showSystem},
		{pattern: "POST /operate/system/rotate", need: operator, serve: (*visit).rotateSigning},
	}
}

// systemPage is how the server stands, as far as a session may know.
type systemPage struct {
	Version string
	Mail    string // host and port of the server that sends it; empty: mail goes to files
	Schemes []string
	Self    api.Self
	Whole   bool        // the reader may know what concerns all tenants: the rest of the page
	Parts   []shownPart // none: the API does not say
	Me      string      // id of the node that answers; empty: it is alone
	Nodes   []shownNode
	Ring    []shownRingKey // none: the API does not say, or NoRing
	Damaged int            // rows that refer to nobody knows which key
	Rewrap  api.Rewrap
	NoRing  bool // the keyring cannot be read now
	Keys    []api.SigningKey
	Problem string
}

// shownPart is something that decisions rest on, with what depends on it.
type shownPart struct {
	api.Part
	Name, Text string
}

// shownParts are the parts in the order of /readyz.
func shownParts(c *api.Cluster) []shownPart {
	feed := "Tells what other nodes changed. Where it is not read, every request reads the database."
	switch age := time.Duration(c.FeedAge) * time.Millisecond; {
	case c.Node == "":
		feed = "There is no other node to hear of."
	case age > time.Second:
		feed += " Read " + age.Round(100*time.Millisecond).String() + " ago."
	case age > 0:
		feed += " Read " + age.String() + " ago."
	}
	limits := "Count under limits and quotas."
	if c.Limits.Kind == "redis" {
		limits += " While Redis is away each node admits its share of every limit."
	}
	out := []shownPart{
		{c.Store, "Store", "Keeps keys and accounts. Without it nothing is decided."},
		{c.Keyring, "Keyring", "Opens sealed secrets. Without it keys that sign are not decided on."},
		{c.Feed, "Change feed", feed},
		{c.Nonces, "Nonces", "Remember what was presented once. Without them requests that are signed with a nonce are refused."},
		{c.Limits, "Limits", limits},
	}
	if c.Rules != nil {
		out = append(out, shownPart{*c.Rules, "Rules file", "Says what the routes behind the gates demand. A file that cannot be read leaves the rules as they were."})
	}
	return out
}

// shownNode is a process with what pages say of it.
type shownNode struct{ api.Node }

// Badge is whether it was heard of.
func (n *shownNode) Badge() badge {
	if n.Silent > 0 {
		return badge{"bad", "silent for " + waiting(time.Duration(n.Silent)*time.Millisecond)}
	}
	return badge{"good", "ok"}
}

// LeaseText is for how long it answers from what it has read.
func (n *shownNode) LeaseText() string {
	if n.Lease == 0 {
		return "none: it reads the database each time"
	}
	return (time.Duration(n.Lease) * time.Millisecond).String()
}

// shownRingKey is a key of the keyring with what pages say of it.
type shownRingKey struct{ api.KeyringKey }

// Purpose is what a key of its kind is for.
func (k *shownRingKey) Purpose() string {
	switch k.Kind {
	case "kek":
		return "seals secrets"
	case "pepper":
		return "goes into digests"
	}
	return "the server derives others from it"
}

// Refers is what refers to it.
func (k *shownRingKey) Refers() string {
	switch k.Kind {
	case "kek":
		return plural(k.DataKeys, "data key") + ", " + plural(k.Records, "secret")
	case "pepper":
		return plural(k.Records, "digest")
	}
	return ""
}

func (v *visit) showSystem() error { return v.systemPage(http.StatusOK, "") }

func (v *visit) systemPage(status int, problem string) (err error) {
	page := systemPage{
		Version: v.Version, Mail: v.MailServer, Schemes: v.Schemes, Problem: problem,
		Whole: v.account.Role == roleSuperadmin && v.account.Tenant == gatehouse.DefaultTenant,
	}
	if page.Self, err = v.api.Self(v.r.Context()); err != nil {
		return err
	}
	if page.Whole { // to ask for others would be written down as denied
		err = v.wholeSystem(&page)
	}
	if err != nil {
		return err
	}
	return v.show(status, "operate-system.html", "System", &page)
}

// roleSuperadmin is the role whose bearers manage what concerns all tenants.
const roleSuperadmin = "superadmin"

// wholeSystem completes the page with what concerns all tenants. What the API does not have
// stays empty.
func (v *visit) wholeSystem(page *systemPage) error {
	ctx := v.r.Context()
	c, err := v.api.Cluster(ctx)
	switch {
	case err == nil:
		page.Parts, page.Me = shownParts(&c), c.Node
		for i := range c.Nodes {
			page.Nodes = append(page.Nodes, shownNode{c.Nodes[i]})
		}
	case !isStatus(err, http.StatusNotFound):
		return err
	}
	ring, err := v.api.Keyring(ctx)
	page.NoRing = isStatus(err, http.StatusServiceUnavailable)
	if err != nil && !page.NoRing && !isStatus(err, http.StatusNotFound) {
		return err
	}
	page.Damaged, page.Rewrap = ring.Unreadable, ring.Rewrap
	for i := range ring.Keys {
		page.Ring = append(page.Ring, shownRingKey{ring.Keys[i]})
	}
	keys, err := v.api.SigningKeys(ctx)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	page.Keys = keys.Keys
	return nil
}

func (v *visit) rotateSigning() error {
	_, err := v.api.RotateSigningKeys(v.r.Context())
	if isStatus(err, http.StatusConflict) {
		return v.systemPage(http.StatusConflict, "Nothing is to be rotated now: the next keys are published already, or the keys come from the configuration.")
	}
	if status, text := v.refusal(err); text != "" {
		return v.systemPage(status, text)
	}
	if err != nil {
		return err
	}
	return v.to("/operate/system", "signing-rotated")
}
