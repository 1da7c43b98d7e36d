// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package console is what people see in a browser. So far it is the page on which
// the first administrator is made.
package console

import (
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

//go:embed setup.html style.css
var files embed.FS

var setupPage = template.Must(template.ParseFS(files, "setup.html"))

// Console is the pages. Use [New].
type Console struct {
	directory *account.Directory
	tenant    string
	proxies   gate.Proxies
	log       *slog.Logger
}

// New makes the pages.
func New(d *account.Directory, tenant string, p gate.Proxies, log *slog.Logger) *Console {
	return &Console{directory: d, tenant: tenant, proxies: p, log: log}
}

// Routes returns the console's routes.
func (c *Console) Routes() []gate.Route {
	const small, quick = 16 << 10, 15 * time.Second
	return []gate.Route{
		{Pattern: "GET /setup", MaxBody: small, Timeout: quick, Handler: c.showSetup},
		{Pattern: "POST /setup", MaxBody: small, Timeout: quick, Handler: c.setup},
		{Pattern: "GET /assets/style.css", MaxBody: small, Timeout: quick, Handler: c.style},
	}
}

// setupView is what the page shows.
type setupView struct {
	Token   string // goes back with the form
	Email   string
	Problem string
	Done    bool
}

func (c *Console) showSetup(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, http.StatusOK, setupView{Token: r.URL.Query().Get("token")})
}

// setup makes the first administrator, from the form or from a JSON object with the
// same members. The one-time token is the caller's right to it.
func (c *Console) setup(w http.ResponseWriter, r *http.Request) {
	asJSON := false
	var in struct{ Token, Email, Password string }
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		asJSON = true
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			c.result(w, r, asJSON, http.StatusUnprocessableEntity, setupView{Problem: "The body is no JSON object with token, email and password."})
			return
		}
	} else {
		if err := r.ParseForm(); err != nil {
			c.result(w, r, asJSON, http.StatusUnprocessableEntity, setupView{Problem: "The form cannot be read, or is too large."})
			return
		}
		in.Token, in.Email, in.Password = r.PostFormValue("token"), r.PostFormValue("email"), r.PostFormValue("password")
	}
	actor := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: c.tenant, Address: c.proxies.Peer(r), UserAgent: r.UserAgent()}
	_, err := c.directory.Setup(r.Context(), actor, gatehouse.NewSecret(in.Token), account.Registration{Email: in.Email, Password: gatehouse.NewSecret(in.Password)})
	if err != nil {
		status, problem := c.explain(r, err)
		c.result(w, r, asJSON, status, setupView{Token: in.Token, Email: in.Email, Problem: problem})
		return
	}
	c.result(w, r, asJSON, http.StatusCreated, setupView{Email: in.Email, Done: true})
}

// explain turns an error into a status and a sentence for the reader.
func (c *Console) explain(r *http.Request, err error) (int, string) {
	if _, ok := errors.AsType[*account.PasswordError](err); ok {
		return http.StatusUnprocessableEntity, "The password is too weak: it needs at least 8 characters with upper-case and lower-case letters and a digit, and no common word."
	}
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, strings.ToUpper(e.Field[:1]) + e.Field[1:] + ": " + e.Problem + "."
	}
	if errors.Is(err, account.ErrSpent) || errors.Is(err, gatehouse.ErrExists) {
		return http.StatusConflict, "This link has been used or is too old, or a server that started later printed a newer one. Restart a server for a new one, if there is no administrator yet."
	}
	c.log.ErrorContext(r.Context(), "setup failed", "error", err)
	if errors.Is(err, gatehouse.ErrUnavailable) {
		return http.StatusServiceUnavailable, "The server is busy. Try again."
	}
	return http.StatusInternalServerError, "Something is wrong here; the server's log says what."
}

func (c *Console) result(w http.ResponseWriter, r *http.Request, asJSON bool, status int, v setupView) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if !asJSON {
		c.page(w, r, status, v)
		return
	}
	hygiene(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]string{"email": v.Email}
	if v.Problem != "" {
		body = map[string]string{"problem": v.Problem}
	}
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}

func (c *Console) page(w http.ResponseWriter, r *http.Request, status int, v setupView) {
	hygiene(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := setupPage.Execute(w, v); err != nil {
		c.log.WarnContext(r.Context(), "page not written", "page", "setup", "error", err)
	}
}

func (c *Console) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, files, "style.css")
}

// hygiene sets what every page carries: no framing, no scripts, nothing stored, no
// address of ours told to others (the link holds a secret).
func hygiene(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
