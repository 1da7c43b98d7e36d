// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// bridge is what every exported error of the grounds becomes. A status of 0 marks one
// that no verb of this API returns; why says so.
var bridge = map[string]struct {
	err    error
	status int
	code   string
	why    string
}{
	"gatehouse.ErrNotFound":        {err: gatehouse.ErrNotFound, status: 404, code: "not_found"},
	"gatehouse.ErrExists":          {err: gatehouse.ErrExists, status: 409, code: "exists"},
	"gatehouse.ErrConflict":        {err: gatehouse.ErrConflict, status: 409, code: "conflict"},
	"gatehouse.ErrRepeated":        {err: gatehouse.ErrRepeated, status: 409, code: "repeated"},
	"gatehouse.ErrForbidden":       {err: gatehouse.ErrForbidden, status: 403, code: "forbidden"},
	"gatehouse.ErrUnavailable":     {err: gatehouse.Unavailable("x", errors.New("y")), status: 503, code: "unavailable"},
	"gatehouse.RetryError":         {err: gatehouse.BelowFloor(time.Second), status: 503, code: "unavailable"},
	"gatehouse.InvalidError":       {err: &gatehouse.InvalidError{Field: "f", Problem: "p"}, status: 422, code: "invalid"},
	"account.ErrBusy":              {err: account.ErrBusy, status: 503, code: "unavailable"},
	"account.ErrSpent":             {err: account.ErrSpent, status: 409, code: "spent"},
	"account.ErrLastAdministrator": {err: account.ErrLastAdministrator, status: 409, code: "conflict"},
	"account.ErrOTPOff":            {err: account.ErrOTPOff, status: 409, code: "otp_off"},
	"account.PasswordError":        {err: &account.PasswordError{}, status: 422, code: "invalid"},
	"account.ThrottledError":       {err: &account.ThrottledError{}, status: 429, code: "rate_limited"},
	"account.ErrCodeMissing":       {err: account.ErrCodeMissing, status: 403, code: "code_missing"},
	"account.ErrCodeInvalid":       {err: account.ErrCodeInvalid, status: 403, code: "code_invalid"},
	"account.ErrCodeUsed":          {err: account.ErrCodeUsed, status: 403, code: "code_invalid"},
	"account.TakenError":           {err: &account.TakenError{Field: "email"}, status: 409, code: "exists"},

	"account.ErrCredentials":     {why: "nobody signs in here"},
	"account.ErrInactive":        {why: "nobody signs in here"},
	"account.StateError":         {why: "nobody signs in here"},
	"account.ErrOTPOn":           {why: "no verb here turns the factor on"},
	"account.ErrNoSession":       {why: "there are no sessions here"},
	"account.ErrSessionMismatch": {why: "there are no sessions here"},
	"account.ErrPasswordSame":    {why: "no verb here changes a password"},
	"account.ErrPasswordTooLong": {why: "the policy says it first, as a PasswordError"},
	"account.ErrHashFormat":      {why: "no verb here checks a password"},
	"account.ErrPolicy":          {why: "policies are compiled at the start"},
}

func TestEveryErrorCrossesTheBridge(t *testing.T) {
	t.Parallel()
	var known, listed []string
	known = append(exportedErrors(t, "../..", "gatehouse"), exportedErrors(t, "../../account", "account")...)
	for _, name := range known {
		if _, ok := bridge[name]; !ok {
			t.Errorf("%s has no row here: what does it become?", name)
		}
	}
	for name, row := range bridge {
		listed = append(listed, name)
		if row.status == 0 {
			continue
		}
		p := problem(fmt.Errorf("verb object: %w", row.err))
		if p.Status != row.status || p.Code != row.code || p.Title == "" || p.Ref != "" {
			t.Errorf("%s becomes %+v", name, p)
		}
	}
	if len(listed) != len(known) {
		t.Errorf("%d errors are listed, the sources have %d: %v", len(listed), len(known), known)
	}
}

