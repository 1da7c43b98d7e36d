// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import "strings"

// Wanted is one member of an Accept-Signature field (RFC 9421 section 5.1): a signature
// that a verifier asks for.
type Wanted struct {
	Label      string
	Components []string // as in Signer.Components
	Created    bool     // the signature should tell when it was made
	Expires    bool     // the signature should tell when it is over
	KeyID      string   // the key to use; this and the rest: empty if the verifier does not mind
	Alg        string
	Nonce      string // the very nonce to use
	Tag        string
}

// AcceptSignature returns the Accept-Signature field that asks for what the policy
// demands of a message with such a body. The label must be a key of a structured field,
// such as "sig1". The field cannot ask for a nonce of the signer's own choice.
func (p *Policy) AcceptSignature(label string, body Body) string {
	l := innerList{params: []param{{"created", item{kind: kindBoolean, num: 1}}}}
	for _, name := range DefaultComponents(body) {
		l.items = append(l.items, component{name: name})
	}
	if p.Tag != "" {
		l.params = append(l.params, param{"tag", item{kind: kindString, text: p.Tag}})
	}
	return string(appendList([]byte(label+"="), &l))
}

// ParseAcceptSignature reads the lines of an Accept-Signature field. An unknown
// parameter is malformed: who does not know what is asked cannot give it. Error:
// [ErrMalformed].
func ParseAcceptSignature(lines []string) ([]Wanted, error) {
	members, err := parseDictionary("Accept-Signature", lines, (*parser).innerList)
	if err != nil {
		return nil, err
	}
	all := make([]Wanted, len(members))
	for i := range members {
		w := &all[i]
		w.Label = members[i].label
		for j := range members[i].value.items {
			c := &members[i].value.items[j]
			if !isFieldName(strings.TrimPrefix(c.name, "@")) {
				return nil, malformed("Accept-Signature", "not the name of a component")
			}
			w.Components = append(w.Components, c.String())
		}
		for _, p := range members[i].value.params {
			if !w.read(&p) {
				return nil, malformed("Accept-Signature", "parameter of a signature")
			}
		}
	}
	return all, nil
}

func (w *Wanted) read(p *param) bool {
	flag := p.value.kind == kindBoolean
	text := p.value.kind == kindString && len(p.value.text) <= maxText
	switch p.key {
	case "created":
		w.Created = p.value.num == 1
		return flag
	case "expires":
		w.Expires = p.value.num == 1
		return flag
	case "keyid":
		w.KeyID = p.value.text
	case "alg":
		w.Alg = p.value.text
	case "nonce":
		w.Nonce = p.value.text
	case "tag":
		w.Tag = p.value.text
	default:
		return false
	}
	return text
}

// String returns the identifier as Signer.Components takes it: the name without quotes,
// and the parameters.
func (c *component) String() string {
	return c.name + string(appendParams(nil, c.params))
}

// parseComponent is the inverse of component.String.
func parseComponent(s string) (component, bool) {
	name, rest := s, ""
	if i := strings.IndexByte(s, ';'); i >= 0 {
		name, rest = s[:i], s[i:]
	}
	p := parser{s: `"` + name + `"` + rest}
	c, ok := p.component()
	return c, ok && p.i == len(p.s)
}
