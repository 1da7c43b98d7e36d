// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command service is a model of a service behind Gatehouse. It believes one thing only:
// the JWT that the gate put into the Authorization header. It answers every request
// with whom that JWT is about.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "address to listen on")
	jwks := flag.String("jwks", "http://127.0.0.1:8080/.well-known/jwks.json", "URL of Gatehouse's signing keys")
	audience := flag.String("audience", "peatio", "name of this service, one of those in the JWT")
	server := flag.String("server", "", "URL of Gatehouse, to hear at once of who may no longer; GATEHOUSE_TOKEN is of a key with the scope revocations:read")
	flag.Parse()
	holds, err := follow(*server, gatehouse.NewSecret(os.Getenv("GATEHOUSE_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", ln.Addr())
	v := &verifier{keys: &keySet{url: *jwks, now: time.Now}, audience: *audience, holds: holds, now: time.Now}
	s := &http.Server{Handler: whoami(v), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	log.Fatal(s.Serve(ln))
}

// follow returns what says whether a JWT was revoked; nothing is, where no server is named:
// JWTs end by themselves.
func follow(server string, token gatehouse.Secret) (func(client.Issued) error, error) {
	if server == "" {
		return func(client.Issued) error { return nil }, nil
	}
	c, err := client.New(client.Options{Server: server, Token: token})
	if err != nil {
		return nil, err
	}
	return c.FollowRevocations(client.RevocationsOptions{Failed: func(err error) { log.Print(err) }}).Check, nil
}

// whoami answers with the caller that the JWT names: 401 where it does not hold, 503
// where nobody can tell.
func whoami(v *verifier) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := v.caller(r.Header.Values("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		switch {
		case errors.Is(err, errToken):
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			log.Print(err)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_ = json.NewEncoder(w).Encode(who) // the client is gone: nobody is left to tell
		}
	}
}
