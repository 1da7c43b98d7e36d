// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/console"
)

// behind puts the console on another API.
func (h *house) behind(native http.HandlerFunc) {
	h.t.Helper()
	config := h.console
	config.API = native
	pages, err := console.New(config)
	h.must(err)
	mux := http.NewServeMux()
	gate.Mount(mux, pages.Routes())
	h.handler = mux
}

// Who guesses at codes is told how long to wait, by keys and by operators' forms.
func TestTooManyCodes(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("super@example.com", "superadmin")
	f := h.protect(a)
	b := h.stranger()
	b.signIn("super@example.com", password, f.code())
	other := h.person("holder@example.com", "")
	at := "/operate/accounts/" + other.UID
	b.get(at)
	var p page
	for range 12 {
		if p = b.post(at+"/state", "state", "banned", "confirm", lastFour(other), "code", "000000"); p.status == http.StatusTooManyRequests {
			break
		}
	}
	wait := func(p page) {
		t.Helper()
		p.expect(t, 429, "Too many attempts. Try again in 60 seconds.", `role="alert"`)
		if got := p.header.Get("Retry-After"); got != "60" {
			t.Errorf("Retry-After %q", got)
		}
	}
	wait(p)
	b.get("/keys/new")
	wait(b.post("/keys", "name", "typed", "scheme", "bearer", "expiry", "90", "code", "000000"))
	b.page.expect(t, 429, `value="typed"`)
	b.get("/service-accounts/new")
	wait(b.post("/service-accounts", "name", "nightly", "code", "000000"))
}

// What the API says of a failure reaches the browser: the status, and when to come again.
func TestStatusOfTheAPI(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.administrator("super@example.com")
	k := h.key(holder, "billing", "bearer")
	native := h.console.API
	for _, row := range []struct {
		problem   api.Problem
		again     string // Retry-After
		status    int
		wantAgain string
		want      string
	}{
		{api.Problem{Status: 403, Code: "forbidden", Title: "The caller may not do this"}, "", 403, "", "Your account may not do this."},
		{api.Problem{Status: 403, Code: "forbidden", Title: "T", Detail: "it takes a role"}, "", 403, "", "It takes a role."},
		{api.Problem{Status: 409, Code: "conflict", Title: "It changed meanwhile"}, "", 409, "", "It changed meanwhile."},
		{api.Problem{Status: 412, Code: "precondition_failed", Title: "T"}, "", 412, "", "Somebody"},
		{api.Problem{Status: 429, Code: "rate_limited", Title: "T"}, "7200", 429, "7200", "Try again in 120 minutes."},
		{api.Problem{Status: 429, Code: "rate_limited", Title: "T"}, "", 429, "", "Try again later."},
		{api.Problem{Status: 503, Code: "unavailable", Title: "T"}, "40", 503, "40", "A part that is needed does not answer"},
		{api.Problem{Status: 500, Code: "internal", Title: "T"}, "", 500, "", "The server&#39;s log says what."},
	} {
		h.behind(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				native.ServeHTTP(w, r)
				return
			}
			if row.again != "" {
				w.Header().Set("Retry-After", row.again)
			}
			w.Header().Set("Content-Type", api.ProblemType)
			w.WriteHeader(row.problem.Status)
			_, _ = fmt.Fprintf(w, `{"code":%q,"title":%q,"detail":%q}`, row.problem.Code, row.problem.Title, row.problem.Detail)
		})
		for _, form := range [][]string{
			{"/keys/new", "/keys", "scheme", "bearer", "expiry", "90"},
			{"/keys/" + k.Key.ID + "/edit", "/keys/" + k.Key.ID + "/edit", "version", "1", "expiry", "keep"},
			{"/keys/" + k.Key.ID + "/rotate", "/keys/" + k.Key.ID + "/rotate", "grace", "0"},
			{"/keys/" + k.Key.ID + "/disable", "/keys/" + k.Key.ID + "/disable"},
			{"/operate/accounts/" + holder.UID, "/operate/accounts/" + holder.UID + "/state", "state", "banned", "confirm", lastFour(holder)},
			{"/operate/tenants", "/operate/tenants", "name", "acme"},
			{"/operate/tenants/default", "/operate/tenants/default/text", "version", "1", "text", "x"},
			{"/operate/rules", "/operate/rules", "version", "0", "rules", `{"/": {"key": true}}`},
			{"/operate/rules", "/operate/rules/explain", "method", "GET", "url", "/"},
			{"/operate/audit", "/operate/audit/verify"},
		} {
			b.get(form[0]).expect(t, 200)
			p := b.post(form[1], form[2:]...)
			p.expect(t, row.status, row.want)
			if got := p.header.Get("Retry-After"); got != row.wantAgain {
				t.Errorf("%s with %d: Retry-After %q, want %q", form[1], row.problem.Status, got, row.wantAgain)
			}
		}
	}
}

