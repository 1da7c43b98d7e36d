// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed14544106/gatehouse"
)

// Numbers of fields, of the .proto files.
const (
	okHeaders  protowire.Number = 2 // of OkHttpResponse
	okRemove   protowire.Number = 5
	okResponse protowire.Number = 6

	optionHeader protowire.Number = 1 // of HeaderValueOption
	optionAction protowire.Number = 3
	headerKey    protowire.Number = 1 // of HeaderValue
	headerValue  protowire.Number = 2

	structFields protowire.Number = 1 // of Struct: entries of a map
	entryKey     protowire.Number = 1
	entryValue   protowire.Number = 2
	valueString  protowire.Number = 3 // of Value
	valueList    protowire.Number = 6
	listValues   protowire.Number = 1 // of ListValue
)

// wire is a message in the wire format of Protocol Buffers. What lets a request pass is
// written at once: to make it of Go's values and encode those costs more than to decide.
type wire []byte

func (w wire) head(field protowire.Number, size int) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.BytesType), uint64(size))
}

func (w wire) text(field protowire.Number, s string) wire { return append(w.head(field, len(s)), s...) }

// name is the name of a header field, in lower case as Envoy has it.
func (w wire) name(field protowire.Number, s string) wire {
	w = w.head(field, len(s))
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		w = append(w, c)
	}
	return w
}

func (w wire) message(field protowire.Number, m wire) wire {
	return append(w.head(field, len(m)), m...)
}

// usual is how long most parts of an answer are at most.
const usual = 256

// overwrite adds a header field that takes the place of others of its name.
func (w wire) overwrite(field protowire.Number, name, value string) wire {
	header := make(wire, 0, usual).name(headerKey, name).text(headerValue, value)
	option := make(wire, 0, usual).message(optionHeader, header)
	option = protowire.AppendTag(option, optionAction, protowire.VarintType)
	return w.message(field, protowire.AppendVarint(option, uint64(core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)))
}

// entry adds what a google.protobuf.Struct says under a name.
func (w wire) entry(name string, value wire) wire {
	return w.message(structFields, make(wire, 0, usual).text(entryKey, name).message(entryValue, value))
}

// metadata is what filters behind this one can use, a google.protobuf.Struct: the identity,
// never a secret.
func metadata(d *gatehouse.Decision) wire {
	w := make(wire, 0, usual)
	for _, pair := range [...][2]string{
		{"key_id", d.Key.ID}, {"subject", d.Principal.UID}, {"role", d.Principal.Role}, {"tenant", d.Key.Tenant}, {"scheme", d.Scheme}, {"body", d.Body.String()},
	} {
		w = w.entry(pair[0], make(wire, 0, usual).text(valueString, pair[1]))
	}
	scopes := make(wire, 0, usual)
	for _, scope := range d.Key.Scopes {
		scopes = scopes.message(listValues, make(wire, 0, usual).text(valueString, string(scope)))
	}
	return w.entry("scopes", make(wire, 0, usual).message(valueList, scopes))
}
