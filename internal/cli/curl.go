// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed14544106/gatehouse/client/sign"
)

// requestFlags describe a request as curl does.
type requestFlags struct {
	signFlags
	Method    string   `name:"request" short:"X" help:"Method. Default: GET, with --body POST." placeholder:"METHOD"`
	Header    []string `short:"H" sep:"none" help:"A header field, \"Name: value\". May be repeated." placeholder:"LINE"`
	Body      *string  `short:"d" help:"Body, sent as it is; @FILE reads it from a file, @- from standard input." placeholder:"DATA"`
	PlainHTTP bool     `name:"plain-http" help:"Allow http:// beyond this machine."`
	URL       string   `arg:"" help:"Where the request goes."`
}

// request is the request, unsigned, and what signs it for its origin and sends it.
func (f *requestFlags) request(ctx context.Context, e *env, o sign.Options) (*http.Request, *sign.Transport, error) {
	if e.data != e.variable("GATEHOUSE_DATA") {
		return nil, nil, usageError{errors.New("--data is the directory of a server's data, which no request needs; the body is --body (-d)")}
	}
	u, err := url.Parse(f.URL)
	if err != nil || u.Host == "" || u.User != nil {
		// It may hold a password, and is not repeated.
		return nil, nil, usageError{errors.New("the URL is not of the form https://host/path, without a user")}
	}
	method, body, err := f.readBody(e)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, f.URL, body)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if err := f.addHeader(req.Header); err != nil {
		return nil, nil, err
	}
	s, err := f.scheme(e)
	if err != nil {
		return nil, nil, err
	}
	t, err := sign.New(u.Scheme+"://"+u.Host, s, o)
	switch {
	case errors.Is(err, sign.ErrPlainHTTP):
		return nil, nil, usageError{fmt.Errorf("%w; --plain-http allows it", err)}
	case err != nil:
		return nil, nil, usageError{err}
	}
	return req, t, nil
}

// readBody reads the body; nil: there is none.
func (f *requestFlags) readBody(e *env) (method string, body io.Reader, err error) {
	method = f.Method
	if f.Body == nil {
		return method, nil, nil
	}
	if method == "" {
		method = http.MethodPost
	}
	path, isFile := strings.CutPrefix(*f.Body, "@")
	if !isFile {
		return method, strings.NewReader(*f.Body), nil
	}
	from := e.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", nil, fmt.Errorf("read body: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	b, err := io.ReadAll(io.LimitReader(from, sign.DefaultMaxBody+1))
	if err != nil {
		return "", nil, fmt.Errorf("read body: %w", err)
	}
	if len(b) > sign.DefaultMaxBody {
		return "", nil, sign.ErrBodyTooLong
	}
	return method, bytes.NewReader(b), nil
}

// ownFields are what the schemes write themselves, and what the URL says.
var ownFields = []string{
	"Authorization", "Proxy-Authorization", "X-Api-Key", "X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature",
	"Signature", "Signature-Input", "Content-Digest", "Host",
}

// addHeader adds the fields of the command line. A credential among them is wrong use,
// and is not repeated.
func (f *requestFlags) addHeader(h http.Header) error {
	for _, line := range f.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\"(),/;<=>?@[\\]{}") || strings.ContainsFunc(line, unicode.IsControl) {
			return usageError{errors.New(`a --header is not of the form "Name: value"`)}
		}
		if name = http.CanonicalHeaderKey(name); slices.Contains(ownFields, name) {
			return usageError{fmt.Errorf("--header %s: the scheme or the URL decides it, and a credential does not belong on a command line (see --key)", name)}
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return nil
}

type signCommand struct{ requestFlags }

// Run prints the header of the signed request, in the form that curl -H @- takes.
func (c *signCommand) Run(e *env) error {
	req, t, err := c.request(e.ctx, e, sign.Options{PlainHTTP: c.PlainHTTP})
	if err != nil {
		return err
	}
	signed, err := t.Sign(req)
	if err != nil {
		return err
	}
	if target := signed.URL.RequestURI(); rawTarget(c.URL) != target {
		return usageError{fmt.Errorf("the signature would be for another spelling of the URL; write %s://%s%s", signed.URL.Scheme, signed.URL.Host, target)}
	}
	for _, name := range slices.Sorted(maps.Keys(signed.Header)) {
		for _, value := range signed.Header[name] {
			if _, err := fmt.Fprintf(e.Out, "%s: %s\n", name, value); err != nil {
				return fmt.Errorf("write output: %w", err)
			}
		}
	}
	return nil
}

// rawTarget is the request target of a URL as it is written, which is what another
// program sends.
func rawTarget(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	rest, _, _ = strings.Cut(rest, "#")
	i := strings.IndexAny(rest, "/?")
	switch {
	case i < 0:
		return "/"
	case rest[i] == '?':
		return "/" + rest[i:]
	}
	return rest[i:]
}

type curlCommand struct {
	requestFlags
	Include bool     `short:"i" help:"Print status line and header of the answer too."`
	Resolve []string `sep:"none" help:"Connect to ADDR in place of what HOST:PORT resolves to, to try a server under another's name. May be repeated." placeholder:"HOST:PORT:ADDR"`
	MaxTime float64  `help:"How long it may take in all. Default: ${default}." placeholder:"SECONDS" default:"60"`
}

// Run signs the request, sends it and prints the answer. It follows no redirect.
func (c *curlCommand) Run(e *env) error {
	if c.MaxTime <= 0 || c.MaxTime > 1e6 {
		return usageError{errors.New("--max-time is a number of seconds above 0")}
	}
	ctx, cancel := context.WithTimeout(e.ctx, time.Duration(c.MaxTime*float64(time.Second)))
	defer cancel()
	o, err := c.options()
	if err != nil {
		return err
	}
	req, t, err := c.request(ctx, e, o)
	if err != nil {
		return err
	}
	if c.Body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if c.Include {
		if _, err := fmt.Fprintf(e.Out, "%s %s\r\n", resp.Proto, resp.Status); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		if err := resp.Header.Write(e.Out); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		_, _ = fmt.Fprint(e.Out, "\r\n")
	}
	if _, err := io.Copy(e.Out, resp.Body); err != nil {
		return fmt.Errorf("copy answer: %w", err)
	}
	return e.status(resp)
}

// status turns the status of an answer into an exit code: below 400 done, 401 and 403
// denied, else failed.
func (e *env) status(resp *http.Response) error {
	err := fmt.Errorf("the answer is %s", resp.Status)
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return nil
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		e.complain(err)
		return errDenied
	}
	return err
}