// A list is asked for by its pages, and not from its start.
func TestListsAreReadByThePage(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	owner := h.person("owner@example.com", "")
	for i := range 120 {
		h.person(fmt.Sprintf("person%03d@example.com", i), "")
		h.keyOf(owner, gatehouse.NewKey{Name: fmt.Sprintf("key %03d", i)})
	}
	var asked []url.Values
	native := h.console.API
	h.behind(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/accounts" || r.URL.Path == "/v1/keys" {
			asked = append(asked, r.URL.Query())
		}
		native.ServeHTTP(w, r)
	})
	for _, list := range []string{"/operate/accounts", "/operate/keys"} {
		seen := map[string]bool{}
		at := list
		for n := 1; ; n++ {
			asked = nil
			p := b.get(at)
			for _, row := range regexp.MustCompile(`<th scope="row"><a href="([^"]+)"`).FindAllStringSubmatch(p.text, -1) {
				if seen[row[1]] {
					t.Errorf("%s: %s again", at, row[1])
				}
				seen[row[1]] = true
			}
			if len(asked) != 1 || asked[0].Get("limit") != "50" || asked[0].Has("cursor") != (n > 1) {
				t.Errorf("page %d of %s asks %v", n, list, asked)
			}
			if !strings.Contains(p.text, `rel="next"`) || n > 9 {
				break
			}
			at = p.link(t, "next")
		}
		if len(seen) < 120 {
			t.Errorf("%s: %d rows", list, len(seen))
		}
	}
	b.get("/operate/accounts?cursor=odd").expect(t, 422, `role="alert"`)
}

// A report is shown by the page.
func TestHygieneIsPaged(t *testing.T) {
	t.Parallel()
	h := open(t)
	owner, b := h.administrator("super@example.com")
	b.get("/operate/hygiene").expect(t, 200, "There is no active key")
	for i := range 60 {
		h.keyOf(owner, gatehouse.NewKey{Name: fmt.Sprintf("endless %d", i)})
	}
	p := b.get("/operate/hygiene")
	p.expect(t, 200, "endless 0", "never expires")
	if n := strings.Count(p.text, `<th scope="row">`); n != 50 {
		t.Errorf("%d findings", n)
	}
	p = b.get(p.link(t, "next"))
	if n := strings.Count(p.text, `<th scope="row">`); n != 10 || strings.Contains(p.text, `rel="next"`) {
		t.Errorf("%d findings: %v", n, p)
	}
	b.get(p.link(t, "first")).expect(t, 200, "endless 0")
	b.get("/operate/hygiene?from=4000").expect(t, 200, "There are no more.")
}

// Ids of imported keys may hold all that means something in an address. Every link to such a key
// leads to it.
func TestLinksToOddKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.administrator("super@example.com")
	for _, kid := range []string{"a/b", "50%", "%2F", "a?b=c", "a#b", "../x", "a//b", `"><img`, "a+b&c", "x;y=z", "edit/../x"} {
		h.adopt(holder, kid)
		h.must(h.store.InsertAttempts(t.Context(), []gatehouse.Attempt{{Time: time.Now(), Tenant: gatehouse.DefaultTenant, KeyID: kid, Outcome: "replayed"}}))
	}
	odd := map[string]bool{}
	for _, at := range []string{"/keys", "/operate", "/operate/keys", "/operate/hygiene", "/operate/accounts/" + holder.UID} {
		p := b.get(at)
		n := 0
		for _, link := range regexp.MustCompile(`href="(/keys/[^"]*)"[^>]*>(?:<bdi>|<code>)([^<]*)<`).FindAllStringSubmatch(p.text, -1) {
			n++
			kid := html.UnescapeString(link[2])
			odd[kid] = true
			to := b.get(html.UnescapeString(link[1]))
			if to.status != 200 || !strings.Contains(html.UnescapeString(to.text), `<dd class="mono">`+kid+"</dd>") {
				t.Errorf("%s: the link %s to %s: %d", at, link[1], kid, to.status)
			}
		}
		if n < 10 {
			t.Errorf("%s: %d links: %v", at, n, p)
		}
	}
	if len(odd) != 11 {
		t.Errorf("links to %v", odd)
	}
	const kid = "a/b?c#d%2F"
	h.adopt(holder, kid)
	path := "/keys/a%2Fb%3Fc%23d%252F"
	for _, what := range []string{"disable", "enable"} {
		b.get(path+"/"+what).expect(t, 200, html.EscapeString(kid))
		b.post(path+"/"+what).leads(t, path+"?done=key-"+what+"d")
	}
	b.get(path+"/edit").expect(t, 200, `action="`+path+`/edit"`)
	b.post(path+"/edit", "version", "3", "name", "odd", "expiry", "keep", "limits", "calls=5/1m+2").leads(t, path+"?done=key-changed")
	b.follow().expect(t, 200, "5 in 1m, 2 at once")
	b.get(path+"/edit").expect(t, 200, ">calls=5/1m&#43;2\n</textarea>")
	b.post(path+"/edit", "version", "4", "name", "odd", "expiry", "keep", "limits", "calls=some").expect(t, 422, "Limits: line 1 is not such as", "calls=some")
	b.get(path+"/rotate").expect(t, 200, `action="`+path+`/rotate"`)
	b.get("/operate/limits").expect(t, 200, "calls=5/1m&#43;2", `href="`+path+`"`)
}

// Who is signed out meanwhile is led to the sign-in by the script as well, that asks for a part of a
// page.
func TestPartOfAPageNeedsASession(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := httptest.NewRequest(http.MethodGet, "/operate/keys?text=a", http.NoBody)
	r.Header.Set("HX-Request", "true")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if to := w.Header().Get("HX-Redirect"); w.Code != 401 || to != "/sign-in?next=%2Foperate%2Fkeys%3Ftext%3Da" || w.Body.Len() > 0 {
		t.Errorf("%d to %q: %s", w.Code, to, w.Body)
	}
}
