// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

const (
	rootAPI      = "/api/v2/barong"
	rootGate     = "/api/v2/auth"
	rootInternal = "/api/v2/" // where Barong itself listens for what clients know as rootAPI

	bodyLimit = 64 << 10
	noBody    = -1 // the body is not read
	timeout   = 10 * time.Second
)

// auth says who may call a route. The zero value is invalid and lets nobody in.
type auth uint8

const (
	_      auth = iota
	open        // anyone, within restrictions and block rules
	holder      // the holder of an account, by a bearer of ours or as the gate judges
	judged      // the route is the gate itself
)

// route is one way in. A zero limit is a mistake that a test finds.
type route struct {
	method  string // "*": any
	path    string // below /api/v2; ":name" stands for one segment, "*" for the rest
	limit   int64  // bytes of body; noBody: not read
	timeout time.Duration
	auth    auth
	params  []param
	serve   func(*Door, context.Context, *call) (answer, error)
}

// call is a request on its way through a handler.
type call struct {
	r       *http.Request
	params  values
	actor   gatehouse.Actor
	account account.Account // with auth holder
}

// table is every route of the door.
func table() []route {
	api := func(method, path string, a auth, serve func(*Door, context.Context, *call) (answer, error), params ...param) route {
		return route{method, "/barong" + path, bodyLimit, timeout, a, params, serve}
	}
	routes := []route{
		{"*", "/auth/*", noBody, timeout, judged, nil, nil},

		api("POST", "/identity/sessions", open, (*Door).signIn, signInParams...),
		api("DELETE", "/identity/sessions", open, (*Door).signOut),
		api("POST", "/identity/users", open, (*Door).register, registerParams...),
		api("POST", "/identity/users/email/generate_code", open, (*Door).mailConfirmation, need(kindUser, "email")),
		api("POST", "/identity/users/email/confirm_code", open, (*Door).confirmEmail, need(kindUser, "token")),
		api("POST", "/identity/users/password/generate_code", open, (*Door).mailReset, need(kindUser, "email")),
		api("POST", "/identity/users/password/confirm_code", open, (*Door).resetPassword, resetParams...),

		api("GET", "/resource/users/me", holder, (*Door).me),
		api("PUT", "/resource/users/me", holder, (*Door).setData, need(kindHolder, "data")),
		api("DELETE", "/resource/users/me", holder, (*Door).deleteMe, need(kindHolder, "password"), filled(kindHolder, "otp_code")),
		api("PUT", "/resource/users/password", holder, (*Door).changePassword,
			need(kindHolder, "old_password"), need(kindHolder, "new_password"), need(kindHolder, "confirm_password")),
		api("GET", "/resource/users/activity/:topic", holder, (*Door).activity, may("topic"), may("time_from"), may("time_to"), may("result"), may("page"), may("limit")),

		api("POST", "/resource/otp/generate_qrcode", holder, (*Door).beginOTP),
		api("POST", "/resource/otp/enable", holder, (*Door).enableOTP, need(kindOTP, "code")),
		api("POST", "/resource/otp/disable", holder, (*Door).disableOTP, need(kindOTP, "code")),
		api("POST", "/resource/otp/verify", holder, (*Door).verifyOTP, need(kindOTP, "code")),

		api("GET", "/resource/api_keys", holder, (*Door).listKeys, may("ordering"), may("order_by"), may("page"), may("limit")),
		api("POST", "/resource/api_keys", holder, (*Door).createKey, createKeyParams...),
		api("PATCH", "/resource/api_keys/:kid", holder, (*Door).updateKey,
			may("kid"), need(kindKey, "totp_code"), filled(kindKey, "scope"), filled(kindKey, "state")),
		api("DELETE", "/resource/api_keys/:kid", holder, (*Door).deleteKey, may("kid"), need(kindKey, "totp_code")),

		api("GET", "/resource/labels", holder, (*Door).listLabels, may("ordering")),
		api("GET", "/resource/labels/:key", holder, (*Door).getLabel, may("key")),
	}
	for _, module := range []string{"identity", "public"} {
		routes = append(routes,
			api("GET", "/"+module+"/ping", open, (*Door).ping),
			api("GET", "/"+module+"/time", open, (*Door).time),
			api("GET", "/"+module+"/version", open, (*Door).version),
			api("GET", "/"+module+"/configs", open, (*Door).configs),
			api("POST", "/"+module+"/password/validate", open, (*Door).validatePassword,
				param{name: "password", required: true, missing: module + ".general.missing_password"}),
		)
	}
	return routes
}

// opensSession reports whether the route answers with a session cookie.
func (r *route) opensSession() bool {
	return r.method == http.MethodPost && slices.Contains([]string{
		"/barong/identity/sessions", "/barong/identity/users", "/barong/identity/users/email/confirm_code",
	}, r.path)
}

// crossSite reports whether a browser says that another site sent the request, and that
// site is not one of the configured origins. Such a page could sign its visitor in to
// an account of its own (login CSRF); SameSite does not keep a cookie from being set.
func (d *Door) crossSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && !slices.Contains(d.c.CORSOrigins, r.Header.Get("Origin"))
}

// modules are the parts of Barong's API that are served here.
var modules = []string{"identity", "public", "resource"}

