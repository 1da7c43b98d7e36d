// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// The roles whose bearers manage the records of others.
const (
	roleAdmin      = "admin"
	roleSuperadmin = "superadmin"
)

// manages reports whether bearers of a role manage the records of others.
func manages(role string) bool { return role == roleAdmin || role == roleSuperadmin }

// caller is who calls, in the tenant that it acts in.
type caller struct {
	actor     gatehouse.Actor
	directory *account.Directory  // of the tenant
	role      string              // of the account behind a key or a session; empty: the operator
	decision  *gatehouse.Decision // that let a key in; nil: no key
	account   *account.Account    // that a session is of; nil: no session

	repeated bool // the verb found that its change was made before
	nothing  bool // the verb changed nothing: its answer, which may hold input, is not kept
}

type callerKey struct{}

// callerOf is the caller of a request; on public routes one that may nothing.
func callerOf(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{}
}

func (c *caller) in(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

// operator reports whether the caller came through the admin socket.
func (c *caller) operator() bool { return c.actor.Kind == gatehouse.ActorOperator }

// superadmin reports whether the caller may do what only the operator and
// superadministrators may.
func (c *caller) superadmin() bool { return c.operator() || c.role == roleSuperadmin }

// everyone reports whether the caller manages the records of others in its tenant.
func (c *caller) everyone() bool { return c.operator() || c.actor.Everyone }

// service reports whether the caller is a service account.
func (c *caller) service() bool {
	return c.decision != nil && c.decision.Principal.Kind == gatehouse.PrincipalService
}

// principal is the id of the account that the caller speaks for; empty: the operator.
func (c *caller) principal() string {
	switch {
	case c.decision != nil:
		return c.decision.Principal.ID
	case c.account != nil:
		return c.account.ID
	}
	return ""
}

// TenantField is the header field by which a caller at the admin socket names the tenant it
// acts in; absent: the default one. Elsewhere the tenant is the credential's.
const TenantField = "Gatehouse-Tenant"

// bySocket lets the operator in: whoever can open the socket owns the machine.
func (h *Handler) bySocket(rt *route, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tenant, err := h.tenantOf(r, rt)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		c := &caller{
			actor:     gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: tenant, UserAgent: r.UserAgent()},
			directory: h.c.Directory.In(tenant),
		}
		h.admit(w, r, rt, c, next)
	}
}

// tenantOf reads the tenant that the operator names. Of a removed one the audit log is left.
func (h *Handler) tenantOf(r *http.Request, rt *route) (string, error) {
	name := r.Header.Get(TenantField)
	if name == "" || name == gatehouse.DefaultTenant {
		return gatehouse.DefaultTenant, nil
	}
	none := &refusal{Status: http.StatusNotFound, Code: "not_found", Title: "There is no such record", Field: "tenant"}
	if h.c.Tenants == nil || gatehouse.CheckTenantName(name) != nil {
		return "", none
	}
	t, err := h.c.Tenants.Tenant(r.Context(), name)
	if errors.Is(err, gatehouse.ErrNotFound) || err == nil && t.State == gatehouse.TenantRemoved && rt.Scope != gatehouse.ScopeAuditRead {
		return "", none
	}
	return name, err
}

// byCredential lets a key in that the authority grants, or the holder of a session. What
// is presented with the request itself counts before a session, which browsers send along
// by themselves.
func (h *Handler) byCredential(rt *route, next http.HandlerFunc) http.HandlerFunc {
	if rt.Public {
		return next
	}
	var need []gatehouse.Scope
	if rt.Scope != "" {
		need = append(need, rt.Scope)
	}
	byKey := h.gate.Require(need...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.admit(w, r, rt, h.keyCaller(r, gatehouse.FromContext(r.Context())), next)
	}))
	return func(w http.ResponseWriter, r *http.Request) {
		if h.c.Sessions != nil && !h.gate.Presents(r) {
			a, err := h.c.Sessions(r)
			switch {
			case err == nil:
				h.admit(w, r, rt, h.sessionCaller(r, &a), next)
				return
			case !errors.Is(err, account.ErrNoSession) && !errors.Is(err, account.ErrSessionMismatch) && !errors.Is(err, account.ErrInactive):
				h.fail(w, r, err)
				return
			}
		}
		byKey.ServeHTTP(w, r)
	}
}

// keyCaller is a caller with a key. Its tenant is the key's.
func (h *Handler) keyCaller(r *http.Request, d *gatehouse.Decision) *caller {
	return &caller{
		actor: gatehouse.Actor{
			Kind: gatehouse.ActorKey, ID: d.Key.ID, Tenant: d.Key.Tenant, Via: d.Key, Material: d.Material, Everyone: manages(d.Principal.Role), Role: d.Principal.Role,
			Address: h.c.Proxies.Peer(r), UserAgent: r.UserAgent(),
		},
		directory: h.c.Directory.In(d.Key.Tenant), role: d.Principal.Role, decision: d,
	}
}

func (h *Handler) sessionCaller(r *http.Request, a *account.Account) *caller {
	return &caller{
		actor: gatehouse.Actor{
			Kind: gatehouse.ActorAccount, ID: a.ID, Tenant: a.Tenant, Everyone: manages(a.Role), Role: a.Role,
			Address: h.c.Proxies.Peer(r), UserAgent: r.UserAgent(),
		},
		directory: h.c.Directory.In(a.Tenant), role: a.Role, account: a,
	}
}

// CodeField is the header field with a code of the second factor. A session whose holder has
// one needs it for every request that may change something, as at Barong's door: who stole
// the session alone makes no key.
const CodeField = "Gatehouse-Code"

// stepUp proves the second factor of a session's holder where the request needs it. It spends
// the code.
func (c *caller) stepUp(r *http.Request, rt *route) error {
	if rt.Method == http.MethodGet || rt.Reads || c.account == nil || !c.account.OTP {
		return nil
	}
	codes := r.Header.Values(CodeField)
	if len(codes) != 1 {
		return account.ErrCodeMissing
	}
	return c.directory.VerifyStepUp(r.Context(), c.actor, c.account.ID, codes[0])
}

// admit lets a caller take a route that is for it, and writes down who tries another.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, rt *route, c *caller, next http.HandlerFunc) {
	if no := rt.forbids(c); no != nil {
		h.recordDenied(r.Context(), rt, c, no.Code)
		h.fail(w, r, no)
		return
	}
	err := h.slowly(r, rt, c)
	if err == nil {
		err = c.stepUp(r, rt)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	next(w, c.in(r))
}

// forbids is why a route is not for a caller; nil: it is.
func (rt *route) forbids(c *caller) *refusal {
	no := &refusal{Status: http.StatusForbidden, Code: "forbidden", Title: "The caller may not do this"}
	switch {
	case c.decision != nil && rt.Scope != "" && !c.decision.Key.Scopes.Holds(rt.Scope):
		no.Code, no.Title = gatehouse.ReasonInsufficientScope.Code(), "insufficient scope"
		no.Detail = "it takes the scope " + string(rt.Scope) + ", by name: the wildcard does not hold for management"
	case rt.Everyone && !c.everyone() && !(rt.Services && c.service()):
		no.Detail = "it takes the role admin or superadmin"
		if rt.Services {
			no.Detail = "it takes a service account, or the role admin or superadmin"
		}
	case rt.DefaultTenantOnly && c.actor.Tenant != gatehouse.DefaultTenant:
		no.Detail = "it is done in the default tenant"
	case rt.DefaultTenantOnly && !c.superadmin():
		no.Detail = "it takes the role superadmin"
	default:
		return nil
	}
	return no
}
