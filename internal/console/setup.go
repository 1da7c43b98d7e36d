// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func (c *Console) setupRoutes() []route {
	return []route{{pattern: "GET /setup", need: anyone, serve: (*visit).showSetup}, {pattern: "POST /setup", need: anyone, serve: (*visit).setup}}
}

// setupView is what the page shows.
type setupView struct {
	Token   string // goes back with the form
	Email   string
	Policy  string // of passwords, in words
	Problem string
	Weak    bool // the password is what is wrong
	Dead    bool // the token is no good
	Done    bool // the administrator has just been made
	Over    bool // there was one before
}

// showSetup shows the form to who has a good token, while there is no administrator. That there
// is one is no secret: the form says so, too.
func (v *visit) showSetup() error {
	ctx, page := v.r.Context(), setupView{Token: v.r.URL.Query().Get("token")}
	over, err := v.Directory.HasAdministrator(ctx)
	if err != nil {
		return err
	}
	if page.Over = over; over {
		return v.setupPage(http.StatusOK, page)
	}
	err = v.Directory.CheckSetup(ctx, gatehouse.NewSecret(page.Token))
	page.Dead = errors.Is(err, account.ErrSpent)
	switch {
	case err != nil && !page.Dead:
		return err
	case page.Dead && page.Token != "":
		page.Problem = deadSetup
	}
	return v.setupPage(http.StatusOK, page)
}

// deadSetup says what is wrong with a token.
const deadSetup = "This link has been used or is too old, is not whole, or a server that started later printed a newer one."

func (v *visit) setupPage(status int, page setupView) (err error) {
	if page.Policy, err = v.policy(); err != nil {
		return err
	}
	return v.show(status, "setup.html", "First administrator", page)
}

// setup makes the first administrator, from the form or from a JSON object with the
// same members. The one-time token is the caller's right to it.
func (v *visit) setup() error {
	asJSON := false
	var in struct{ Token, Email, Password string }
	if kind, _, _ := mime.ParseMediaType(v.r.Header.Get("Content-Type")); kind == "application/json" {
		asJSON = true
		if err := json.NewDecoder(v.r.Body).Decode(&in); err != nil {
			return v.result(asJSON, http.StatusUnprocessableEntity, setupView{Problem: "The body is no JSON object with token, email and password."})
		}
	} else {
		in.Token, in.Email, in.Password = v.r.PostFormValue("token"), v.r.PostFormValue("email"), v.r.PostFormValue("password")
	}
	actor := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: v.Tenant, Address: v.Proxies.Peer(v.r), UserAgent: v.r.UserAgent()}
	_, err := v.Directory.Setup(v.r.Context(), actor, gatehouse.NewSecret(in.Token), account.Registration{Email: in.Email, Password: gatehouse.NewSecret(in.Password)})
	if err != nil {
		_, weak := errors.AsType[*account.PasswordError](err)
		status, problem := v.explainSetup(err, in.Password)
		page := setupView{Token: in.Token, Email: in.Email, Problem: problem, Weak: weak, Dead: errors.Is(err, account.ErrSpent)}
		if page.Dead && !asJSON {
			page.Problem = deadSetup // the page says the rest
			if page.Over, err = v.Directory.HasAdministrator(v.r.Context()); err != nil {
				return err
			}
		}
		return v.result(asJSON, status, page)
	}
	return v.result(asJSON, http.StatusCreated, setupView{Email: in.Email, Done: true})
}

// explainSetup turns an error into a status and a sentence for the reader.
func (v *visit) explainSetup(err error, password string) (int, string) {
	if weak, ok := errors.AsType[*account.PasswordError](err); ok {
		return http.StatusUnprocessableEntity, v.saidOf(codesOf(weak), password)
	}
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, strings.ToUpper(e.Field[:1]) + e.Field[1:] + ": " + e.Problem + "."
	}
	if errors.Is(err, account.ErrSpent) {
		return http.StatusConflict, deadSetup + " Start the server again for a new one, if there is no administrator yet."
	}
	if errors.Is(err, gatehouse.ErrExists) {
		return http.StatusConflict, "Somebody has registered with this address. Use another one."
	}
	v.Log.ErrorContext(v.r.Context(), "setup failed", "error", err)
	if errors.Is(err, gatehouse.ErrUnavailable) {
		return http.StatusServiceUnavailable, "The server is busy. Try again."
	}
	return http.StatusInternalServerError, "Something is wrong here; the server's log says what."
}

func (v *visit) result(asJSON bool, status int, page setupView) error {
	if status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "1")
	}
	if !asJSON {
		return v.setupPage(status, page)
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	body := map[string]string{"email": page.Email}
	if page.Problem != "" {
		body = map[string]string{"problem": page.Problem}
	}
	_ = json.NewEncoder(v.w).Encode(body) // the client is gone: nobody is left to tell
	return nil
}