func TestEveryRowOfTheBridge(t *testing.T) {
	t.Parallel()
	type row struct {
		status int
		code   string
	}
	want := map[error]row{
		account.ErrBusy: {503, "unavailable"}, gatehouse.ErrUnavailable: {503, "unavailable"}, context.DeadlineExceeded: {503, "unavailable"},
		gatehouse.ErrNotFound: {404, "not_found"}, gatehouse.ErrExists: {409, "exists"}, gatehouse.ErrConflict: {409, "conflict"},
		gatehouse.ErrForbidden: {403, "forbidden"}, gatehouse.ErrRepeated: {409, "repeated"}, account.ErrSpent: {409, "spent"}, account.ErrOTPOff: {409, "otp_off"},
		account.ErrCodeMissing: {403, "code_missing"}, account.ErrCodeInvalid: {403, "code_invalid"}, account.ErrCodeUsed: {403, "code_invalid"},
		account.ErrLastAdministrator: {409, "conflict"},
	}
	if len(problems) != len(want) {
		t.Errorf("the bridge has %d rows, this test %d", len(problems), len(want))
	}
	for _, p := range problems {
		got := problem(fmt.Errorf("x: %w", p.err))
		if diff := cmp.Diff(api.Problem{Status: want[p.err].status, Code: want[p.err].code, Title: p.title}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", p.err, diff)
		}
	}
	for err, want := range map[error]api.Problem{
		&gatehouse.InvalidError{Field: "f", Problem: "p"}: {Status: 422, Code: "invalid", Field: "f", Detail: "p"},
		&account.PasswordError{}:                          {Status: 422, Code: "invalid", Field: "password", Detail: (&account.PasswordError{}).Error()},
		&account.TakenError{Field: "username"}:            {Status: 409, Code: "exists", Field: "username"},
		errors.New("x"):                                   {Status: 500, Code: "internal"},
	} {
		got := problem(fmt.Errorf("x: %w", err))
		got.Title = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// exportedErrors reads, from the sources in dir, the exported variables whose names
// begin with Err and the exported types with a method Error.
func exportedErrors(t *testing.T, dir, pkg string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources in %s: %v", dir, err)
	}
	var names []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			for _, name := range errorNames(d) {
				names = append(names, pkg+"."+name)
			}
		}
	}
	return names
}

func errorNames(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.GenDecl:
		for _, s := range d.Specs {
			v, ok := s.(*ast.ValueSpec)
			for i := 0; ok && d.Tok == token.VAR && i < len(v.Names); i++ {
				if strings.HasPrefix(v.Names[i].Name, "Err") {
					names = append(names, v.Names[i].Name)
				}
			}
		}
	case *ast.FuncDecl:
		if d.Name.Name != "Error" || d.Recv == nil {
			return nil
		}
		of := d.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if id, ok := of.(*ast.Ident); ok && id.IsExported() {
			names = append(names, id.Name)
		}
	}
	return names
}

// What has no row is ours to read in the log, and nobody else's.
func TestInternalTellsNothing(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := &Handler{c: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	w := httptest.NewRecorder()
	h.fail(w, httptest.NewRequest(http.MethodGet, "/v1/keys", nil), errors.New("cause-of-it"))
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(api.Problem{Status: 500, Code: "internal", Title: p.Title, Ref: p.Ref}, p); diff != "" || p.Ref == "" || w.Code != 500 {
		t.Errorf("%d (-want +got):\n%s", w.Code, diff)
	}
	if strings.Contains(w.Body.String(), "cause") || !strings.Contains(log.String(), "cause-of-it") || !strings.Contains(log.String(), p.Ref) {
		t.Errorf("answer %s, log %s", w.Body, log.String())
	}
	if w.Header().Get("Retry-After") != "" {
		t.Error("a mistake of ours does not pass by waiting")
	}
}

// TestRetryAfter: the answer says when a dependency will be back that knows it, and when the
// next guess is free; the log is not told of each request meanwhile.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"1": gatehouse.Unavailable("x", errors.New("gone")), "7": gatehouse.BelowFloor(6001 * time.Millisecond),
		"865": &account.ThrottledError{RetryAfter: 864*time.Second + 1},
	} {
		status := http.StatusServiceUnavailable
		if want == "865" {
			status = http.StatusTooManyRequests
		}
		var log strings.Builder
		h := &Handler{c: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		w := httptest.NewRecorder()
		h.fail(w, httptest.NewRequest(http.MethodGet, "/v1/verify", nil), err)
		var verb huma.HeadersError
		if !errors.As(h.answerFor(t.Context(), &route{}, &caller{}, err), &verb) || verb.GetHeaders().Get("Retry-After") != want {
			t.Errorf("%v: a verb answers %v", err, verb)
		}
		if w.Code != status || w.Header().Get("Retry-After") != want || (log.Len() > 0) != (want == "1") {
			t.Errorf("%v: %d after %q, log %q", err, w.Code, w.Header().Get("Retry-After"), log.String())
		}
	}
}

func TestMillisRoundsUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000} {
		if got := millis(d); got != want {
			t.Errorf("millis(%d) = %d, want %d", d, got, want)
		}
	}
}

// noSigning has no keys yet.
type noSigning struct{}

func (noSigning) List(context.Context) ([]api.SigningKey, error) { return nil, nil }
func (noSigning) Rotate(context.Context, gatehouse.Actor) error  { return gatehouse.ErrConflict }

func TestNoSigningKeyToRotate(t *testing.T) {
	t.Parallel()
	h := &Handler{c: Config{Signing: noSigning{}}}
	_, err := h.rotateSigningKeys(t.Context(), &caller{}, nil)
	if p := problem(err); p.Code != "conflict" || !strings.HasPrefix(p.Detail, "no key can have a next one now: ") {
		t.Errorf("nothing to rotate: %+v", p)
	}
}
