// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command middleware is a service with an authority inside: no other process, no
// gateway. It prints a key at its first start.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
)

func main() {
	ctx := context.Background()
	house, err := embedded.Open(ctx, "middleware-data", embedded.Options{})
	if err != nil {
		log.Fatal(err)
	}
	key, err := firstKey(ctx, house, gatehouse.NewKey{Schemes: everyScheme, Scopes: gatehouse.Scopes{"users-read"}})
	if _, again := errors.AsType[*account.TakenError](err); err != nil && !again {
		log.Fatal(err)
	} else if !again {
		fmt.Printf("The first key, shown once: id %s, secret %s, token %s\n", key.Key.ID, key.Secret.Reveal(), key.Token.Reveal())
	}
	h, err := protected(house)
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{Addr: "127.0.0.1:9000", Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	log.Fatal(s.ListenAndServe())
}

// everyScheme lets one key be presented in every way; most keys should have one.
var everyScheme = []string{"bearer", "barong", "shield", "httpsig"}

// protected is the service behind its rules. What has no rule is denied.
func protected(house *embedded.House) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user %s, for %s\n", r.PathValue("id"), gatehouse.FromContext(r.Context()).Principal.Email)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") })
	g, err := gate.New(house.Authority, gate.Options{Rules: gate.Rules{
		"GET /api/users/{id}": gate.All("users-read"),
		"PUT /api/users/{id}": gate.All("users-read", "users-write"),
		"GET /health":         gate.Open(),
	}})
	if err != nil {
		return nil, err
	}
	return g.Protect(mux), nil
}

// firstKey makes an account with a key. There is an error where the account exists.
func firstKey(ctx context.Context, house *embedded.House, n gatehouse.NewKey) (gatehouse.Created, error) {
	a, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: "first@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		return gatehouse.Created{}, err
	}
	n.Principal = a.ID
	return house.Authority.Create(ctx, house.Actor(), n)
}
