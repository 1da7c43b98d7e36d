// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// A POST with an Idempotency-Key happens once. The change itself leaves a receipt, in its
// own transaction, with the sealed secret where there is one; a second change under the
// same key finds it. When the change is answered, the answer is kept with the receipt,
// without the secret; see handover.go for that. Who comes again is answered from the receipt.
// See docs/spec/api.md.

// The header fields of idempotent requests and of answers that were given before.
const (
	onceField     = "Idempotency-Key"
	replayedField = "Idempotency-Replayed"
)

var (
	errMismatch   = &refusal{Status: http.StatusUnprocessableEntity, Code: "idempotency_mismatch", Title: "Another request was made under this Idempotency-Key"}
	errInProgress = &refusal{Status: http.StatusConflict, Code: "in_progress", Title: "A request under this Idempotency-Key is being worked on"}
	errAnswerLost = &refusal{Status: http.StatusConflict, Code: "answer_lost", Title: "It was done under this Idempotency-Key, and the answer was lost: read the record"}
)

// once answers a POST with an Idempotency-Key.
func (h *Handler) once(rt *route, next http.HandlerFunc) http.HandlerFunc {
	if rt.Method != http.MethodPost || rt.Public {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		names := r.Header.Values(onceField)
		if len(names) == 0 {
			next(w, r)
			return
		}
		if len(names) > 1 || !onceName(names[0]) {
			h.fail(w, r, &gatehouse.InvalidError{Field: onceField, Problem: "is not 1 to 255 printable ASCII characters, once"})
			return
		}
		if rt.Repeat == repeatFresh {
			next(w, r)
			return
		}
		c := callerOf(r.Context())
		once := &gatehouse.Once{ID: c.onceID(names[0]), Request: h.requestHash(r)}
		leave, ok := h.flights.enter(r.Context(), c.actor.Tenant+" "+once.ID)
		if !ok {
			h.fail(w, r, errInProgress)
			return
		}
		defer leave()
		receipt, err := h.c.Receipts.Receipt(r.Context(), c.actor.Tenant, once.ID)
		switch {
		case err == nil:
			h.repeat(w, r, rt, once, &receipt)
		case errors.Is(err, gatehouse.ErrNotFound):
			h.first(w, r, rt, once, next)
		default:
			h.fail(w, r, err)
		}
	}
}

func onceName(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// onceID names what the caller asks for: nobody else can name it.
func (c *caller) onceID(name string) string {
	return hex.EncodeToString(hashOf("gatehouse once 1", c.actor.Kind.String(), c.actor.ID, name))
}

// requestHash is the hash of all that is asked. It is keyed: a body may hold a password, and
// nobody shall guess at it in a copy of the database.
func (h *Handler) requestHash(r *http.Request) []byte {
	var body []byte
	if held, ok := r.Body.(*heldBody); ok {
		body = held.all
	}
	mac := hmac.New(sha256.New, h.c.ReceiptKey)
	_, _ = mac.Write(hashOf("gatehouse request 1", r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body)))
	return mac.Sum(nil)
}

// hashOf hashes texts, each with its length in front.
func hashOf(texts ...string) []byte {
	sum := sha256.New()
	for _, text := range texts {
		_ = binary.Write(sum, binary.BigEndian, int64(len(text)))
		_, _ = io.WriteString(sum, text)
	}
	return sum.Sum(nil)
}

// first does what is asked for the first time, keeps a success, and answers.
func (h *Handler) first(w http.ResponseWriter, r *http.Request, rt *route, once *gatehouse.Once, next http.HandlerFunc) {
	c := callerOf(r.Context())
	if rt.Repeat == repeatChange {
		c.actor.Once = once
	}
	held := &heldAnswer{header: w.Header(), status: http.StatusOK}
	next(held, r)
	if c.nothing {
		deliver(w, held.status, held.body.Bytes())
		return
	}
	receipt, err := h.c.Receipts.Receipt(r.Context(), c.actor.Tenant, once.ID)
	switch none := errors.Is(err, gatehouse.ErrNotFound); {
	case held.status < 300 && (err == nil || none && rt.Repeat != repeatChange):
		h.answer(w, r, rt, once, &receipt, held)
	case err == nil: // another call or node was faster, whatever stood in the way of this one
		w.Header().Del("Retry-After")
		h.repeat(w, r, rt, once, &receipt)
	case !none && (c.repeated || held.status < 300 && rt.Secret): // what can be told now is not known
		h.fail(w, r, err)
	default: // a change that found nothing to do finds nothing again
		deliver(w, held.status, held.body.Bytes())
	}
}

