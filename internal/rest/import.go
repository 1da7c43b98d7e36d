// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) importOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/import", ID: "importKeys", Tag: "keys", Summary: "Take over keys of another system", Status: http.StatusOK,
			Text:   "All of them, or none where one is refused; each one's answer tells. Doing it again changes nothing.",
			limits: large, Scope: gatehouse.ScopeKeysImport, Everyone: true, Repeat: repeatAnswer,
		}, h.importKeys),
	}
}

type importedOut struct{ Body api.Imported }

// importKeys takes over foreign keys. It is tried first: an import with one that is refused
// makes no owner either. Then owners are made, one by one: one without keys, of an import that
// failed between, harms nobody, and the next try finds it.
func (h *Handler) importKeys(ctx context.Context, c *caller, in *struct{ Body api.Import }) (*importedOut, error) {
	try := in.Body
	try.DryRun = true
	out, err := h.adopt(ctx, c, &try)
	if err == nil && !in.Body.DryRun && !slices.ContainsFunc(out.Keys, func(k api.ImportedKey) bool { return k.Outcome == "refused" }) {
		out, err = h.adopt(ctx, c, &in.Body)
	}
	if err != nil {
		return nil, err
	}
	c.nothing = !out.Written // then the ids are what the caller sent, unchecked
	return &importedOut{Body: *out}, nil
}

func (h *Handler) adopt(ctx context.Context, c *caller, in *api.Import) (*api.Imported, error) {
	if len(in.Keys) > gatehouse.MaxAdopt || len(in.Owners) > gatehouse.MaxAdopt {
		return nil, &gatehouse.InvalidError{Field: "keys", Problem: "more than 1000 at once"}
	}
	out := &api.Imported{Keys: []api.ImportedKey{}}
	ids, problems := map[string]string{}, map[string]string{}
	for i := range in.Owners {
		o := &in.Owners[i]
		if slices.ContainsFunc(in.Owners[:i], func(other api.ImportOwner) bool { return strings.EqualFold(other.Email, o.Email) }) {
			problems[o.Email] = "owner: another has the same address"
			continue
		}
		id, err := h.owner(ctx, c, in, o, out)
		var invalid *gatehouse.InvalidError
		switch {
		case errors.As(err, &invalid):
			problems[o.Email] = "owner: " + invalid.Error()
		case err != nil:
			return nil, err
		default:
			ids[o.Email] = id
		}
	}
	foreign := make([]gatehouse.Foreign, 0, len(in.Keys))
	for i := range in.Keys {
		f, problem := foreignKey(in, &in.Keys[i], ids, problems)
		if problem != "" {
			out.Keys = append(out.Keys, api.ImportedKey{ID: in.Keys[i].ID, Outcome: "refused", Problem: problem})
			continue
		}
		out.Keys = append(out.Keys, api.ImportedKey{ID: f.ID})
		foreign = append(foreign, f)
	}
	dry := in.DryRun || len(foreign) < len(in.Keys)
	answers, written, err := h.c.Authority.Adopt(ctx, c.actor, foreign, dry)
	if err != nil {
		return nil, err
	}
	out.Written = written
	for i := range out.Keys {
		if out.Keys[i].Outcome != "" {
			continue
		}
		out.Keys[i].Outcome, out.Keys[i].Problem = answers[0].Outcome.String(), answers[0].Problem
		answers = answers[1:]
	}
	return out, nil
}

// foreignKey is one key of an import as the ground takes it, or what is wrong with it.
func foreignKey(in *api.Import, k *api.ImportKey, ids, problems map[string]string) (gatehouse.Foreign, string) {
	if p := problems[k.Owner]; p != "" {
		return gatehouse.Foreign{}, p
	}
	id, ok := ids[k.Owner]
	if !ok {
		return gatehouse.Foreign{}, "owner: is none of the import's owners"
	}
	scopes, err := gatehouse.ParseScopes(k.Scopes)
	if err != nil {
		return gatehouse.Foreign{}, err.Error()
	}
	unused, err := seconds("unused_s", k.Unused)
	if err != nil {
		return gatehouse.Foreign{}, err.Error()
	}
	expires, err := timeIn("expires", k.Expires)
	if err != nil {
		return gatehouse.Foreign{}, err.Error()
	}
	var created, used time.Time // in another system, the year 1 may stand for never
	set(&created, k.Created)
	set(&used, k.LastUsed)
	return gatehouse.Foreign{
		ID: k.ID, Principal: id, Scheme: in.Scheme, Name: k.Name, Prefix: k.Prefix, Scopes: scopes,
		Secret: gatehouse.NewSecret(k.Secret), Hash: k.Hash, HashName: k.HashName,
		Created: created, LastUsed: used, Expires: expires, Unused: unused,
	}, ""
}

