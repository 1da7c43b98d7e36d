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
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "address to listen on")
	jwks := flag.String("jwks", "http://127.0.0.1:8080/.well-known/jwks.json", "URL of Gatehouse's signing keys")
	audience := flag.String("audience", "peatio", "name of this service, one of those in the JWT")
	flag.Parse()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", ln.Addr())
	v := &verifier{keys: &keySet{url: *jwks, now: time.Now}, audience: *audience, now: time.Now}
	s := &http.Server{Handler: whoami(v), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	log.Fatal(s.Serve(ln))
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
