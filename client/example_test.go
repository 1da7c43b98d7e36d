// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gate"
)

// A service that is far from the authority protects itself with the authority's word.
func ExampleVerifier() {
	c, err := client.New(client.Options{
		Server: "https://keys.example.com",
		Token:  gatehouse.NewSecret(os.Getenv("GATEHOUSE_TOKEN")), // of a key with the scope keys:verify
	})
	if err != nil {
		log.Fatal(err)
	}
	g, err := gate.New(client.NewVerifier(c, client.VerifierOptions{}), gate.Options{})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "hello", gatehouse.FromContext(r.Context()).Key.ID)
	})
	http.Handle("GET /orders", g.Require("orders:read")(orders))
}

// A service that checks JWTs by itself follows what was revoked: a JWT ends with its key,
// within a second.
func ExampleJWTVerifier() {
	c, err := client.New(client.Options{
		Server: "https://keys.example.com",
		Token:  gatehouse.NewSecret(os.Getenv("GATEHOUSE_TOKEN")), // of a service account's key with the scope revocations:read
	})
	if err != nil {
		log.Fatal(err)
	}
	revoked := c.FollowRevocations(client.RevocationsOptions{Failed: func(err error) { log.Print(err) }})
	defer revoked.Close()
	v := client.NewJWTVerifier(client.JWTOptions{
		Issuer: "https://keys.example.com", Audience: "https://orders.example.com", Revocations: revoked,
	})
	g, err := gate.New(client.NewVerifier(c, client.VerifierOptions{JWT: v}), gate.Options{})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "hello", gatehouse.FromContext(r.Context()).Principal.UID)
	})
	http.Handle("GET /orders", g.Require("orders:read")(orders))
}

// Keys that were not used for long are listed page by page.
func ExampleClient_Keys() {
	c := client.Socket("gatehouse-data/admin.sock")
	for k, err := range c.Keys(context.Background(), client.KeyQuery{States: []string{"active"}, Scheme: "bearer"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(k.ID, k.Owner, k.LastUsed)
	}
}
