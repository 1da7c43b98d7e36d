// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// form is the parameters of a request, each there once and not empty: one without a value
// counts as left out (RFC 6749 section 3.2).
type form map[string]string

// call is a request whose form was read.
type call struct {
	*http.Request
	raw  []byte
	form form
	peer netip.Addr
}

// read reads the form of a request. A query is refused whole: nothing is read from it, and
// credentials would end up in logs.
func (d *Door) read(r *http.Request) (*call, error) {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return nil, invalidRequest("parameters belong in the body")
	}
	if !isForm(r.Header.Values("Content-Type")) {
		return nil, invalidRequest("the body is not application/x-www-form-urlencoded")
	}
	raw, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, invalidRequest("the body cannot be read")
	}
	f, err := parseForm(string(raw))
	if err != nil {
		return nil, err
	}
	return &call{Request: r, raw: raw, form: f, peer: d.c.Proxies.Peer(r)}, nil
}

func isForm(fields []string) bool {
	if len(fields) != 1 {
		return false
	}
	kind, params, err := mime.ParseMediaType(fields[0])
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return false
	}
	charset, set := params["charset"]
	return !set || strings.EqualFold(charset, "utf-8")
}

// parseForm reads a body. Every parameter that is there twice is refused, unknown ones too
// (RFC 6749 section 3.2). The error is a *failure.
func parseForm(body string) (form, error) {
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, invalidRequest("the body is not readable as a form")
	}
	f := form{}
	for name, v := range values {
		if len(v) > 1 {
			return nil, invalidRequest("a parameter is there twice")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, invalidRequest("a parameter is not UTF-8")
		}
		if v[0] != "" {
			f[name] = v[0]
		}
	}
	return f, nil
}

// pair is a client's credentials, unchecked.
type pair struct {
	id     string
	secret gatehouse.Secret
}

// pair finds the client's credentials in the header or the body. Nil: there are none. The
// error is a *failure.
func (c *call) pair() (*pair, error) {
	auth := c.Header.Values("Authorization")
	id, secret := c.form["client_id"], c.form["client_secret"]
	inBody := id != "" || secret != ""
	switch {
	case len(auth) > 1 || len(auth) == 1 && inBody:
		return nil, invalidRequest("client authentication in more than one way")
	case inBody && (id == "" || secret == ""):
		return nil, errClient
	case inBody:
		return &pair{id, gatehouse.NewSecret(secret)}, nil
	case len(auth) == 1:
		return parseBasic(auth[0])
	}
	return nil, nil
}

// parseBasic reads an Authorization field. Nil: it is of another scheme. Both halves are
// form-encoded (RFC 6749 section 2.3.1). One that is not readable is errClient.
func parseBasic(field string) (*pair, error) {
	name, value, _ := strings.Cut(field, " ")
	if !strings.EqualFold(name, "Basic") {
		return nil, nil
	}
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil || strings.ContainsAny(value, "\r\n") { // which the decoder passes over
		return nil, errClient
	}
	before, after, found := strings.Cut(string(text), ":")
	id, err := url.QueryUnescape(before)
	secret, err2 := url.QueryUnescape(after)
	if !found || err != nil || err2 != nil || id == "" || secret == "" || !utf8.ValidString(id) || !utf8.ValidString(secret) {
		return nil, errClient
	}
	return &pair{id, gatehouse.NewSecret(secret)}, nil
}

// request is the call as the authority sees it.
func (d *Door) request(c *call) gatehouse.Request {
	r := gatehouse.Request{
		Method: c.Method, Scheme: "http", Authority: c.Host, Target: c.RequestURI, Peer: c.peer, Header: gatehouse.Header(c.Header),
		Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: c.raw},
	}
	if d.c.Proxies.Secure(c.Request) {
		r.Scheme = "https"
	}
	if !strings.HasPrefix(r.Target, "/") {
		r.Target = c.URL.RequestURI() // the absolute form (RFC 9112 section 3.2.2), as in origin form
	}
	return r
}
