// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The verbs of a Keeper in the audit log. The subject is the id of the key.
const (
	VerbAdd     = "keyring.add"
	VerbPrimary = "keyring.primary"
	VerbRewrap  = "keyring.rewrap"
	VerbRetire  = "keyring.retire"
)

// KeeperConfig is what a [Keeper] stands on. All fields but Batch are required.
type KeeperConfig struct {
	Sealer *Sealer // its keyring is the one that is kept
	Rows   Rows
	Audit  gatehouse.AuditStore
	Batch  int // rows that are sealed again in one transaction at most; zero: 100
	Log    *slog.Logger
}

// Keeper changes the keyring of a running process, and brings what is sealed under its
// primary KEK. It is made by [NewKeeper], ended by Close, and safe for concurrent use.
//
// Every change is first on disk, then in the audit log, then in force. Where the audit log
// does not say that it has the event, the file is put back and, because the log may have it
// all the same, an event with [gatehouse.OutcomeFailed] follows if the log takes that one.
// Where the file cannot be put back, further changes are refused until the next start,
// which takes the file as it is. A change of the KEKs waits for no rewrap: it is refused
// while one is under way.
type Keeper struct {
	c     KeeperConfig
	pause time.Duration
	job   job

	mu      sync.Mutex // held by a change, and while a job begins
	demoted map[string]time.Time
}

// NewKeeper returns a Keeper. [Keeper.Resume] goes on with what was begun.
func NewKeeper(c KeeperConfig) *Keeper {
	if c.Batch <= 0 {
		c.Batch = defaultBatch
	}
	k := &Keeper{c: c, pause: defaultPause, demoted: map[string]time.Time{}}
	k.job.ctx, k.job.cancel = context.WithCancel(context.Background())
	return k
}

// Close ends a rewrap that is under way, for the next start to go on with.
func (k *Keeper) Close() {
	k.job.cancel()
	k.job.ended.Wait()
}

// RefusedError says why the keyring is not changed. It is a [gatehouse.ErrConflict].
type RefusedError struct{ Problem string }

// Error implements error.
func (e *RefusedError) Error() string { return "change keyring: " + e.Problem }

// Unwrap returns [gatehouse.ErrConflict].
func (e *RefusedError) Unwrap() error { return gatehouse.ErrConflict }

func refused(format string, args ...any) error {
	return &RefusedError{fmt.Sprintf(format, args...)}
}

// KeyInfo is a key of the keyring without its material.
type KeyInfo struct {
	ID        string
	Kind      string // "kek", "pepper" or "root"
	Algorithm string
	Source    string // where the material is: "inline", or as in the file
	Created   time.Time
	Primary   bool
	DataKeys  int // of a KEK: data keys that it wraps
	Records   int // of a KEK: secrets sealed with these; of a pepper: digests made with it
}

// List returns the keys of the keyring in the order of the file. unreadable counts the
// rows that refer to nobody knows what: no pepper is retired while there are any.
// [gatehouse.ErrUnavailable].
func (k *Keeper) List(ctx context.Context) (list []KeyInfo, unreadable int, err error) {
	dataKeys, err := k.c.Sealer.store.DataKeys(ctx)
	if err != nil {
		return nil, 0, gatehouse.Unavailable("read data keys", err)
	}
	references, err := k.c.Rows.References(ctx)
	if err != nil {
		return nil, 0, gatehouse.Unavailable("count references", err)
	}
	for _, e := range k.keys() {
		info := infoOf(&e)
		switch e.kind {
		case kindKEK:
			for i := range dataKeys {
				if dataKeys[i].KEK == e.id {
					info.DataKeys++
					info.Records += references[dataKeys[i].ID]
				}
			}
		case kindPepper:
			info.Records = pepperUses(references, e.id)
		}
		list = append(list, info)
	}
	return list, references[Unreadable], nil
}

// pepperUses counts the digests made with a pepper. A digest refers to it by its id, or by
// id/hash where another hash than the usual one is inside.
func pepperUses(references map[string]int, id string) int {
	uses := 0
	for ref, n := range references {
		if pepper, _, _ := strings.Cut(ref, "/"); pepper == id {
			uses += n
		}
	}
	return uses
}

// SetPrimary makes a KEK or pepper the one that new things are made with. What was made
// with the one before stays as it is; see [Keeper.Rewrap]. [gatehouse.ErrNotFound],
// *[RefusedError].
func (k *Keeper) SetPrimary(ctx context.Context, actor gatehouse.Actor, id string) (KeyInfo, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.find(id)
	if e == nil {
		return KeyInfo{}, fmt.Errorf("key %q: %w", id, gatehouse.ErrNotFound)
	}
	if e.primary {
		return k.info(id), nil
	}
	rank := gatehouse.Change{Before: rankActive, After: rankPrimary}
	if err := k.change(ctx, actor, VerbPrimary, e, rank, func(l keys) (keys, error) { return k.promote(l, id) }); err != nil {
		return KeyInfo{}, err
	}
	return k.info(id), nil
}

