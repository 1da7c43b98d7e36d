// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client"
)

// visit is one request to the console.
type visit struct {
	*Console
	w       http.ResponseWriter
	r       *http.Request
	id      gatehouse.Secret // of the session
	session account.Session
	account *account.Account // nil: nobody is signed in
	api     *client.Client   // the native API, as the account; nil with account
	asked   []question       // answers of the API that are on their way to the browser
	place   string           // of the page in the navigation; empty: its path
	shown   bool             // a page was written to a browser that is there
}

// The names of our cookie: browsers keep the first only where it came encrypted, for this host
// alone.
const (
	cookieSecure = "__Host-gatehouse"
	cookiePlain  = "gatehouse"
)

// Cookies are the names of the console's cookies, which nobody else may see.
func Cookies() []string { return []string{cookieSecure, cookiePlain} }

// visit serves a route: it finds out who asks, refuses who may not, and shows what went wrong.
func (c *Console) visit(w http.ResponseWriter, r *http.Request, rt *route) {
	v := &visit{Console: c, w: w, r: r}
	hygiene(w)
	if to := v.withoutSecrets(); to != "" {
		_ = v.to(to, "") // before anything else, such as a way to the sign-in, repeats them
		return
	}
	defer v.settle(false)
	err := v.enter(rt)
	if err == nil {
		err = rt.serve(v)
	}
	v.settle(err == nil && v.shown)
	if err != nil {
		v.fail(err)
	}
}

// Errors of enter.
var (
	errElsewhere = errors.New("a form of another site")
	errStale     = errors.New("a form of another session")
	errForm      = errors.New("the form cannot be read, or is too large")
)

func (v *visit) enter(rt *route) error {
	if err := v.origins.Check(v.r); err != nil {
		return errElsewhere
	}
	if err := v.r.ParseForm(); err != nil {
		return errForm
	}
	if err := v.recognise(); err != nil && !errors.Is(err, account.ErrNoSession) {
		return err
	}
	switch {
	case rt.need == anyone:
		return nil
	case v.account == nil:
		return account.ErrNoSession
	case rt.need == operator && !v.operates():
		return gatehouse.ErrForbidden
	case v.changes() && subtle.ConstantTimeCompare([]byte(v.r.PostFormValue("csrf")), []byte(v.session.CSRF)) != 1:
		return errStale
	}
	return nil
}

// changes reports whether the request may change something.
func (v *visit) changes() bool { return v.r.Method != http.MethodGet && v.r.Method != http.MethodHead }

// operates reports whether the account manages the records of others.
func (v *visit) operates() bool { return v.account != nil && manages(v.account.Role) }

// manages reports whether accounts of a role manage the records of others.
func manages(role string) bool { return role == "admin" || role == roleSuperadmin }

// actor is the account, or nobody, as the directory writes it down.
func (v *visit) actor() gatehouse.Actor {
	a := gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: v.Tenant, Address: v.Proxies.Peer(v.r), UserAgent: v.r.UserAgent()}
	if v.account != nil {
		a.Kind, a.ID, a.Tenant, a.Everyone, a.Role = gatehouse.ActorAccount, v.account.ID, v.account.Tenant, v.operates(), v.account.Role
	}
	return a
}

// recognise finds the session of the cookie. account.ErrNoSession.
func (v *visit) recognise() error {
	name := v.cookieName()
	cookies := v.r.CookiesNamed(name)
	if len(cookies) != 1 {
		return account.ErrNoSession
	}
	id := gatehouse.NewSecret(cookies[0].Value)
	s, a, err := v.Directory.FindSession(v.r.Context(), id)
	if err != nil {
		return err
	}
	actor := v.actor()
	actor.Kind, actor.ID, actor.Tenant = gatehouse.ActorAccount, a.ID, a.Tenant
	if s, err = v.Directory.CheckSession(v.r.Context(), actor, id, s); errors.Is(err, account.ErrSessionMismatch) {
		return account.ErrNoSession
	} else if err != nil {
		return err
	}
	if !a.State.MayAct() {
		return account.ErrNoSession
	}
	v.id, v.session, v.account = id, s, &a
	v.api, err = v.inside()
	return err
}

