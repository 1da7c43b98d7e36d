// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates. Each page is the layout with its own main part.
type pages struct{ byName map[string]*template.Template }

// view is what the layout shows around a page. Templates find what is the page's own in Page.
type view struct {
	Title    string
	Site     string
	Version  string
	Account  *shownAccount // nil: nobody is signed in
	Operator bool
	CSRF     string // goes back with every form: {{template "csrf" $}}
	Code     bool   // a change takes a code of the second factor: {{template "code" $}}
	Once     string // a new key of idempotency, for forms that make something
	Mails    bool   // mail is sent; otherwise the operator has it in files: {{template "no-mail" $}}
	Path     string // of the request
	Notice   string // of what has been done
	Page     any
}

// shownAccount is who is signed in.
type shownAccount struct {
	UID, Email, Role string
	Pending          bool // the address is not confirmed: it makes no keys
}

// notices are what a page says after something was done, by the word in its query.
var notices = map[string]string{
	"signed-out":   "You are signed out.",
	"session-over": "Your session has ended. Sign in again: what you sent has not been done.",
}

// allNotices are those of every file that has some.
var allNotices = []map[string]string{
	notices,
	keyNotices,
	serviceNotices,
	operateNotices,
	joinNotices,
	accountNotices,
	recoveryNotices,
}

// notice is what the word says; empty: nothing.
func notice(word string) string {
	for _, some := range allNotices {
		if text := some[word]; text != "" {
			return text
		}
	}
	return ""
}

func loadPages(a *assets) (*pages, error) {
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{
		"asset": a.url, "time": timeTag, "ago": agoTag, "bytes": byteSize, "plural": plural, "current": current,
		"join": strings.Join, "limits": limitLines, "now": func() time.Time { return time.Now().UTC() },
		"keyAt": keyAt, "accountAt": accountAt, "tenantAt": tenantAt, "span": limitSpan,
	}
	base, err := template.New("").Funcs(funcs).ParseFS(pageFiles, "pages/layout.html")
	if err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	out := &pages{byName: map[string]*template.Template{}}
	for _, name := range names {
		short := strings.TrimPrefix(name, "pages/")
		if short == "layout.html" {
			continue
		}
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(pageFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("read page %s: %w", short, err)
		}
		out.byName[short] = page
	}
	return out, nil
}

// show writes a page. It is whole before anything is sent.
func (v *visit) show(status int, name, title string, page any) error {
	t := v.pages.byName[name]
	if t == nil {
		return fmt.Errorf("no page %s", name)
	}
	data := view{Title: title, Site: v.Name, Version: v.Version, Mails: v.MailServer != "", Path: cmp.Or(v.place, v.r.URL.Path), Notice: notice(v.r.URL.Query().Get("done")), Once: rand.Text(), Page: page}
	if v.account != nil {
		data.Account = &shownAccount{UID: v.account.UID, Email: v.account.Email, Role: v.account.Role, Pending: v.account.State == gatehouse.PrincipalPending}
		data.Operator, data.CSRF, data.Code = v.operates(), v.session.CSRF, v.account.OTP
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", data); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	gone := v.r.Context().Err() != nil
	v.w.WriteHeader(status)
	_, err := v.w.Write(b.Bytes())
	if err == nil {
		err = http.NewResponseController(v.w).Flush()
	}
	// Where the client is gone nobody is left to tell, but whoever asked what became of the page.
	v.shown = !gone && (err == nil || errors.Is(err, http.ErrNotSupported))
	return nil
}

// hygiene sets what every page carries: no framing, no scripts and styles but our own files,
// nothing stored, no address of ours told to others (a link may hold a secret).
func hygiene(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer browsers send forms with "Origin: null"
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
