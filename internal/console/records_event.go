// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/api"
)

// eventVerbs are those of events, for who filters the log.
var eventVerbs = []string{
	"account.confirm", "account.create", "account.delete", "account.limits", "account.role", "account.state", "account.update",
	"api.denied", "gate.audit", "gate.refuse",
	"key.create", "key.delete", "key.disable", "key.enable", "key.import", "key.revoke", "key.rotate", "key.rotate.cancel", "key.rotate.extend", "key.rotate.finish", "key.update",
	"keyring.add", "keyring.primary", "keyring.retire", "keyring.rewrap", "label.delete", "label.set",
	"otp.begin", "otp.disable", "otp.enable", "otp.reset", "otp.verify",
	"password.change", "password.confirm", "password.rehash", "password.request", "password.reset",
	"recovery.renew", "recovery.use", "rules.update", "session.create", "session.delete", "session.end_all",
	"signing_key.create", "signing_key.delete", "signing_key.import", "signing_key.retire", "stepup.verify", "system.start", "tenant.create", "tenant.update",
}

// verbsOf are the verbs that a text names. The beginning of some, up to a dot, names them all.
func verbsOf(text string) (out []string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if word = strings.TrimRight(word, ".*"); word == "" {
			continue
		}
		out = append(out, word)
		for _, verb := range eventVerbs {
			if strings.HasPrefix(verb, word+".") && !slices.Contains(out, verb) {
				out = append(out, verb)
			}
		}
	}
	return out
}

// shownEvent is an event as the log shows it.
type shownEvent struct {
	api.Event
	names map[string]string // of accounts, by their ids
}

// record is what an event is about, or who acted.
type record struct{ ID, Name string }

// About is what the event is about, and By who acted. A name may be empty, an id as well.
func (e shownEvent) About() record { return record{e.Subject, e.names[e.Subject]} }
func (e shownEvent) By() record    { return record{e.ActorID, e.names[e.ActorID]} }

// Told is the value of a change as people know it.
func (e shownEvent) Told(value string) string { return cmp.Or(e.names[value], value) }

// Program is what the user agent calls itself, in a few words.
func (e shownEvent) Program() string {
	const most = 40
	if name := []rune(browserOf(e.UserAgent)); len(name) > most {
		return string(name[:most]) + "…"
	}
	return browserOf(e.UserAgent)
}

func shownEvents(found api.Events) []shownEvent {
	out := make([]shownEvent, len(found.Events))
	for i, e := range found.Events {
		out[i] = shownEvent{e, found.Names}
	}
	return out
}
