// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"text/template"
)

// sample is a ready-made command or program that asks the server who it is, with a new key.
type sample struct {
	ID, Title, Text string
	Hint            string // how to run it
	Open            bool   // it is shown first
}

// sampleFacts are what samples are made of.
type sampleFacts struct {
	Origin            string // of the server, as clients reach it
	ID, Secret, Token string
	Algorithm         string // of a public key; empty: there is a secret
	Scheme            string
}

// URL is what tells a key who it is: it takes a request with any key.
func (f *sampleFacts) URL() string { return f.Origin + "/v1/self" }

// Plain reports whether requests leave the machine without encryption.
func (f *sampleFacts) Plain() bool {
	u, err := url.Parse(f.Origin)
	if err != nil || u.Scheme != "http" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return !strings.EqualFold(u.Hostname(), "localhost") && (err != nil || !addr.Unmap().IsLoopback())
}

var sampleTemplates = sync.OnceValues(func() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"q": quoted, "sh": shellWord}).ParseFS(pageFiles, "pages/samples.tmpl")
})

// quoted is a text as Go, JavaScript and Python read it.
func quoted(text string) (string, error) {
	b, err := json.Marshal(text)
	return string(b), err
}

// shellWord is a text as a shell reads it.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// sampleKinds are the languages of samples, and what their templates end in.
var sampleKinds = []struct{ suffix, title, hint string }{
	{".sh", "curl", "Paste it into a shell."},
	{".go", "Go", "Save it as main.go in a module that has github.com/seed14544106/gatehouse, and go run it."},
	{".mjs", "JavaScript", "Save it as key.mjs, and run it with node 18 or later."},
	{".py", "Python", "Save it as key.py, and run it with python3."},
}

// shellHints say more of samples for a shell, which hold no comments.
var shellHints = map[string]string{
	schemeBarong:  " The nonce is the time in milliseconds and counts once: this sends one request a second at most.",
	schemeShield:  ` What is signed is the body: send it with --data-binary "$BODY" where there is some.`,
	schemeHTTPSig: " It takes the gatehouse command, which signs.",
}

// samplesFor are the samples of each scheme that a key may be presented by. For what is
// imported there may be none.
func samplesFor(schemes []string, f *sampleFacts) (out []sample, err error) {
	all, err := sampleTemplates()
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	for _, scheme := range schemes {
		f.Scheme = scheme
		for _, kind := range sampleKinds {
			name := scheme + kind.suffix
			if kind.suffix == ".go" {
				name = "go"
			}
			if all.Lookup(scheme+".sh") == nil || f.Algorithm != "" && kind.suffix == ".py" {
				continue // the standard library of Python has no such signatures
			}
			var b bytes.Buffer
			if err := all.ExecuteTemplate(&b, name, f); err != nil {
				return nil, fmt.Errorf("write sample %s: %w", name, err)
			}
			s := sample{ID: "sample-" + scheme + strings.TrimPrefix(kind.suffix, "."), Title: kind.title, Text: b.String(), Hint: kind.hint, Open: len(out) == 0}
			if kind.suffix == ".sh" {
				s.Hint += shellHints[scheme]
			}
			if f.Algorithm != "" {
				s.Hint += " Your private key is read from private.pem (PKCS #8), which only you may read."
			}
			if len(schemes) > 1 {
				s.Title += " (" + scheme + ")"
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// origin is where clients reach the gate: what is configured, or what this page came from.
func (v *visit) origin() string {
	switch {
	case v.PublicURL != "":
		return strings.TrimRight(v.PublicURL, "/")
	case v.Proxies.Secure(v.r):
		return "https://" + v.r.Host
	}
	return "http://" + v.r.Host
}
