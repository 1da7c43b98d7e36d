// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Denial is why a request does not pass, and what its answer says.
type Denial struct {
	Status     int
	Code       string              // stable, such as "invalid_credential"
	Title      string              // for people
	RetryAfter time.Duration       // zero: nothing is said of it
	Decision   *gatehouse.Decision // what the authority said; nil: it was not asked, or did not answer
	Challenge  gatehouse.Header    // fields of an answer 401 or 403 (RFC 9110 section 11.6.1)

	ruled  gatehouse.Reason // why a rule lets nobody make the request; zero: none does so
	need   string           // scopes that are missing, for the challenge
	lacks  bool             // the key lacks the rule's scopes, whatever else is wrong
	hangUp bool             // the connection holds a body that nobody reads
}

// DenyFunc writes the answer to a denied request, its status first. The fields Cache-Control and, where
// they apply, Retry-After and Connection are set already.
type DenyFunc func(w http.ResponseWriter, r *http.Request, d *Denial)

// denialOf says no more of a reason than its code does.
func denialOf(reason gatehouse.Reason) *Denial {
	return &Denial{Status: reason.Status(), Code: reason.Code(), Title: strings.ReplaceAll(reason.Code(), "_", " ")}
}

// ruledOut is the denial of a request that a rule lets nobody make.
func ruledOut(reason gatehouse.Reason, title string) *Denial {
	return &Denial{Status: reason.Status(), Code: reason.Code(), Title: title, ruled: reason}
}

func unavailable(title string) *Denial {
	return &Denial{Status: http.StatusServiceUnavailable, Code: "unavailable", Title: title, RetryAfter: time.Second}
}

// after lets the answer say when the dependency will be back that failed with err, where it
// knows.
func (d *Denial) after(err error) *Denial {
	d.RetryAfter = max(d.RetryAfter, gatehouse.RetryAfter(err))
	return d
}

// LogLevel is how loud a log says that a request failed with err: slog.LevelDebug where the
// dependency knows when it will be back, since each request until then meets the same.
func LogLevel(err error) slog.Level {
	if gatehouse.RetryAfter(err) > 0 {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// because adds what the authority said, and what the rule demanded.
func (d *Denial) because(said *gatehouse.Decision, rule Rule) *Denial {
	d.Decision, d.RetryAfter = said, said.RetryAfter
	d.lacks = said.Key == nil || !rule.met(said.Key.Scopes)
	if d.Status == http.StatusServiceUnavailable {
		d.RetryAfter = time.Second
	}
	if d.Code == gatehouse.ReasonInsufficientScope.Code() {
		missing := rule.need
		if len(missing) == 0 {
			missing = rule.any
		}
		d.need = strings.Join(missing.Strings(), " ")
	}
	return d
}

// refuse answers a request that does not pass.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, d *Denial) {
	d.Challenge = g.challenge(r.Header, d)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if d.RetryAfter > 0 {
		h.Set("Retry-After", seconds(d.RetryAfter))
	}
	if d.hangUp && r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	g.deny(w, r, d)
}

// challenge invites every scheme after a 401. Where the client presented a bearer token,
// that scheme's challenge says what is wrong with it (RFC 6750 section 3), after a 403
// for want of scopes too.
func (g *Gate) challenge(h http.Header, d *Denial) gatehouse.Header {
	failure := ""
	if strings.HasPrefix(strings.ToLower(h.Get("Authorization")), "bearer ") {
		failure = `, error="invalid_token"`
		if d.need != "" {
			failure = `, error="insufficient_scope"`
			if !strings.ContainsFunc(d.need, func(c rune) bool { return c > '~' }) { // RFC 6750 section 3
				failure += `, scope="` + d.need + `"`
			}
		}
	}
	out := gatehouse.Header{}
	for name, values := range g.verifier.Challenges() {
		for _, v := range values {
			bearer := strings.HasPrefix(v, "Bearer ")
			if bearer {
				v += failure
			}
			if d.Status == http.StatusUnauthorized || bearer && failure != "" && d.need != "" {
				out[name] = append(out[name], v)
			}
		}
	}
	return out
}

// Problems writes denials as RFC 9457 problems, as the native API does. It is what a
// gate does by default.
func Problems(w http.ResponseWriter, _ *http.Request, d *Denial) {
	h := w.Header()
	for name, values := range d.Challenge {
		h[name] = append([]string(nil), values...)
	}
	h.Set("Content-Type", api.ProblemType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(api.Problem{Status: d.Status, Code: d.Code, Title: d.Title}) // the client is gone: nobody is left to tell
}

// The answers of CodeIgniter Shield 1.1.
const (
	shieldInvalid  = `{"message":"The access token is invalid."}`
	shieldActivate = `{"message":"You must activate your account before logging in."}`
)

// ShieldDenials writes denials as CodeIgniter Shield's filter hmac does: 401, the same
// body whatever the reason, a missing scope too, and no challenge. Where Shield has no
// answer (400, 413, 429, 503) they are [Problems].
//
// With it, g.Require("users-read") stands for the filter hmac:users-read.
func ShieldDenials(w http.ResponseWriter, r *http.Request, d *Denial) {
	shieldAnswer(w, r, d, http.StatusUnauthorized, shieldInvalid)
}

// ShieldActivationDenials is [ShieldDenials] for a Shield that demands activation: where
// the holder may not act and is neither banned nor deleted, and its key has the scopes,
// the answer is 403 and says so.
func ShieldActivationDenials(w http.ResponseWriter, r *http.Request, d *Denial) {
	if d.Decision != nil && d.Decision.Reason == gatehouse.ReasonPrincipalInactive && !d.lacks {
		if p := d.Decision.Principal; p != nil && p.State != gatehouse.PrincipalBanned && p.State != gatehouse.PrincipalDeleted {
			shieldAnswer(w, r, d, http.StatusForbidden, shieldActivate)
			return
		}
	}
	ShieldDenials(w, r, d)
}

func shieldAnswer(w http.ResponseWriter, r *http.Request, d *Denial, status int, body string) {
	if d.Status != http.StatusUnauthorized && d.Status != http.StatusForbidden {
		Problems(w, r, d)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client is gone: nobody is left to tell
}
