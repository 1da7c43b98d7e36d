// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/httpsig"
)

// bodies are what clients send. Every byte there is, in each.
func bodies() map[string]ask {
	binary := make([]byte, 100<<10)
	_, _ = rand.Read(binary) // it does not fail
	for i := range 256 {
		binary[i] = byte(i)
	}
	full := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	return map[string]ask{
		"none":           {method: "POST"},
		"empty":          {method: "POST", body: []byte{}},
		"empty, chunked": {method: "POST", body: []byte{}, chunked: true},
		"small":          {body: []byte(`{"amount":1}`)},
		"chunked":        {body: []byte(`{"amount":1}`), chunked: true},
		"binary":         {body: binary},
		"binary chunks":  {body: binary, chunked: true},
		"of the limit":   {body: full},
		"of a GET":       {method: "GET", body: []byte("x")},
	}
}

// The service gets the bytes that the client sent. What a proof says of them depends on
// whether the check has them.
func TestNginxBodies(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour, s *site) {
		for name, a := range bodies() {
			for _, way := range []string{"bearer", "shield", "httpsig"} {
				t.Run(name+"/"+way, func(t *testing.T) {
					a.way = way
					checkBody(t, f, s, a)
				})
			}
		}
	})
}

func checkBody(t *testing.T, f flavour, s *site, a ask) {
	t.Helper()
	r := s.send(t, a)
	known := f.bodies || len(a.body) == 0 && !a.chunked
	if a.way == "shield" && !known {
		denied(t, r, http.StatusForbidden, "body_unavailable")
		return
	}
	proof := "unavailable"
	switch {
	case a.way != "bearer" && known:
		proof = "verified"
	case a.way == "httpsig":
		proof = "deferred"
	}
	got := s.granted(t, r, a.way, proof)
	if !bytes.Equal(got.Body, a.body) {
		t.Errorf("the service was sent %d bytes, which are not the client's %d", len(got.Body), len(a.body))
	}
	if a.way == "httpsig" {
		digest := strings.Trim(strings.TrimPrefix(httpsig.ContentDigest(a.body), "sha-256="), ":")
		c, _ := json.Marshal(claims(t, got.Header.Get("Authorization"))["cdig"]) // it was JSON a moment ago
		if !strings.Contains(string(c), digest) {
			t.Errorf("the JWT's claim cdig is %s, want the digest %s", c, digest)
		}
	}
}

// A body that is not the one that was signed reaches the service only where it is the
// service that compares.
func TestNginxChangedBody(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour, s *site) {
		for _, way := range []string{"shield", "httpsig", "ed25519"} {
			for _, chunked := range []bool{false, true} {
				r := s.request(t, ask{way: way, body: []byte(`{"amount":1}`), chunked: chunked})
				r.Body = io.NopCloser(strings.NewReader(`{"amount":9}`))
				got := s.do(t, s.client, r)
				switch {
				case f.bodies:
					denied(t, got, 401, "invalid_credential")
				case way == "shield":
					denied(t, got, 403, "body_unavailable")
				default:
					s.granted(t, got, way, "deferred")
				}
			}
		}
	})
}

// HTTP/2 does not say that there is no body, so a proof over none does not pass where the
// check has no bodies.
func TestNginxHTTP2(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	for name, f := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := startService(t)
			s := newSite(t, h, service, startNginx(t, f, service, []string{h.gate}, "listen 127.0.0.1:8000", "listen {{.Listen}} http2"))
			s.client.Protocols = new(http.Protocols)
			s.client.Protocols.SetUnencryptedHTTP2(true)
			if name == "lua" { // refuses everybody, as its file says
				denied(t, s.send(t, ask{way: "bearer"}), 503, "unavailable")
				return
			}
			s.granted(t, s.send(t, ask{way: "bearer"}), "bearer", "unavailable")
			for _, a := range []ask{{way: "shield"}, {way: "shield", body: []byte("x")}, {way: "shield", body: []byte("x"), chunked: true}} {
				if r := s.send(t, a); f.bodies {
					s.granted(t, r, "shield", "verified")
				} else {
					denied(t, r, 403, "body_unavailable")
				}
			}
			r := s.send(t, ask{way: "httpsig", body: []byte("x"), chunked: true})
			if got := s.granted(t, r, "httpsig", map[bool]string{true: "verified", false: "deferred"}[f.bodies]); string(got.Body) != "x" {
				t.Errorf("the service was sent %q", got.Body)
			}
		})
	}
}

// Signatures of libraries that are not ours pass, with the fields that they choose to cover.
func TestNginxOtherSigners(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	for name, f := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := startService(t)
			// The signers sign for the address that they connect to.
			s := newSite(t, h, service, startNginx(t, f, service, []string{h.gate}, "server_name api.example.com", "server_name 127.0.0.1"))
			s.trySigners(t, map[bool]string{true: "verified", false: "deferred"}[f.bodies])
		})
	}
}

// A signature may cover any field: the check has them all, as they came.
func TestNginxCoveredFields(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour, s *site) {
		k := s.house.keys["httpsig"]
		mac, err := httpsig.HMACKey([]byte(k.Secret))
		if err != nil {
			t.Fatal(err)
		}
		fields := []string{"content-type", "date", "cookie", "user-agent", "accept", "accept-encoding", "x-anything", "x-forwarded-for"}
		for _, row := range map[string]struct {
			more  []string
			grant bool
		}{
			"any":            {nil, true},
			"content-length": {[]string{"content-length"}, f.bodies}, // auth_request announces no body, and so no length
		} {
			r := s.request(t, ask{body: []byte(`{"amount":1}`), header: []string{
				"Content-Type", "application/json", "Date", "Sun, 22 Nov 2026 11:00:00 GMT", "Cookie", "a=1; b=2", "User-Agent", "test/1", "Accept", "*/*",
				"Accept-Encoding", "identity", "X-Anything", "a", "X-Anything", "b", "X-Forwarded-For", "192.0.2.1", "Content-Length", "12",
			}})
			signer := httpsig.Signer{KeyID: k.ID, Key: mac, Components: slices.Concat(
				[]string{"@method", "@authority", "@path", "@query", "content-digest"}, fields, row.more)}
			if err := signer.SignRequest(r, []byte(`{"amount":1}`)); err != nil {
				t.Fatal(err)
			}
			switch got := s.do(t, s.client, r); {
			case !row.grant:
				denied(t, got, 401, "malformed_credential")
			case f.bodies:
				s.granted(t, got, "httpsig", "verified")
			default:
				s.granted(t, got, "httpsig", "deferred")
			}
		}
	})
}