// external gives a request back the address that its client used, where a gateway has
// rewritten /api/v2/barong/<module>/… to Barong's own /api/v2/<module>/…, or with a
// prefix rule like that of opendax to /api/v2//<module>/…: rules and links speak of
// clients' addresses. Other requests stay as they are.
func external(r *http.Request) *http.Request {
	rest, found := strings.CutPrefix(r.RequestURI, rootInternal)
	rest = strings.TrimPrefix(rest, "/")
	if !found || !slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(rest, m+"/") }) {
		return r
	}
	target := rootAPI + "/" + rest
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return r
	}
	out := *r
	out.RequestURI, out.URL = target, u
	return &out
}

// serve finds the route of a raw target and runs it within its limits.
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	r = external(r)
	path, ok := gate.CanonicalPath(r.RequestURI)
	if raw, _, _ := strings.Cut(r.RequestURI, "?"); gate.UnderPrefix(raw, rootGate) {
		// The gate answers ambiguous targets itself.
		path, ok = rootGate+"/", true
	} else if gate.UnderPrefix(path, rootGate) {
		ok = false // its own path has one spelling: what follows it is cut off by length
	}
	if gate.UnderPrefix(path, rootAPI) && d.cors(w, r) {
		return
	}
	found, inPath, known := d.find(r.Method, path)
	switch {
	case !ok || !known:
		write(w, http.StatusNotFound, contentJSON, struct {
			Error string `json:"error"`
		}{"Route is not found"})
		return
	case found == nil:
		// Barong's library raises here, and Barong answers what it answers to that.
		d.refuse(w, r, contentJSON, refuse(http.StatusInternalServerError, codeInternal))
		return
	}
	if found.opensSession() && d.crossSite(r) {
		d.refuse(w, r, contentJSON, refuse(http.StatusForbidden, "authz.cross_site"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), found.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	if found.auth == judged {
		d.serveGate(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, found.limit)
	// The context does not end a read; writers without a connection have no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(found.timeout))
	a, err := d.run(ctx, r, found, path, inPath)
	if err != nil {
		d.refuse(w, r, contentJSON, err)
		return
	}
	a.write(w)
}

func (d *Door) refuse(w http.ResponseWriter, r *http.Request, contentType string, err error) {
	d.settle(w, r, err).write(w, contentType)
}

// run lets the caller in, reads the parameters, and calls the handler: in this order,
// as Barong does.
func (d *Door) run(ctx context.Context, r *http.Request, found *route, path string, inPath map[string]string) (answer, error) {
	c := &call{r: r}
	said, err := merge(r, inPath) // before anybody is let in: who sends it slowly must not outlive the session
	if err := d.enter(ctx, c, found.auth, path); err != nil {
		return answer{}, err
	}
	long := new(http.MaxBytesError)
	switch {
	case errors.As(err, &long):
		return answer{}, refuse(http.StatusRequestEntityTooLarge, "server.body_too_large")
	case err != nil:
		return answer{}, refuse(http.StatusInternalServerError, codeInternal)
	}
	var codes []string
	if c.params, codes = check(said, found.params); len(codes) > 0 {
		return answer{}, refuse(http.StatusUnprocessableEntity, codes...)
	}
	out, err := found.serve(d, ctx, c)
	refused := new(refusal)
	stopped := errors.Is(err, gatehouse.ErrForbidden) || errors.Is(err, gatehouse.ErrConflict) && !errors.Is(err, account.ErrLastAdministrator)
	if c.actor.Role != "" && stopped && !errors.As(err, &refused) {
		// The account was stopped, or got another role, since it was let in.
		return answer{}, refuse(http.StatusUnauthorized, "authz.user_not_active")
	}
	return out, err
}

// find looks a route up. known is false for a path without routes; the route is nil for
// a known path without this method.
func (d *Door) find(method, path string) (found *route, inPath map[string]string, known bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range d.routes {
		in, ok := match("/api/v2"+d.routes[i].path, path)
		if !ok {
			continue
		}
		known = true
		if m := d.routes[i].method; m == "*" || m == method {
			return &d.routes[i], in, true
		}
	}
	return nil, nil, known
}

// match compares a path with a pattern, segment by segment.
func match(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if last := len(want) - 1; want[last] == "*" && len(have) > last {
		want, have = want[:last], have[:last]
	}
	if len(want) != len(have) {
		return nil, false
	}
	var in map[string]string
	for i, w := range want {
		name, variable := strings.CutPrefix(w, ":")
		switch {
		case variable && have[i] != "":
			in = map[string]string{name: have[i]}
		case w != have[i]:
			return nil, false
		}
	}
	return in, true
}

// cors adds the headers that let a browser's other origins read the answer, and
// answers a preflight. It reports whether the request is answered by that.
func (d *Door) cors(w http.ResponseWriter, r *http.Request) bool {
	h, origin := w.Header(), r.Header.Get("Origin")
	h.Add("Vary", "Origin")
	if origin == "" {
		return false
	}
	asked := r.Header.Get("Access-Control-Request-Method")
	preflight := r.Method == http.MethodOptions && asked != ""
	const methods = "GET, POST, DELETE, PUT, PATCH, OPTIONS, HEAD"
	anyone := slices.Contains(d.c.CORSOrigins, "*")
	if anyone || slices.Contains(d.c.CORSOrigins, origin) {
		if anyone {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Expose-Headers", "")
		h.Set("Access-Control-Max-Age", "3600")
		if want := r.Header.Get("Access-Control-Request-Headers"); preflight && want != "" {
			h.Set("Access-Control-Allow-Headers", want)
		}
	}
	if preflight {
		w.WriteHeader(http.StatusOK)
	}
	return preflight
}
