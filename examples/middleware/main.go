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
	"github.com/seed14544106/gatehouse/scheme/shield"
)

func main() {
	ctx := context.Background()
	house, err := embedded.Open(ctx, "middleware-data", embedded.Options{})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := firstKeys(ctx, house)
	if _, again := errors.AsType[*account.TakenError](err); err != nil && !again {
		log.Fatal(err)
	}
	for _, k := range keys {
		fmt.Printf("A key for %v, shown once: id %s, secret %s, token %s\n", k.Key.Schemes, k.Key.ID, k.Secret.Reveal(), k.Token.Reveal())
	}
	h, err := protected(house)
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{Addr: "127.0.0.1:9000", Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	log.Fatal(s.ListenAndServe())
}

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

// firstKeys makes an account with two keys. One may be presented in three ways; most keys
// should have one. Shield's secret is not shared, because its MAC is over a body that others
// may choose. There is an error where the account exists.
func firstKeys(ctx context.Context, house *embedded.House) (keys []gatehouse.Created, err error) {
	a, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: "first@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		return nil, err
	}
	for _, n := range []gatehouse.NewKey{
		{Principal: a.ID, Schemes: []string{"bearer", "barong", "httpsig"}, Scopes: gatehouse.Scopes{"users-read"}},
		shield.NewKey(a.ID, "as Shield makes them", "users-read"),
	} {
		k, err := house.Authority.Create(ctx, house.Actor(), n)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
