// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The reference page is made once, of the same document that is served as OpenAPI. It
// needs nobody else's host, and no script.

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS []byte

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// docsView is what the page shows.
type docsView struct {
	Title, Text string
	Groups      []docsGroup
	Schemas     []docsSchema
}

type docsGroup struct {
	Name, Text string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Scope string
	Text                             []string // paragraphs
	Parameters                       []docsField
	Body                             docsType
	BodyRequired                     bool
	Answers                          []docsAnswer
}

type docsAnswer struct {
	Status, Text string
	Type         docsType
}

type docsField struct {
	Name, In, Text string
	Required       bool
	Type           docsType
}

// docsType is a type in words, with a link where it has a name of ours.
type docsType struct{ Text, Link string }

type docsSchema struct {
	Name   string
	Fields []docsField
}

// reference is the page of the API.
func (h *Handler) reference() ([]byte, error) {
	doc := h.api.OpenAPI()
	v := docsView{Title: doc.Info.Title, Text: doc.Info.Description}
	for _, tag := range doc.Tags {
		g := docsGroup{Name: tag.Name, Text: tag.Description}
		for i := range h.mounted {
			if m := &h.mounted[i]; m.Tag == tag.Name {
				g.Operations = append(g.Operations, docsOf(m))
			}
		}
		if len(g.Operations) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		v.Schemas = append(v.Schemas, docsSchema{name, fieldsOf(schemas[name])})
	}
	var out bytes.Buffer
	if err := docsPage.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("make reference page: %w", err)
	}
	return out.Bytes(), nil
}

func docsOf(m *mounted) docsOperation {
	o := docsOperation{
		ID: m.ID, Method: m.Method, Path: m.Path, Summary: m.Summary, Scope: string(m.Scope), Text: strings.Split(strings.ReplaceAll(m.op.Description, "`", ""), "\n\n"),
	}
	for _, p := range m.op.Parameters {
		o.Parameters = append(o.Parameters, docsField{p.Name, p.In, textOf(p.Description, p.Schema), p.Required, typeOf(p.Schema)})
	}
	if body := m.op.RequestBody; body != nil {
		o.Body, o.BodyRequired = contentType(body.Content), body.Required
	}
	for _, status := range slices.Sorted(maps.Keys(m.op.Responses)) {
		r := m.op.Responses[status]
		o.Answers = append(o.Answers, docsAnswer{status, r.Description, contentType(r.Content)})
	}
	return o
}

func contentType(content map[string]*huma.MediaType) docsType {
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		return typeOf(content[kind].Schema)
	}
	return docsType{}
}

func fieldsOf(s *huma.Schema) []docsField {
	var out []docsField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, docsField{Name: name, Text: textOf(p.Description, p), Required: slices.Contains(s.Required, name), Type: typeOf(p)})
	}
	return out
}

// textOf is a description with the values that are allowed.
func textOf(text string, s *huma.Schema) string {
	if s == nil {
		return text
	}
	if s.Type == huma.TypeArray && s.Items != nil {
		s = s.Items
	}
	var values []string
	for _, v := range s.Enum {
		values = append(values, fmt.Sprint(v))
	}
	if len(values) == 0 || strings.Contains(text, values[0]) {
		return text
	}
	one := "one of " + strings.Join(values, ", ")
	if text == "" {
		return one
	}
	return text + "; " + one
}

func typeOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{}
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return docsType{name, name}
	case s.Type == huma.TypeArray:
		of := typeOf(s.Items)
		return docsType{"list of " + of.Text, of.Link}
	case s.Type == huma.TypeObject:
		if of, ok := s.AdditionalProperties.(*huma.Schema); ok {
			return docsType{"object of " + typeOf(of).Text, typeOf(of).Link}
		}
		return docsType{Text: "object"}
	case s.Format == "date-time":
		return docsType{Text: "time"}
	case s.ContentEncoding != "":
		return docsType{Text: s.ContentEncoding}
	case s.Type == "":
		return docsType{Text: "any"}
	}
	return docsType{Text: s.Type}
}

// pageOut is a file for browsers.
type pageOut struct {
	ContentType string `header:"Content-Type"`
	Policy      string `header:"Content-Security-Policy"`
	Referrer    string `header:"Referrer-Policy"`
	Body        []byte
}

func (h *Handler) docsOperations() []operation {
	file := func(path, id, summary, kind string, body func() []byte) operation {
		return does(route{
			Method: http.MethodGet, Path: path, ID: id, Tag: "reference", Summary: summary, Status: http.StatusOK, limits: small, Public: true, Kind: kind,
		}, func(context.Context, *caller, *struct{}) (*pageOut, error) {
			return &pageOut{
				ContentType: kind, Policy: "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
				Referrer: "no-referrer", Body: body(),
			}, nil
		})
	}
	return []operation{
		file("/v1/openapi.json", "getOpenAPI", "The OpenAPI document of this API", "application/openapi+json", func() []byte { return h.spec }),
		file("/v1/docs", "getReference", "This page", "text/html; charset=utf-8", func() []byte { return h.page }),
		file("/v1/docs/style.css", "getReferenceStyle", "How this page looks", "text/css; charset=utf-8", func() []byte { return docsCSS }),
	}
}
