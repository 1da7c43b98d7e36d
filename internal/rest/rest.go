// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package rest is the native API, /v1. For now it is reached through the admin socket
// only: whoever can open the socket owns the machine and acts as the operator.
package rest

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// Config is what the API stands on. All fields but Keyring and Defaults are required.
type Config struct {
	Authority *gatehouse.Authority
	Directory *account.Directory
	Tenant    string
	Attempts  gatehouse.AttemptStore
	Log       *slog.Logger
	Keyring   Keyring // nil: the API does not show it

	// Defaults complete what is asked of a new key that has this scheme and no other. What
	// is asked explicitly stays.
	Defaults map[string]func(*gatehouse.NewKey)
}

// Handler is the API. Use [New].
type Handler struct {
	authority *gatehouse.Authority
	directory *account.Directory
	tenant    string
	attempts  gatehouse.AttemptStore
	keyring   Keyring
	log       *slog.Logger
	defaults  map[string]func(*gatehouse.NewKey)
}

// New makes the API.
func New(c Config) *Handler {
	return &Handler{
		authority: c.Authority, directory: c.Directory, tenant: c.Tenant, attempts: c.Attempts, keyring: c.Keyring, log: c.Log, defaults: c.Defaults,
	}
}

const (
	maxBody = 64 << 10
	timeout = 15 * time.Second

	maxImport     = 8 << 20 // 500 keys with all their fields
	importTimeout = time.Minute
)

// Routes returns the routes for the admin socket.
func (h *Handler) Routes() []gate.Route {
	var routes []gate.Route
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /v1/keys":                     h.createKey,
		"GET /v1/keys":                      h.listKeys,
		"GET /v1/keys/{kid}":                h.showKey,
		"POST /v1/keys/{kid}/disable":       h.onKey(h.authority.Disable),
		"POST /v1/keys/{kid}/enable":        h.onKey(h.authority.Enable),
		"POST /v1/keys/{kid}/revoke":        h.onKey(h.authority.Revoke),
		"POST /v1/keys/revoke":              h.revokeKeys,
		"POST /v1/verify":                   h.verify,
		"POST /v1/accounts":                 h.createAccount,
		"GET /v1/accounts":                  h.listAccounts,
		"GET /v1/attempts":                  h.listAttempts,
		"GET /v1/accounts/{ref}":            h.showAccount,
		"POST /v1/accounts/{ref}/state":     h.setState,
		"POST /v1/accounts/{ref}/reset-otp": h.resetOTP,
	} {
		routes = append(routes, gate.Route{Pattern: pattern, MaxBody: maxBody, Timeout: timeout, Handler: handler})
	}
	routes = append(routes, gate.Route{Pattern: "POST /v1/import", MaxBody: maxImport, Timeout: importTimeout, Handler: h.importKeys})
	return append(routes, h.keyringRoutes()...)
}

// operator is the actor behind the admin socket.
func (h *Handler) operator(r *http.Request) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: h.tenant, UserAgent: r.UserAgent()}
}