func (v *visit) cookieName() string {
	if v.Proxies.Secure(v.r) {
		return cookieSecure
	}
	return cookiePlain
}

// remember gives the browser a session; the zero Secret takes it away.
func (v *visit) remember(id gatehouse.Secret) {
	c := &http.Cookie{Name: v.cookieName(), Value: id.Reveal(), Path: "/", HttpOnly: true, Secure: v.Proxies.Secure(v.r), SameSite: http.SameSiteLaxMode}
	if id.Empty() {
		c.MaxAge = -1
	}
	http.SetCookie(v.w, c)
}

// to leads the browser to a page of ours, where done names what has been done (see notices);
// empty: nothing is said.
func (v *visit) to(path, done string) error {
	if done != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "done=" + url.QueryEscape(done)
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// fail shows what went wrong. Where nobody is signed in it leads to where one can.
func (v *visit) fail(err error) {
	status, title, text := v.explain(err)
	if status == http.StatusUnauthorized && v.account == nil {
		next := "?done=session-over"
		if v.r.Method == http.MethodGet {
			next = "?next=" + url.QueryEscape(v.r.URL.RequestURI())
		}
		if v.r.Header.Get("HX-Request") != "" { // for a part of a page, in whose place this would stand
			v.w.Header().Set("HX-Redirect", "/sign-in"+next)
			v.w.WriteHeader(status)
			return
		}
		http.Redirect(v.w, v.r, "/sign-in"+next, http.StatusSeeOther)
		return
	}
	switch {
	case status == http.StatusServiceUnavailable:
		v.Log.WarnContext(v.r.Context(), "page not served", "page", v.r.Pattern, "error", err)
	case status >= http.StatusInternalServerError:
		v.Log.ErrorContext(v.r.Context(), "page not served", "page", v.r.Pattern, "error", err)
	}
	if status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "1")
	}
	v.retryAfter(err)
	if err := v.show(status, "problem.html", title, problem{Status: status, Title: title, Text: text}); err != nil {
		v.Log.ErrorContext(v.r.Context(), "page not written", "error", err)
	}
}

// problem is a page that says what went wrong.
type problem struct {
	Status      int
	Title, Text string
}

// explain turns an error into a status, a title and a sentence for the reader.
func (v *visit) explain(err error) (status int, title, text string) {
	if e, ok := errors.AsType[*client.Error](err); ok {
		switch {
		case e.Status == http.StatusNotFound:
			return e.Status, "Not found", "There is no such thing here, or it is not yours to see."
		case e.Status == http.StatusForbidden:
			return e.Status, "Not allowed", "Your account may not do this."
		case e.Status < http.StatusInternalServerError:
			return e.Status, "That did not work", wrong(err)
		}
	}
	switch {
	case errors.Is(err, account.ErrNoSession):
		return http.StatusUnauthorized, "Signed out", "You are signed out."
	case errors.Is(err, errElsewhere), errors.Is(err, errStale):
		return http.StatusForbidden, "This form is out of date", "It was opened in another session or on another site. Go back, load the page again, and repeat what you did."
	case errors.Is(err, errForm):
		return http.StatusUnprocessableEntity, "That did not work", "The form cannot be read, or is too large."
	case errors.Is(err, gatehouse.ErrForbidden):
		return http.StatusForbidden, "Not allowed", "Your account may not see this page."
	case errors.Is(err, gatehouse.ErrNotFound):
		return http.StatusNotFound, "Not found", "There is no such thing here, or it is not yours to see."
	case errors.Is(err, gatehouse.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), isStatus(err, http.StatusServiceUnavailable):
		return http.StatusServiceUnavailable, "Try again", "A part that is needed does not answer. Nothing was changed that you were not told of."
	}
	return http.StatusInternalServerError, "Something is wrong here", "The server's log says what."
}
