// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Barong merges what a request says from everywhere: the query, over it a form or a
// JSON object in the body, over that the path.

// param is one declared parameter and what is said of it when it is wrong.
type param struct {
	name     string
	required bool
	object   bool   // text or a JSON object, and nothing else
	missing  string // code of a required one that is not there
	empty    string // code of a blank one; empty: blank will do. A missing one gets it as well
	invalid  string // code of what is no text; empty: "invalid"
}

// need declares a parameter that must be there and must not be blank. kind is the
// front of its codes, such as "identity.user".
func need(kind, name string) param {
	return param{name: name, required: true, missing: kind + ".missing_" + name, empty: kind + ".empty_" + name}
}

// may declares a parameter that may be left out, and may be blank.
func may(name string) param { return param{name: name} }

// filled makes a parameter that may be left out, but not be blank.
func filled(kind, name string) param { return param{name: name, empty: kind + ".empty_" + name} }

// values are the parameters of a call, checked.
type values map[string]string

// has reports whether the parameter was sent.
func (v values) has(name string) bool { _, ok := v[name]; return ok }

// errBody is a body that cannot be read as what it says it is.
var errBody = errors.New("malformed body")

// merge collects what a request says. errBody, *http.MaxBytesError.
func merge(r *http.Request, path map[string]string) (map[string]any, error) {
	said := map[string]any{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errBody
	}
	keepLast(said, query)
	if err := mergeBody(said, r); err != nil {
		return nil, err
	}
	for name, value := range path {
		said[name] = value
	}
	return said, nil
}

func mergeBody(said map[string]any, r *http.Request) error {
	kind, attributes, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return nil // Barong reads no body there
	case kind == "multipart/form-data" && attributes["boundary"] != "":
		if err := r.ParseMultipartForm(bodyLimit); err != nil {
			return unreadable(err)
		}
		defer func() { _ = r.MultipartForm.RemoveAll() }() // nothing is on disk below the limit
		keepLast(said, r.MultipartForm.Value)
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err)
	}
	if kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return errBody
		}
		keepLast(said, form)
		return nil
	}
	return mergeJSON(said, body)
}

// mergeJSON reads every other body as JSON, whatever it calls itself. What is no object
// holds no parameters.
func mergeJSON(said map[string]any, body []byte) error {
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil
	}
	var parsed any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&parsed); err != nil {
		return errBody
	}
	if _, err := d.Token(); err != io.EOF {
		return errBody
	}
	object, _ := parsed.(map[string]any)
	for name, value := range object {
		said[name] = value
	}
	return nil
}

// unreadable tells a body that is too long from one that is malformed, and both from a
// client that has gone.
func unreadable(err error) error {
	long := new(http.MaxBytesError)
	if errors.As(err, &long) {
		return long
	}
	return errBody
}

func keepLast(said map[string]any, form map[string][]string) {
	for name, values := range form {
		if len(values) > 0 {
			said[name] = values[len(values)-1]
		}
	}
}

// check reads the declared parameters and returns the codes of all that are wrong, in
// the order of declaration.
func check(said map[string]any, declared []param) (values, []string) {
	v := values{}
	var codes []string
	for _, p := range declared {
		raw, sent := said[p.name]
		if !sent {
			if p.required {
				codes = append(codes, p.missing)
				codes = appendCode(codes, p.empty)
			}
			continue
		}
		text, ok := asText(raw)
		if p.object {
			text, ok = asCaptcha(raw)
		}
		switch {
		case !ok && p.invalid != "":
			codes = append(codes, p.invalid)
		case !ok:
			codes = append(codes, "invalid")
		case strings.TrimSpace(text) == "" && p.empty != "":
			codes = append(codes, p.empty)
		case raw != nil:
			v[p.name] = text
		}
	}
	return v, codes
}

func appendCode(codes []string, code string) []string {
	if code == "" {
		return codes
	}
	return append(codes, code)
}

// asText reads a value as text, as Barong's library coerces it.
func asText(raw any) (string, bool) {
	switch x := raw.(type) {
	case nil:
		return "", true
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}

// asCaptcha reads a captcha's answer, a text or an object. There is no captcha here, so
// it is looked at for its form only.
func asCaptcha(raw any) (string, bool) {
	switch raw.(type) {
	case nil, string, map[string]any:
		return "", true
	}
	return "", false
}
