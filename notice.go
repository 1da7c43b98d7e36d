// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"slices"
	"time"
)

// NoticeKind says what a [Notice] is about. The zero value is invalid.
type NoticeKind uint8

// The kinds of notice.
const (
	NoticeInvalid   NoticeKind = iota
	NoticeKey                  // a key; the subject is its id
	NoticePrincipal            // an account or a service account, and so all its keys; the subject is its id
	NoticeTenant               // a tenant, and so all its keys; the subject is empty
	NoticeSigning              // the keys that sign assertions; the subject is empty
	NoticeRules                // the route rules of a tenant; the subject is empty
	NoticeAll                  // anything of anybody; tenant and subject are empty
)

var noticeKindNames = [...]string{
	NoticeInvalid: "invalid", NoticeKey: "key", NoticePrincipal: "principal", NoticeTenant: "tenant", NoticeSigning: "signing", NoticeRules: "rules",
	NoticeAll: "all",
}

// String returns "key", "principal", "tenant", "signing", "rules" or "all", and "invalid" for
// anything else.
func (k NoticeKind) String() string {
	if int(k) < len(noticeKindNames) {
		return noticeKindNames[k]
	}
	return noticeKindNames[NoticeInvalid]
}

// ParseNoticeKind is the inverse of [NoticeKind.String]; unknown text gives [NoticeInvalid].
func ParseNoticeKind(text string) NoticeKind {
	return NoticeKind(max(slices.Index(noticeKindNames[:], text), 0))
}

// Notice says that what was read of a subject before may no longer be so. A store writes it
// in the transaction of the change.
type Notice struct {
	ID      string    // random
	Time    time.Time // by the clock of the node that made the change, before it was committed; UTC
	Kind    NoticeKind
	Tenant  string
	Subject string
	Ends    bool // what was asserted of the subject before this no longer holds: it was revoked, disabled or narrowed, or all its sessions were ended
}

// NoticeStore tells what has changed. Implementations pass gatehousetest.NoticeStore.
type NoticeStore interface {
	// Notices reads the notices of a tenant, and of everything, whose time is since or
	// later, in the order of their times. One whose transaction took long can appear behind
	// others of a later time. They are kept for [KeepNotices].
	Notices(ctx context.Context, tenant string, since time.Time) ([]Notice, error)

	// Noticed returns a channel that is closed when this process next hears of a notice, of
	// any tenant. It may be closed for nothing.
	Noticed() <-chan struct{}
}

// Settler is a [Store], or another, whose records several nodes keep. Who finds that a change
// has nothing to do asks it before that is acknowledged: another may have made the change a
// moment ago, and nodes may not know yet.
type Settler interface {
	// InForce returns when what was committed about subjects of a tenant before the call is in
	// force on every node. Subjects are key ids; what was changed of accounts and tenants
	// counts in any case. Errors wrap [ErrUnavailable].
	InForce(ctx context.Context, tenant string, subjects ...string) error
}

// InForce asks a store that is a [Settler], and does nothing for another.
func InForce(ctx context.Context, store any, tenant string, subjects ...string) error {
	if s, ok := store.(Settler); ok {
		return s.InForce(ctx, tenant, subjects...)
	}
	return nil
}

// KeepNotices is how long a store keeps notices at least.
const KeepNotices = 2 * time.Hour

// ends are the fields of events whose change ends what was asserted before, unless what they
// become is active.
var ends = []string{
	"state", "scopes", "networks", "schemes", "methods", "paths", "signed", "not_before", "expires", "deleted", "unused", "principal", "role", "level", "otp",
}

// Ends reports whether the event's change may have taken something away: after it, what was
// asserted of its subject before holds no longer.
func (e *Event) Ends() bool {
	return slices.ContainsFunc(e.Changes, func(c Change) bool {
		return slices.Contains(ends, c.Field) && !(c.Field == "state" && c.After == "active")
	})
}
