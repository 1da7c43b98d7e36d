// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// schema is what tests read of a JSON schema.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]schema
	Items      *schema
	Additional any `json:"additionalProperties"`
}

// document is what tests read of the OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		Parameters  []struct{ Name, In string }
		RequestBody struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

func (h *house) document() (d document) {
	h.t.Helper()
	if err := json.Unmarshal(h.reading("/v1/openapi.json").Body.Bytes(), &d); err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (d *document) resolve(s schema) schema {
	if s.Ref != "" {
		return d.Components.Schemas[path.Base(s.Ref)]
	}
	return s
}

// Whatever is wrong with a request, its problem and the log repeat nothing of it.
func TestProblemsEchoNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, k := h.keyOf("", "root@example.com", "superadmin", manageAll()...)
	d := h.document()
	parameter := regexp.MustCompile(`\{\w+\}`)
	try := func(line, body string, fields ...string) {
		for name, got := range map[string]reply{"key": h.call(k.Token, line, body, fields...), "socket": h.sendWith(line, body, fields...)} {
			if got.status >= 400 && strings.Contains(got.body, marker) || got.status >= 500 {
				t.Errorf("%s, %s %s: %d %s", name, line, body, got.status, got.body)
			}
		}
	}
	for p, item := range d.Paths {
		for method, op := range item {
			line := strings.ToUpper(method) + " " + parameter.ReplaceAllString(p, marker)
			if strings.HasSuffix(p, "/self/revoke") || strings.HasPrefix(p, "/v1/docs") || strings.HasPrefix(p, "/v1/openapi") {
				continue
			}
			try(line, "")
			try(line+"?"+marker+"="+marker, "{}")
			for _, in := range op.Parameters {
				switch in.In {
				case "query":
					try(line+"?"+url.Values{in.Name: {marker}}.Encode(), "")
				case "header":
					try(line, "{}", in.Name+": "+marker+"\xff")
				}
			}
			for _, body := range op.RequestBody.Content {
				try(line, marker)
				try(line, `{"`+marker+`":1}`)
				try(line, `{"`+marker+`.name":{"`+marker+`":1}}`)
				for name := range d.resolve(body.Schema).Properties {
					for _, value := range []string{`"` + marker + `"`, `["` + marker + `"]`, `{"` + marker + `":"` + marker + `"}`, `[{"` + marker + `":"` + marker + `"}]`} {
						try(line, `{"`+name+`":`+value+`}`)
					}
				}
			}
		}
	}
	if strings.Contains(h.log.String(), marker) {
		t.Errorf("the log repeats input: %s", h.log)
	}
}

// No object of a request takes members that it does not name.
func TestUnknownMembersAreRefused(t *testing.T) {
	t.Parallel()
	d := open(t).document()
	seen := map[string]bool{}
	var walk func(where string, s schema)
	walk = func(where string, s schema) {
		if s.Ref != "" {
			if seen[s.Ref] {
				return
			}
			seen[s.Ref] = true
			where, s = s.Ref, d.resolve(s)
			if s.Additional != false {
				t.Errorf("%s takes unknown members", where)
			}
		}
		for name, p := range s.Properties {
			walk(where+"."+name, p)
		}
		if s.Items != nil {
			walk(where+"[]", *s.Items)
		}
	}
	for p, item := range d.Paths {
		for method, op := range item {
			for _, body := range op.RequestBody.Content {
				if body.Schema.Ref == "" {
					t.Errorf("%s %s: its body has no name", method, p)
				}
				walk(p, body.Schema)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d objects were seen", len(seen))
	}
}
