// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/gate"
)

// Rules say which paths the gate lets pass, and for whom. Paths are the client's own,
// with or without the slash in front; a rule holds for its path and what lies below it,
// by whole segments. A nil list takes the one of [DefaultRules]; an empty one holds
// nothing.
type Rules struct {
	Pass         []string // 200 without a look at credentials
	Block        []string // refused for everyone
	Permissions  []Permission
	Restrictions []Restriction
}

// Restriction refuses or spares clients by their address.
type Restriction struct {
	Category string // whitelist, maintenance, blacklist or blocklogin
	Scope    string // all, ip or ip_subnet
	Value    string // an address or a network; not read with scope all
	Code     int    // HTTP status; zero: 471 for maintenance, 403 for a subnet, else 401
}

var (
	// The orders in which categories, and within one the scopes, are looked at.
	categories = []string{"whitelist", "maintenance", "blacklist", "blocklogin"}
	scopes     = []string{"all", "ip", "ip_subnet"}
)

const (
	pathSignIn        = "/api/v2/barong/identity/sessions"
	codeDenied        = "authz.permission_denied"
	statusMaintenance = 471 // Barong's own
)

// rules are Rules, read. Paths are canonical.
type rules struct {
	pass, block  []string
	permissions  map[string][]permission // by role
	restrictions []restriction           // in the order in which they count
}

type restriction struct {
	category, scope string
	network         netip.Prefix // invalid with scope all
	code            int
}

// compile checks the rules. Its errors name the first that cannot be used.
func (r Rules) compile() (rules, error) {
	def := DefaultRules()
	out := rules{permissions: map[string][]permission{}}
	var err error
	if out.pass, err = canonical(orDefault(r.Pass, def.Pass)); err != nil {
		return rules{}, fmt.Errorf("pass rule %w", err)
	}
	if out.block, err = canonical(orDefault(r.Block, def.Block)); err != nil {
		return rules{}, fmt.Errorf("block rule %w", err)
	}
	for i, p := range orDefault(r.Permissions, def.Permissions) {
		compiled, err := p.compile()
		if err != nil {
			return rules{}, fmt.Errorf("permission %d: %w", i+1, err)
		}
		out.permissions[p.Role] = append(out.permissions[p.Role], compiled)
	}
	for i, x := range r.Restrictions {
		compiled, err := x.compile()
		if err != nil {
			return rules{}, fmt.Errorf("restriction %d: %w", i+1, err)
		}
		out.restrictions = append(out.restrictions, compiled)
	}
	slices.SortStableFunc(out.restrictions, func(a, b restriction) int {
		return cmp.Or(
			cmp.Compare(slices.Index(categories, a.category), slices.Index(categories, b.category)),
			cmp.Compare(slices.Index(scopes, a.scope), slices.Index(scopes, b.scope)))
	})
	return out, nil
}

func orDefault[T any](list, def []T) []T {
	if list == nil {
		return def
	}
	return list
}

func canonical(paths []string) ([]string, error) {
	out := make([]string, len(paths))
	for i, p := range paths {
		var ok bool
		if out[i], ok = canonicalRule(p); !ok {
			return nil, fmt.Errorf("%d: the path can be read in two ways", i+1)
		}
	}
	return out, nil
}

// canonicalRule reads a rule's path, which may lack the slash in front and have one at
// the end.
func canonicalRule(path string) (string, bool) {
	return gate.CanonicalPath("/" + strings.TrimPrefix(path, "/"))
}

func (x Restriction) compile() (restriction, error) {
	out := restriction{category: strings.ToLower(x.Category), scope: strings.ToLower(x.Scope), code: x.Code}
	var err error
	switch {
	case !slices.Contains(categories, out.category):
		err = fmt.Errorf("the category is none of %s", strings.Join(categories, ", "))
	case out.scope == "country" || out.scope == "continent":
		err = fmt.Errorf("the scope %s needs a database of places, which is not part of this door: use ip or ip_subnet", out.scope)
	case !slices.Contains(scopes, out.scope):
		err = fmt.Errorf("the scope is none of %s", strings.Join(scopes, ", "))
	case x.Code != 0 && (x.Code < 400 || x.Code > 599):
		err = fmt.Errorf("the code %d is no status of a refusal", x.Code)
	case out.scope == "ip":
		var a netip.Addr
		if a, err = netip.ParseAddr(x.Value); err == nil {
			a = a.Unmap()
			out.network = netip.PrefixFrom(a, a.BitLen())
		}
	case out.scope == "ip_subnet":
		out.network, err = netip.ParsePrefix(x.Value)
		switch {
		case err != nil:
		case out.network.Addr().Is4In6():
			// Addresses are compared unmapped: such a network would hold none.
			err = errors.New("an IPv4 network is written as IPv4")
		default:
			out.network = out.network.Masked()
		}
	}
	if err != nil {
		return restriction{}, err
	}
	switch {
	case out.code != 0:
	case out.category == "maintenance":
		out.code = statusMaintenance
	case out.scope == "ip_subnet":
		out.code = http.StatusForbidden
	default:
		out.code = http.StatusUnauthorized
	}
	return out, nil
}

// screen refuses what no credential can make good: a restricted client, a blocked path.
// An empty path is one that could not be read.
func (rs *rules) screen(path string, peer netip.Addr) error {
	if err := rs.restrict(path, peer); err != nil {
		return err
	}
	if path == "" || under(path, rs.block) {
		return refuse(http.StatusUnauthorized, codeDenied)
	}
	return nil
}

func (rs *rules) restrict(path string, peer netip.Addr) error {
	for _, x := range rs.restrictions {
		switch {
		case x.scope != "all" && !x.network.Contains(peer) && (peer.IsValid() || x.category == "whitelist"):
			// A client whose address cannot be read may be the one that is meant.
		case x.category == "whitelist":
			return nil
		case x.category != "blocklogin" || path == pathSignIn:
			return refuse(x.code, "authz.restrict."+x.category)
		}
	}
	return nil
}

func (rs *rules) passes(path string) bool { return under(path, rs.pass) }

func under(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return gate.UnderPrefix(path, p) })
}
