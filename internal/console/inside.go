// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
)

// codeField is the header field in which the API reads a code of the second factor.
const codeField = "Gatehouse-Code"

// inside makes a client of the API that acts as the session's account: what a page may do is
// what the API lets it.
func (v *visit) inside() (*client.Client, error) {
	return client.New(client.Options{
		Server: "http://localhost", Signer: v, HTTPClient: &http.Client{Transport: passage{v.API, v}},
	})
}

// CoversBody implements [client.Signer].
func (v *visit) CoversBody() bool { return false }

// Sign implements [client.Signer]: it presents the session, and what the form says besides. A
// form that is sent twice has the same key of idempotency twice.
func (v *visit) Sign(r *http.Request, _ []byte) error {
	r.Header.Set("Cookie", v.Cookie+"="+v.id.Reveal())
	r.Header.Set("X-Csrf-Token", v.session.CSRF)
	if v.changes() {
		if code := strings.ReplaceAll(v.r.PostFormValue("code"), " ", ""); code != "" {
			r.Header.Set(codeField, code)
		}
		if once := v.r.PostFormValue("once"); once != "" && r.Header.Get("Idempotency-Key") != "" {
			r.Header.Set("Idempotency-Key", once)
		}
	}
	return nil
}

// ask sends a request to Barong's door, which has registration and mail. The answer is whole.
func (v *visit) ask(method, path, kind, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(v.r.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	return passage{v.Door, v}.RoundTrip(r)
}

// passage is the way to a handler of the same process. The client's address and whether its
// connection was encrypted are those of the browser's request.
//
// A handler that asks whether its answer has arrived, as the API does with a secret, is left in
// the middle of that question, and told by [visit.settle] what became of the page.
type passage struct {
	to http.Handler
	of *visit
}

// RoundTrip implements [http.RoundTripper].
func (p passage) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	of := p.of.r
	in.RequestURI, in.RemoteAddr, in.TLS, in.Host = r.URL.RequestURI(), of.RemoteAddr, of.TLS, of.Host
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "User-Agent"} {
		in.Header[name] = of.Header[name]
		if in.Header[name] == nil {
			delete(in.Header, name)
		}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	arrived, lost := iter.Pull(func(yield func(struct{}) bool) {
		w.wait = yield
		p.to.ServeHTTP(w, in)
	})
	if _, asks := arrived(); asks {
		p.of.asked = append(p.of.asked, question{arrived, lost})
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// question is a handler that waits to hear whether its answer has arrived. It goes on when
// it is told; arrived reports whether it asks again.
type question struct {
	arrived func() (struct{}, bool)
	lost    func()
}

// settle tells the handlers that wait what became of their answers.
func (v *visit) settle(arrived bool) {
	for _, q := range v.asked {
		for again := arrived; again; {
			_, again = q.arrived()
		}
		q.lost()
	}
	v.asked = nil
}

// answer is a response that is kept.
type answer struct {
	header http.Header
	status int
	begun  bool
	body   bytes.Buffer
	wait   func(struct{}) bool // returns whether the page that is made of the answer was written
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if !a.begun && status >= http.StatusOK {
		a.begun, a.status = true, status
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.body.Write(b)
}

var errUnseen = errors.New("the page did not reach the browser")

// FlushError is how an [http.ResponseController] asks whether the answer has arrived. That of a
// failure holds nothing that could be lost, and may be asked for again at once: nobody waits.
func (a *answer) FlushError() error {
	if a.status < http.StatusMultipleChoices && !a.wait(struct{}{}) {
		return errUnseen
	}
	return nil
}

// sessionOf is the id of the session that an answer of the door sets; empty: none.
func (v *visit) sessionOf(resp *http.Response) gatehouse.Secret {
	for _, c := range resp.Cookies() {
		if c.Name == v.Cookie && c.MaxAge >= 0 {
			return gatehouse.NewSecret(c.Value)
		}
	}
	return gatehouse.Secret{}
}