// promote makes the key with this id the primary one of its kind. The caller holds mu.
func (k *Keeper) promote(l keys, id string) (keys, error) {
	kind := l.first(func(e *entry) bool { return e.id == id }).kind
	if kind == kindKEK && k.job.running() {
		return nil, refused("a rewrap is under way; wait for its end")
	}
	for i := range l {
		if l[i].kind == kind {
			if l[i].primary {
				k.demoted[l[i].id] = k.c.Sealer.now()
			}
			l[i].primary = l[i].id == id
		}
	}
	return l, nil
}

// Retire removes a KEK or pepper that nothing refers to any more. *[RefusedError] says how
// much does. [gatehouse.ErrNotFound], [gatehouse.ErrUnavailable].
func (k *Keeper) Retire(ctx context.Context, actor gatehouse.Actor, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Nobody makes a data key meanwhile, under a KEK that was primary a moment ago.
	if err := k.c.Sealer.take(ctx); err != nil {
		return err
	}
	defer k.c.Sealer.release()
	e := k.find(id)
	switch {
	case e == nil:
		return fmt.Errorf("key %q: %w", id, gatehouse.ErrNotFound)
	case e.primary:
		return refused("%s %s is primary; make another one primary first", e.kind, id)
	}
	if err := k.unreferenced(ctx, e); err != nil {
		return err
	}
	return k.change(ctx, actor, VerbRetire, e, gatehouse.Change{Before: rankActive}, func(l keys) (keys, error) {
		return slices.DeleteFunc(l, func(o entry) bool { return o.id == id }), nil
	})
}

// A digest that was made with a pepper while it was primary may be on its way into the
// store for so long.
const settling = time.Minute

// unreferenced fails where something refers to the key.
func (k *Keeper) unreferenced(ctx context.Context, e *entry) error {
	if e.kind == kindKEK {
		list, err := k.c.Sealer.store.DataKeys(ctx)
		if err != nil {
			return gatehouse.Unavailable("read data keys", err)
		}
		if n := len(slices.DeleteFunc(list, func(dk gatehouse.DataKey) bool { return dk.KEK != e.id })); n > 0 {
			return refused("KEK %s still wraps %d data keys; gatehouse keyring rewrap brings them under the primary one", e.id, n)
		}
		return nil
	}
	references, err := k.c.Rows.References(ctx)
	if err != nil {
		return gatehouse.Unavailable("count references", err)
	}
	if n := pepperUses(references, e.id); n > 0 {
		return refused("%d key materials refer to pepper %s and cannot be checked without it", n, e.id)
	}
	if n := references[Unreadable]; n > 0 {
		return refused("%d rows of keys cannot be read, and any of them may refer to pepper %s", n, e.id)
	}
	if at, ok := k.demoted[e.id]; ok && k.c.Sealer.now().Sub(at) < settling {
		return refused("pepper %s was primary until a moment ago, and a key may be in the making; try again in a minute", e.id)
	}
	return nil
}

// appendTimeout is how long an event may take. A client that goes away does not end it:
// who does not hear the answer does not know what the log holds.
const appendTimeout = 5 * time.Second

// change changes the keyring and writes the event. rank is what e was and is. The caller
// holds mu.
func (k *Keeper) change(ctx context.Context, actor gatehouse.Actor, verb string, e *entry, rank gatehouse.Change, edit func(keys) (keys, error)) error {
	rank.Field = "rank"
	return k.c.Sealer.keyring.change(edit, func(o gatehouse.Outcome) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
		defer cancel()
		event := gatehouse.NewEvent(actor, k.c.Sealer.now(), verb, e.id, o,
			gatehouse.Change{Field: "kind", After: e.kind}, gatehouse.Change{Field: "algorithm", After: e.algorithm}, rank)
		if err := k.c.Audit.AppendEvent(ctx, event); err != nil {
			return gatehouse.Unavailable("append event", err)
		}
		return nil
	})
}

func (k *Keeper) keys() keys { return k.c.Sealer.keyring.keys() }

// find returns the KEK or pepper with this id, or nil. The root does not change.
func (k *Keeper) find(id string) *entry {
	return k.keys().first(func(e *entry) bool { return e.id == id && e.kind != kindRoot })
}

// info describes the KEK or pepper with this id, without what refers to it.
func (k *Keeper) info(id string) KeyInfo { return infoOf(k.find(id)) }

func infoOf(e *entry) KeyInfo {
	source := e.source
	if source == "" {
		source = "inline"
	}
	return KeyInfo{ID: e.id, Kind: e.kind, Algorithm: e.algorithm, Source: source, Created: e.created, Primary: e.primary}
}
