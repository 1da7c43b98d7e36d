// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import "fmt"

// Message is a question in a Notify frame (section 3.3).
type Message struct {
	Name string
	Args []Item // at most 255
}

// Append writes the message.
func (m Message) Append(b []byte) []byte {
	b = append(appendText(b, m.Name), byte(len(m.Args)))
	for _, a := range m.Args {
		b = a.Append(b)
	}
	return b
}

// ParseMessages reads the payload of a Notify frame. The error is Invalid, also for more
// than 255.
func ParseMessages(payload []byte) ([]Message, error) {
	c := cut{rest: payload}
	var out []Message
	for len(c.rest) > 0 && len(out) <= maxItems {
		m := Message{Name: string(c.text())}
		for n := c.byte(); n > 0 && !c.bad; n-- {
			m.Args = append(m.Args, c.item())
		}
		out = append(out, m)
	}
	if c.bad || len(out) > maxItems {
		return nil, fmt.Errorf("read messages: %w", Invalid)
	}
	return out, nil
}

// Op is what an action does (section 3.4).
type Op byte

// The actions.
const (
	SetVar   Op = 1
	UnsetVar Op = 2
)

// Scope is whose a variable is.
type Scope byte

// The scopes.
const (
	Process Scope = iota
	Session
	Transaction
	Request
	Response
)

// Action is what HAProxy is to do, in an Ack frame. It writes the prefix of the agent's
// section before the name.
type Action struct {
	Op    Op
	Scope Scope
	Name  string
	Value Data // null for UnsetVar
}

// args is how many arguments an action has.
func (o Op) args() byte {
	switch o {
	case SetVar:
		return 3
	case UnsetVar:
		return 2
	}
	return 0
}

// Append writes the action.
func (a Action) Append(b []byte) []byte {
	b = appendText(append(b, byte(a.Op), a.Op.args(), byte(a.Scope)), a.Name)
	if a.Op == SetVar {
		b = a.Value.Append(b)
	}
	return b
}

// ParseActions reads the payload of an Ack frame. The error is Invalid, also for more than
// 255.
func ParseActions(payload []byte) ([]Action, error) {
	c := cut{rest: payload}
	var out []Action
	for len(c.rest) > 0 && len(out) <= maxItems {
		a := Action{Op: Op(c.byte())}
		if n := c.byte(); n == 0 || n != a.Op.args() {
			c.fail()
		}
		if a.Scope = Scope(c.byte()); a.Scope > Response {
			c.fail()
		}
		if a.Name = string(c.text()); a.Op == SetVar {
			a.Value = c.data()
		}
		out = append(out, a)
	}
	if c.bad || len(out) > maxItems {
		return nil, fmt.Errorf("read actions: %w", Invalid)
	}
	return out, nil
}

// Pair is a field of a header as HAProxy's sample req.hdrs_bin has it.
type Pair struct{ Name, Value string }

// AppendPairs writes a list of fields, as HAProxy does.
func AppendPairs(b []byte, pairs []Pair) []byte {
	for _, p := range pairs {
		b = appendText(appendText(b, p.Name), p.Value)
	}
	return append(b, 0, 0)
}

// ParsePairs reads a list of fields: texts in twos, and two empty ones as its end, behind
// which there is nothing. The error is Invalid, also for a name that is empty.
func ParsePairs(list []byte) ([]Pair, error) {
	c := cut{rest: list}
	var out []Pair
	for !c.bad {
		p := Pair{Name: string(c.text()), Value: string(c.text())}
		if p.Name == "" {
			if c.bad || p.Value != "" || len(c.rest) > 0 {
				break
			}
			return out, nil
		}
		out = append(out, p)
	}
	return nil, fmt.Errorf("read header: %w", Invalid)
}
