// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (c *Console) serviceRoutes() []route {
	return []route{
		{pattern: "GET /service-accounts", need: holder, serve: (*visit).showServices},
		{pattern: "GET /service-accounts/new", need: operator, serve: (*visit).showNewService},
		{pattern: "POST /service-accounts", need: operator, serve: (*visit).createService},
		{pattern: "GET /service-accounts/{uid}", need: holder, serve: (*visit).showService},
		{pattern: "POST /service-accounts/{uid}/state", need: operator, serve: (*visit).changeService},
	}
}

var serviceNotices = map[string]string{
	"service-made":     "The service account is made. Make a key for it next.",
	"service-disabled": "The service account is disabled, and so are its keys: they are refused everywhere.",
	"service-enabled":  "The service account is active again. Its keys stay disabled until you enable each.",
}

// kindService is the kind of a service account, as the API calls it.
const kindService = "service"

// shownService is a service account with what pages say of it.
type shownService struct{ api.Account }

// Path is the page of the service account.
func (s *shownService) Path() string { return "/service-accounts/" + url.PathEscape(s.UID) }

// Manages reports whether it manages the records of others: then nobody changes its keys who
// does not.
func (s *shownService) Manages() bool { return manages(s.Role) }

// Active reports whether its keys may be used.
func (s *shownService) Active() bool { return s.State == string(gatehouse.PrincipalActive) }

// Badge is its state.
func (s *shownService) Badge() badge {
	if s.Active() {
		return badge{"good", s.State}
	}
	return badge{"warn", s.State}
}

// servicesPage is a list of service accounts.
type servicesPage struct {
	Services []*shownService
	All      bool // those of everybody
	More     bool // there are more than are shown
}

// servicesShown is how many service accounts the list has at most.
const servicesShown = 100

// showServices lists the service accounts of the reader, or to operators all.
func (v *visit) showServices() error {
	page := servicesPage{All: v.operates() && v.r.URL.Query().Get("of") == "all"}
	owner := v.account.UID
	if page.All {
		owner = ""
	}
	for a, err := range v.api.ServiceAccounts(v.r.Context(), owner) {
		if err != nil {
			return err
		}
		if page.More = len(page.Services) == servicesShown; page.More {
			break
		}
		page.Services = append(page.Services, &shownService{a})
	}
	return v.show(http.StatusOK, "services.html", "Service accounts", page)
}

// newServicePage is the form that makes a service account.
type newServicePage struct {
	Name    string
	Owner   string // e-mail address or uid of whom it belongs to; empty: nobody
	Once    string // of the form as it was sent first; empty: a new one
	Problem string
}

// The names of service accounts. Whoever writes another one keeps the code of the second factor.
var (
	serviceName    = regexp.MustCompile(`^[A-Za-z0-9]{4,12}$`)
	errServiceName = &gatehouse.InvalidError{Field: "name", Problem: "is not 4 to 12 letters or digits, such as nightly"}
)

func (v *visit) showNewService() error {
	owner := cmp.Or(v.r.URL.Query().Get("owner"), v.account.Email)
	return v.show(http.StatusOK, "service-new.html", "New service account", newServicePage{Owner: owner})
}

func (v *visit) createService() error {
	field := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	page := newServicePage{Name: field("name"), Owner: field("owner"), Once: v.r.PostFormValue("once")}
	var made api.Account
	var err error = errServiceName
	if serviceName.MatchString(page.Name) {
		made, err = v.api.CreateServiceAccount(v.r.Context(), api.NewServiceAccount{Name: page.Name, Owner: page.Owner})
	}
	if err == nil {
		return v.to((&shownService{made}).Path(), "service-made")
	}
	status := 0
	if status, page.Problem, err = v.answered(err); err != nil { // the only account that may be missing is the owner
		return err
	}
	return v.show(status, "service-new.html", "New service account", page)
}

// servicePart is a service account, on the page of its keys.
type servicePart struct {
	*shownService
	Of      string // e-mail address of whom it belongs to; empty: nobody
	Once    string // of the form as it was sent first; empty: a new one
	Refused string // what was wrong with the change of its state
}

func (v *visit) showService() error { return v.serviceForm(&servicePart{})(http.StatusOK) }

func (v *visit) serviceForm(part *servicePart) func(int) error {
	return func(status int) error {
		a, err := v.api.Account(v.r.Context(), v.r.PathValue("uid"))
		if err != nil {
			return err
		}
		if a.Kind != kindService {
			return gatehouse.ErrNotFound
		}
		part.shownService = &shownService{a}
		if a.Owner != "" {
			owner, err := v.api.Account(v.r.Context(), a.Owner)
			if err != nil {
				return err
			}
			part.Of = owner.Email
		}
		page, err := v.keysOf(a.UID, part.Path())
		if err != nil {
			return err
		}
		page.Service = part
		return v.show(status, "keys.html", a.Username, page)
	}
}

func (v *visit) changeService() error {
	uid, state, done := v.r.PathValue("uid"), "", ""
	switch v.r.PostFormValue("do") {
	case "disable":
		state, done = string(gatehouse.PrincipalDisabled), "service-disabled"
	case "enable":
		state, done = string(gatehouse.PrincipalActive), "service-enabled"
	default:
		return errForm
	}
	a, err := v.api.SetAccountState(v.r.Context(), uid, state)
	if err == nil {
		return v.to((&shownService{a}).Path(), done)
	}
	part := &servicePart{Once: v.r.PostFormValue("once")}
	return v.refusedOr(err, &part.Refused, v.serviceForm(part))
}
