// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

const consoleScripts = "testdata/console"

// person is somebody at a browser.
type person struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

var (
	boss    = person{"admin@example.com", "Ozymandias-8472-kings"}
	member  = person{"holder@example.com", "Correct-horse-7-battery"}
	unlucky = person{"unlucky@example.com", "Correct-horse-7-battery"}
)

// browse is what a script is told.
type browse struct {
	Chromium string `json:"chromium"`
	URL      string `json:"url"`
	Fresh    string `json:"fresh,omitempty"`    // base URL of a server that nobody has set up
	Setup    string `json:"setup,omitempty"`    // the link that the server printed
	Outbox   string `json:"outbox,omitempty"`   // folder that mail is written to
	Path     string `json:"path,omitempty"`     // of commands that people copy from a page
	Pictures string `json:"pictures,omitempty"` // folder for pictures of pages; empty: none
	Holder   person `json:"holder"`
	Unlucky  person `json:"unlucky"`
	Operator person `json:"operator"`
}

// browsed is what a script has found out.
type browsed struct {
	Findings []string
	Took     map[string]int // milliseconds, of each journey
	Report   []painted
}

// painted is a page that was loaded.
type painted struct {
	Path  string
	Paint int // milliseconds until something was seen
	Bytes int // that the page loads
}

// chromium runs a script that drives Chromium. Everything that it finds fails the test.
func chromium(t *testing.T, script string, in browse) browsed {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		in.Chromium, err = exec.LookPath("chromium")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v, and CI is set", err)
		}
		t.Skipf("%v: the console is not tried in a browser", err)
	}
	if _, err := os.Stat(consoleScripts + "/node_modules"); err != nil {
		t.Fatal(consoleScripts + "/node_modules is missing: run make deps")
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), node, script)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = consoleScripts, bytes.NewReader(text), &stderr
	text, err = cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	var out browsed
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, text, stderr.String())
	}
	for _, f := range out.Findings {
		t.Error(f)
	}
	t.Logf("%s: %v", script, time.Since(began).Round(time.Millisecond))
	return out
}

// setupLink is the link that the server printed for the first administrator.
func (s *server) setupLink() string {
	return regexp.MustCompile(`http://\S+/setup\?token=\S+`).FindString(s.greeting)
}

// TestConsolePages looks at every page that links and forms lead to: what Chromium complains of, what axe-core
// finds in the light and in the dark, what sticks out of a narrow window, how much is loaded. With
// SCREENSHOTS it writes pictures into the folder of that name.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "", readyKey(t))
	fresh := serve(t, t.TempDir(), "", readyKey(t))
	fresh.forge()
	in := browse{
		URL: "http://" + s.addr, Outbox: filepath.Join(s.data(), "outbox"), Fresh: "http://" + fresh.addr, Setup: fresh.setupLink(),
		Pictures: os.Getenv("SCREENSHOTS"), Operator: boss, Holder: member,
	}
	s.furnish(in.Operator, in.Holder)
	out := chromium(t, "pages.mjs", in)
	if in.Pictures != "" {
		shrink(t, in.Pictures)
	}
	slices.SortFunc(out.Report, func(a, b painted) int { return cmp.Compare(a.Paint, b.Paint) })
	for _, r := range out.Report {
		t.Logf("%-40s first paint %4d ms %6d bytes", r.Path, r.Paint, r.Bytes)
	}
	if n := len(out.Report); n > 0 {
		t.Logf("first paint: median %d ms, worst %d ms (%s)", out.Report[n/2].Paint, out.Report[n-1].Paint, out.Report[n-1].Path)
	}
}

// forge changes the first event of the audit log behind the server's back.
func (s *server) forge() {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "gatehouse.db")+"?_pragma=busy_timeout(10000)")
	if err == nil {
		_, err = db.ExecContext(s.t.Context(), "UPDATE events SET subject = 'another' WHERE seq = 1")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestConsoleJourneys does in Chromium what people do: from the first start on, and from the making of a
// key to its end.
func TestConsoleJourneys(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "", readyKey(t))
	in := browse{
		URL: "http://" + s.addr, Outbox: filepath.Join(s.data(), "outbox"), Path: filepath.Dir(program(t)) + ":" + os.Getenv("PATH"),
		Setup: s.setupLink(), Operator: boss, Holder: member, Unlucky: unlucky,
	}
	for _, p := range []person{member, unlucky} {
		s.gatehouse(p.Password+"\n", "account", "create", p.Email, "--password-stdin")
	}
	out := chromium(t, "journeys.mjs", in)
	for name, ms := range out.Took {
		t.Logf("%-20s %5d ms", name, ms)
	}
}

