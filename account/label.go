// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// The scopes of a [Label].
const (
	LabelPrivate = "private"
	LabelPublic  = "public"
)

const (
	maxLabels     = 100
	maxLabelRunes = 255
)

// triggers are the states that private labels force by their key alone, the first that
// applies. They are Barong's.
var triggers = []struct {
	state gatehouse.PrincipalState
	keys  []string
}{
	{gatehouse.PrincipalBanned, []string{"ban", "fraud"}},
	{gatehouse.PrincipalDeleted, []string{"delete"}},
	{gatehouse.PrincipalLocked, []string{"suspicious", "lock"}},
}

// labelState is the state that private labels ask for: a trigger's, or else active
// where all of activation are there, or else pending. Public labels are the holder's
// own words and ask for nothing.
func labelState(labels []Label, activation map[string]string) gatehouse.PrincipalState {
	for _, t := range triggers {
		if slices.ContainsFunc(labels, func(l Label) bool { return l.Scope == LabelPrivate && slices.Contains(t.keys, l.Key) }) {
			return t.state
		}
	}
	for key, value := range activation {
		if !isMarked(labels, key, value) {
			return gatehouse.PrincipalPending
		}
	}
	return gatehouse.PrincipalActive
}

// stateAfter is the state of an account whose labels asked for before and now ask for
// after. Labels move the state that they gave, and take a state that may act away. Any
// other state was set by hand and stays: no label lifts a ban that an operator set.
func stateAfter(current, before, after gatehouse.PrincipalState) gatehouse.PrincipalState {
	if current == before || current.MayAct() && !after.MayAct() {
		return after
	}
	return current
}

// labelLevel counts the levels whose labels are there, up to the first that is not.
func labelLevel(labels, levels []Label) int {
	n := 0
	for n < len(levels) && isMarked(labels, levels[n].Key, levels[n].Value) {
		n++
	}
	return n
}

func isMarked(labels []Label, key, value string) bool {
	return slices.ContainsFunc(labels, func(l Label) bool {
		return l.Scope == LabelPrivate && l.Key == key && l.Value == value
	})
}

// cascade is what a change of state does besides: a person who leaves the active state
// takes keys and service accounts along, a service account that is taken away its
// keys. Nothing comes back by itself.
func cascade(kind gatehouse.PrincipalKind, from, to gatehouse.PrincipalState) Effects {
	switch {
	case from == to || to == gatehouse.PrincipalActive:
		return Effects{}
	case kind == gatehouse.PrincipalService:
		return Effects{DisableKeys: to == gatehouse.PrincipalDisabled}
	}
	return Effects{DisableKeys: true, ServiceState: to}
}

// relabel gives the account other labels, lets them move its state and level, and
// returns what follows.
func (d *Directory) relabel(a *Account, labels []Label) (Effects, []gatehouse.Change) {
	before, state, level := a.Labels, a.State, a.Level
	a.Labels = labels
	a.State = stateAfter(state, labelState(before, d.c.Activation), labelState(labels, d.c.Activation))
	if after := labelLevel(labels, d.c.Levels); after != labelLevel(before, d.c.Levels) {
		a.Level = after
	}
	var changes []gatehouse.Change
	if a.State != state {
		changes = append(changes, gatehouse.Change{Field: "state", Before: string(state), After: string(a.State)})
	}
	if a.Level != level {
		changes = append(changes, gatehouse.Change{Field: "level", Before: strconv.Itoa(level), After: strconv.Itoa(a.Level)})
	}
	return cascade(a.Kind, state, a.State), changes
}

// withLabel returns labels with the one of this key and scope set.
func withLabel(labels []Label, key, value, scope string, now time.Time) []Label {
	labels = slices.Clone(labels)
	if i := labelIndex(labels, key, scope); i >= 0 {
		labels[i].Value, labels[i].Updated = value, now
		return labels
	}
	return append(labels, Label{Key: key, Value: value, Scope: scope, Created: now, Updated: now})
}