func set(to, from *time.Time) {
	if from != nil {
		*to = *from
	}
}

// importLabel is the private label of an account that an import has made. Its value is the
// origin.
const importLabel = "import"

// ordinaryRole is the role of accounts that keys may be imported for.
const ordinaryRole = "member"

// owner finds the account of an owner or makes it. In a dry run the id of one that is yet
// to be made is empty. Whose keys they become must not hang on who registered an address
// here, so an account that no import has made is taken only where the operator says so.
func (h *Handler) owner(ctx context.Context, c *caller, in *api.Import, o *api.ImportOwner, out *api.Imported) (id string, err error) {
	a, err := c.find(ctx, o.Email)
	if err == nil {
		// Whatever it was when its import made it.
		if a.Role != ordinaryRole || c.mayTouch(ctx, &a) != nil {
			out.Existing = append(out.Existing, o.Email)
			return "", &gatehouse.InvalidError{Field: "account", Problem: "there is one with a role of its own"}
		}
		if label := labelOf(&a); label == originOf(o) || o.Origin == "" && label == byAddress+strings.ToLower(a.Email) {
			if gatehouse.PrincipalState(o.State) == gatehouse.PrincipalBanned && a.State.MayAct() {
				return "", &gatehouse.InvalidError{Field: "account", Problem: "may act here, and the owner was banned since"}
			}
			return a.ID, nil
		}
		out.Existing = append(out.Existing, o.Email)
		return a.ID, mayTake(in, o, &a)
	}
	if !errors.Is(err, gatehouse.ErrNotFound) {
		return "", err
	}
	if err := account.CheckEmail(o.Email); err != nil {
		return "", err
	}
	if o.State != "" && !account.IsState(gatehouse.PrincipalState(o.State)) {
		return "", &gatehouse.InvalidError{Field: "state", Problem: "is none"}
	}
	out.Owners = append(out.Owners, o.Email)
	if in.DryRun {
		return "", nil
	}
	n := account.NewAccount{Email: o.Email, Username: o.Username, State: gatehouse.PrincipalState(o.State)}
	if n.State == "" {
		n.State = gatehouse.PrincipalActive
	}
	now := time.Now().UTC()
	n.Labels = []account.Label{{Key: importLabel, Value: originOf(o), Scope: account.LabelPrivate, Created: now, Updated: now}}
	a, err = c.makeOwner(ctx, n)
	return a.ID, err
}

// mayTake refuses an account that is there already, where its keys are not to be had.
func mayTake(in *api.Import, o *api.ImportOwner, a *account.Account) error {
	problem := ""
	switch state := gatehouse.PrincipalState(o.State); {
	case labelOf(a) != "" && !strings.HasPrefix(labelOf(a), byAddress):
		problem = "the account was made for another owner's import"
	case !in.ExistingOwners:
		problem = "there is one already, and existing owners are not allowed"
	case o.State != "" && !state.MayAct() && a.State.MayAct():
		problem = "there is one that may act, and the owner may not"
	default:
		return nil
	}
	return &gatehouse.InvalidError{Field: "account", Problem: problem}
}

// originOf names an owner in the other system: by its address where the import has no better
// name, so that a second import finds what the first one made.
func originOf(o *api.ImportOwner) string {
	if o.Origin != "" {
		return o.Origin
	}
	return byAddress + strings.ToLower(o.Email)
}

// byAddress begins the origin of an owner that an import named by nothing but the address.
// Such an account is no other owner's: it can be taken where the operator says so.
const byAddress = "email:"

// labelOf is the origin of the import that made the account; empty: none did.
func labelOf(a *account.Account) string {
	for _, l := range a.Labels {
		if l.Key == importLabel && l.Scope == account.LabelPrivate {
			return l.Value
		}
	}
	return ""
}

// makeOwner makes an account, without the username where that is what is wrong.
func (c *caller) makeOwner(ctx context.Context, n account.NewAccount) (account.Account, error) {
	a, err := c.directory.CreateAccount(ctx, c.actor, n)
	var invalid *gatehouse.InvalidError
	var taken *account.TakenError
	badName := errors.As(err, &invalid) && invalid.Field == "username" || errors.As(err, &taken) && taken.Field == "username"
	if n.Username == "" || !badName {
		return a, err
	}
	n.Username = ""
	return c.directory.CreateAccount(ctx, c.actor, n)
}