// hostile are names that mean no good to whoever shows them.
var hostile = []string{
	`"><img src=x onerror=alert(1)>`, `</script><script>alert(1)</script>`, "{{.}} ${7*7} javascript:alert(1)",
	"invoice\u202egnp.exe", "e\u0301\u0301\u0301 \u200b\ufeff", strings.Repeat("WWWWWWWWWW", 25), strings.Repeat("a word ", 36),
}

// furnish makes accounts and keys of every kind, and uses some.
func (s *server) furnish(operator, holder person) {
	s.t.Helper()
	ctx, c := s.t.Context(), s.client()
	s.gatehouse(operator.Password+"\n", "account", "create", operator.Email, "--role", "superadmin", "--password-stdin")
	s.gatehouse(holder.Password+"\n", "account", "create", holder.Email, "--password-stdin")
	soon, over := time.Now().Add(3*24*time.Hour), time.Now().Add(time.Second)
	evening := time.Date(time.Now().Year()+2, 1, 31, 20, 0, 0, 0, time.UTC) // which is another day in Kolkata
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	key := func(n api.NewKey) api.CreatedKey {
		n.Owner = cmp.Or(n.Owner, holder.Email)
		n.Schemes = append(n.Schemes, "bearer")
		k, err := c.CreateKey(ctx, n)
		must(err)
		return k
	}
	for _, name := range hostile {
		key(api.NewKey{Name: name, Metadata: map[string]string{"team": name}})
	}
	key(api.NewKey{Name: "ends soon", Expires: &soon, Scopes: []string{"orders:read", "orders:write"}})
	key(api.NewKey{Name: "ended", Expires: &over})
	key(api.NewKey{Name: "ends in the evening", Expires: &evening})
	asleep, gone := key(api.NewKey{Name: "asleep"}), key(api.NewKey{Name: "gone"})
	_, err := c.DisableKey(ctx, asleep.ID)
	must(err)
	_, err = c.RevokeKey(ctx, gone.ID, "the laptop was stolen")
	must(err)
	forged := gone
	forged.Token = gone.Token[:len(gone.Token)-1] + "~"
	for _, k := range []api.CreatedKey{asleep, gone, forged, key(api.NewKey{Name: "begins later", NotBefore: &soon})} {
		s.uses(k, http.StatusUnauthorized)
	}
	s.uses(key(api.NewKey{Name: "of another network", Networks: []string{"192.0.2.0/24"}}), http.StatusForbidden)
	robot, err := c.CreateServiceAccount(ctx, api.NewServiceAccount{Name: "invoices", Owner: holder.Email})
	must(err)
	key(api.NewKey{Owner: robot.UID, Name: "nightly run"})
	_, err = c.CreateTenant(ctx, api.NewTenant{Name: "acme", Text: "Acme & <b>sons</b>", Limits: []api.Limit{{Name: "all", Count: 1000, Period: 60_000}}})
	must(err)
	many := key(api.NewKey{
		Name: "storefront", Schemes: []string{"barong", "httpsig"}, Scopes: []string{"orders:read", "orders:write", "invoices:read"},
		Networks: []string{"127.0.0.0/8", "2001:db8::/32"}, Metadata: map[string]string{"team": "web", "ticket": "OPS-4711"},
	})
	for range 20 {
		s.uses(many, http.StatusOK)
	}
	_, err = c.DisableKey(ctx, many.ID)
	must(err)
	s.uses(many, http.StatusUnauthorized)
	_, err = c.EnableKey(ctx, many.ID)
	must(err)
	_, err = c.RotateKey(ctx, many.ID, api.Rotate{Grace: 86400})
	must(err)
	s.uses(many, http.StatusOK)
}

// uses presents the key as a bearer token.
func (s *server) uses(k api.CreatedKey, status int) {
	s.t.Helper()
	h := holder{t: s.t, base: "http://" + s.addr}
	h.must(status, h.call(http.MethodGet, "/v1/self", nil, "Authorization", "Bearer "+k.Token))
}