// withoutLabel returns labels without the one of this key and scope.
func withoutLabel(labels []Label, key, scope string) []Label {
	labels = slices.Clone(labels)
	return slices.DeleteFunc(labels, func(l Label) bool { return l.Key == key && l.Scope == scope })
}

func labelIndex(labels []Label, key, scope string) int {
	return slices.IndexFunc(labels, func(l Label) bool { return l.Key == key && l.Scope == scope })
}

// SetLabel sets the value of a label, which is named by key and scope. The key counts
// in lower case: 1 to 255 of a-z, 0-9, '_' and '-'; the value is 1 to 255 printable
// characters; the scope [LabelPrivate] or [LabelPublic]. Private labels move the
// account's state and level, and with the state its keys.
//
// Errors: *gatehouse.InvalidError with the field key, value or scope, or label, Problem
// "too_many", above 100 labels; gatehouse.ErrForbidden for a private label from its
// holder; gatehouse.ErrNotFound.
func (d *Directory) SetLabel(ctx context.Context, actor gatehouse.Actor, accountID, key, value, scope string) (Account, error) {
	actor, key, err := d.admitToLabel(actor, accountID, key, scope)
	if err != nil {
		return Account{}, err
	}
	printable := !strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) })
	if n := utf8.RuneCountInString(value); n < 1 || n > maxLabelRunes || !utf8.ValidString(value) || !printable {
		return Account{}, &gatehouse.InvalidError{Field: "value", Problem: "invalid"}
	}
	return d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		i, old := labelIndex(a.Labels, key, scope), ""
		if i >= 0 {
			old = a.Labels[i].Value
		} else if len(a.Labels) >= maxLabels {
			return Effects{}, nil, &gatehouse.InvalidError{Field: "label", Problem: "too_many"}
		}
		also, moved := d.relabel(a, withLabel(a.Labels, key, value, scope, d.now()))
		changes := append([]gatehouse.Change{{Field: "label." + scope + "." + key, Before: old, After: value}}, moved...)
		return also, d.succeeded(actor, VerbLabelSet, a.ID, changes...), nil
	})
}

// DeleteLabel takes a label away. Private labels move the account's state and level as
// with [Directory.SetLabel].
//
// Errors: gatehouse.ErrNotFound, also for a label that is not there;
// *gatehouse.InvalidError with the field key or scope; gatehouse.ErrForbidden for a
// private label from its holder.
func (d *Directory) DeleteLabel(ctx context.Context, actor gatehouse.Actor, accountID, key, scope string) (Account, error) {
	actor, key, err := d.admitToLabel(actor, accountID, key, scope)
	if err != nil {
		return Account{}, err
	}
	return d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		i := labelIndex(a.Labels, key, scope)
		if i < 0 {
			return Effects{}, nil, gatehouse.ErrNotFound
		}
		change := gatehouse.Change{Field: "label." + scope + "." + key, Before: a.Labels[i].Value}
		also, moved := d.relabel(a, withoutLabel(a.Labels, key, scope))
		return also, d.succeeded(actor, VerbLabelDelete, a.ID, append([]gatehouse.Change{change}, moved...)...), nil
	})
}

// admitToLabel lets an actor in that may touch the label, and returns its key as it is
// stored.
func (d *Directory) admitToLabel(actor gatehouse.Actor, accountID, key, scope string) (gatehouse.Actor, string, error) {
	actor, err := d.admitTo(actor, accountID)
	key = lowerASCII(key)
	switch {
	case err != nil:
	case len(key) < 1 || len(key) > maxLabelRunes || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
		err = &gatehouse.InvalidError{Field: "key", Problem: "invalid"}
	case scope != LabelPrivate && scope != LabelPublic:
		err = &gatehouse.InvalidError{Field: "scope", Problem: "invalid"}
	case scope == LabelPrivate && !manages(actor):
		err = gatehouse.ErrForbidden
	}
	return actor, key, err
}