// answer keeps the answer to what was just done, and gives it. Where another was kept before,
// of a node that was asked again meanwhile, that one stands.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, rt *route, once *gatehouse.Once, receipt *gatehouse.Receipt, held *heldAnswer) {
	if receipt.ID == "" {
		*receipt = gatehouse.Receipt{Tenant: callerOf(r.Context()).actor.Tenant, ID: once.ID, Request: once.Request, Created: time.Now().UTC()}
	}
	own := receipt.Status == 0
	kept, secret := withoutSecret(rt, held.body.Bytes())
	if own {
		receipt.Status, receipt.Answer = held.status, kept
		own = h.keep(r.Context(), rt, receipt)
	}
	switch {
	case !own:
		h.repeat(w, r, rt, once, receipt)
	case secret:
		h.handOver(w, r, receipt, held.body.Bytes())
	default:
		deliver(w, held.status, held.body.Bytes())
	}
}

// repeat answers what was done before.
func (h *Handler) repeat(w http.ResponseWriter, r *http.Request, rt *route, once *gatehouse.Once, receipt *gatehouse.Receipt) {
	if !bytes.Equal(receipt.Request, once.Request) {
		h.fail(w, r, errMismatch)
		return
	}
	// The change may have been made a moment ago, by a call that never heard of it.
	if err := gatehouse.InForce(r.Context(), h.c.Receipts, receipt.Tenant, receipt.Subject); err != nil {
		h.fail(w, r, err)
		return
	}
	if receipt.Status == 0 {
		if err := h.rebuild(r.Context(), rt, receipt); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	body, err := h.withSecret(r.Context(), rt, receipt)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set(replayedField, "true")
	w.Header().Set("Content-Type", "application/json")
	if body == nil {
		deliver(w, receipt.Status, receipt.Answer)
		return
	}
	h.handOver(w, r, receipt, body)
}

// rebuild makes the answer to a change that was made and never answered.
func (h *Handler) rebuild(ctx context.Context, rt *route, receipt *gatehouse.Receipt) error {
	if rt.again == nil {
		return errAnswerLost
	}
	v, err := rt.again(ctx, callerOf(ctx), receipt.Subject)
	if err != nil {
		return err
	}
	if receipt.Answer, err = json.Marshal(v); err != nil {
		return err
	}
	receipt.Status = rt.Status
	h.keep(ctx, rt, receipt) // or what another kept meanwhile
	return nil
}

// keep stores the answer of a receipt, and reports whether it is the one that stands; where it
// is not, receipt holds the other. That it could not is told to the log: whoever comes again is
// then answered from the record.
func (h *Handler) keep(ctx context.Context, rt *route, receipt *gatehouse.Receipt) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), small.Timeout)
	defer cancel()
	kept, err := h.c.Receipts.KeepAnswer(ctx, receipt)
	if err != nil {
		h.c.Log.ErrorContext(ctx, "answer is not kept", "operation", rt.ID, "error", err)
		return true
	}
	own := kept.Status == receipt.Status && bytes.Equal(kept.Answer, receipt.Answer) && bytes.Equal(kept.Request, receipt.Request)
	*receipt = kept
	return own
}

// withoutSecret is an answer as it is kept, and whether there is a secret in it.
func withoutSecret(rt *route, answer []byte) (kept []byte, secret bool) {
	if !rt.Secret {
		return answer, false
	}
	var k api.CreatedKey
	_ = json.Unmarshal(answer, &k) // it is ours, so it can be read
	secret = k.Secret != "" || k.Token != ""
	k.Secret, k.Token = "", ""
	kept, _ = json.Marshal(k)
	return kept, secret
}

// deliver writes an answer and reports whether it left for a client that is still there.
func deliver(w http.ResponseWriter, status int, body []byte) bool {
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil && status != http.StatusNoContent {
		return false
	}
	err := http.NewResponseController(w).Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}

// heldAnswer is an answer that is not sent yet. Its header is that of the answer to come.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *heldAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *heldAnswer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// flights are the requests that are being worked on, by name.
type flights struct {
	mu   sync.Mutex
	done map[string]chan struct{}
}

// patience is how long a request waits for the one before it.
const patience = 2 * time.Second

// enter begins a request; leave ends it. ok is false where another of the name is still
// worked on after a while.
func (f *flights) enter(ctx context.Context, name string) (leave func(), ok bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		f.mu.Lock()
		other, busy := f.done[name]
		if !busy {
			mine := make(chan struct{})
			if f.done == nil {
				f.done = map[string]chan struct{}{}
			}
			f.done[name] = mine
			f.mu.Unlock()
			return func() {
				f.mu.Lock()
				delete(f.done, name)
				f.mu.Unlock()
				close(mine)
			}, true
		}
		f.mu.Unlock()
		select {
		case <-other:
		case <-timer.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
}
