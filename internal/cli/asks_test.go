// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asks are command lines and what they ask a server, line by line; empty: they are wrong
// use.
var asks = map[string]string{
	"key create --owner a --scheme bearer --expires 2027-01-31T00:00:00Z --not-before 2026-01-31T00:00:00Z --network 192.0.2.0/24 --method GET --path /a,b --signed-only --limit l=5/1s --quota q=6/week --meta a=b,c --unused 1h": `POST /v1/keys {"owner":"a","schemes":["bearer"],"expires":"2027-01-31T00:00:00Z","unused_s":3600,"not_before":"2026-01-31T00:00:00Z","networks":["192.0.2.0/24"],"methods":["GET"],"paths":["/a,b"],"signed_only":true,"limits":[{"name":"l","count":5,"period_ms":1000},{"name":"q","count":6,"refill":"week"}],"metadata":{"a":"b,c"}}`,
	"key list --owner a --state active --state revoked --scheme bearer --scope s --expires-before 2027-01-31T00:00:00Z --unused-since 2026-01-31T00:00:00Z --meta a=b --text t":                                                    "GET /v1/keys?expires_before=2027-01-31T00%3A00%3A00Z&limit=500&metadata=a%3Db&owner=a&scheme=bearer&scope=s&state=active&state=revoked&text=t&unused_since=2026-01-31T00%3A00%3A00Z",
	"key show k":          "GET /v1/keys/k",
	"key show a/b?c":      "GET /v1/keys/a%2Fb%3Fc",
	"key update k":        "PATCH /v1/keys/k {}",
	"key update k --name": "",
	"key update k --if-version 7 --name= --scheme bearer --scope a,b --network ::/0 --no-signed-only --limit l=5/1s --meta a=b --replay window --expires 2027-01-31T00:00:00Z --not-before never --unused 1h": `PATCH /v1/keys/k If-Match:"7" {"name":"","schemes":["bearer"],"scopes":["a","b"],"networks":["::/0"],"signed_only":false,"limits":[{"name":"l","count":5,"period_ms":1000}],"metadata":{"a":"b"},"replay":"window","not_before":"never","expires":"2027-01-31T00:00:00Z","unused_s":3600}`,
	"key update k --clear scopes,networks,methods,paths,limits,metadata,not-before,expires,unused":                                                                                                            `PATCH /v1/keys/k {"scopes":[],"networks":[],"methods":[],"paths":[],"limits":[],"metadata":{},"not_before":"never","expires":"never","unused_s":0}`,
	"key disable k":                            "POST /v1/keys/k/disable {}",
	"key enable k":                             "POST /v1/keys/k/enable {}",
	"key revoke k --yes --reason lost":         `POST /v1/keys/k/revoke {"reason":"lost"}`,
	"key revoke --all --owner a -y":            `POST /v1/keys/revoke {"owner":"a"}`,
	"key revoke --all --owner a --scheme s -y": `POST /v1/keys/revoke {"owner":"a","scheme":"s"}`,
	"key revoke --all --text t -y":             "GET /v1/keys?limit=500&text=t",
	"key delete k --yes":                       "DELETE /v1/keys/k",
	"key rotate k --grace 30d":                 `POST /v1/keys/k/rotate {"grace_s":2592000}`,
	"key rotate k --grace 0":                   `POST /v1/keys/k/rotate {"grace_s":0}`,
	"key rotate k":                             `POST /v1/keys/k/rotate {"grace_s":86400}`,
	"key rotation show k":                      "GET /v1/keys/k/rotation?quiet=86400",
	"key rotation finish k --yes":              "POST /v1/keys/k/rotation/finish {}",
	"key rotation cancel k --yes":              "POST /v1/keys/k/rotation/cancel {}",
	"key rotation extend k --grace 8w":         `POST /v1/keys/k/rotation/extend {"grace_s":4838400}`,
	"key usage k --grain hour --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z": "GET /v1/keys/k/usage?from=2026-01-31T00%3A00%3A00Z&grain=hour&to=2026-02-01T00%3A00%3A00Z",
	"key attempts k": "GET /v1/attempts?key=k&limit=100",
	"key verify --any-scope a --scope b --cost 5 --rules": `POST /v1/verify {"method":"GET","target":"/","headers":{"A":["b"]},"scopes":["b"],"any_scope":["a"],"cost":5,"rules":true}`,
	"key verify-batch":     `POST /v1/verify/batch {"checks":[{"headers":{"A":["b"]}}]}`,
	"account create a@b.c": `POST /v1/accounts {"email":"a@b.c","role":"member","state":"active"}`,
	"account list --kind service --owner a --state active --role r":     "GET /v1/accounts?kind=service&limit=500&owner=a&role=r&state=active",
	"service-account list --owner a":                                    "GET /v1/service-accounts?limit=500&owner=a",
	"account list":                                                      "GET /v1/accounts?limit=500",
	"account show a@b.c":                                                "GET /v1/accounts/a@b.c",
	"account update a --role admin --level 3 --limit l=5/1s":            "GET /v1/accounts/a\n" + `PATCH /v1/accounts/a {"role":"admin","level":3,"limits":[{"name":"l","count":5,"period_ms":1000}]}`,
	"account update a --clear limits":                                   `PATCH /v1/accounts/a {"limits":[]}`,
	"account state a banned":                                            `POST /v1/accounts/a/state {"state":"banned"}`,
	"account reset-otp a":                                               "POST /v1/accounts/a/reset-otp {}",
	"service-account create build7 --owner a --role r --quota q=6/hour": `POST /v1/service-accounts {"name":"build7","owner":"a","role":"r","limits":[{"name":"q","count":6,"refill":"hour"}]}`,
	"service-account list":                                              "GET /v1/service-accounts?limit=500",
	"tenant create acme --text T":                                       `POST /v1/tenants {"name":"acme","text":"T"}`,
	"revocations":                                                       "GET /v1/revocations",
	"tenant list":                                                       "GET /v1/tenants",
	"tenant show acme":                                                  "GET /v1/tenants/acme",
	"tenant update acme --if-version 2 --state disabled --text=":        `PATCH /v1/tenants/acme If-Match:"2" {"text":"","state":"disabled"}`,
	"tenant remove acme --yes":                                          "DELETE /v1/tenants/acme",
	"rules show":                                                        "GET /v1/rules",
	"rules set RULES":                                                   `PUT /v1/rules If-Match:* {"rules":{"GET /orders":"orders:read"}}`,
	"rules set --if-version 3 RULES":                                    `PUT /v1/rules If-Match:"3" {"rules":{"GET /orders":"orders:read"}}`,
	"rules clear --yes":                                                 `DELETE /v1/rules If-Match:*`,
	"rules clear --yes --if-version 3":                                  `DELETE /v1/rules If-Match:"3"`,
	"rules explain GET https://a.test:8443/orders?x":                    `POST /v1/rules/explain {"method":"GET","authority":"a.test:8443","target":"/orders?x"}`,
	"rules explain GET https://a.test?x":                                `POST /v1/rules/explain {"method":"GET","authority":"a.test","target":"/?x"}`,
	"rules explain GET /orders?x":                                       `POST /v1/rules/explain {"method":"GET","target":"/orders?x"}`,
	"audit list --subject s --verb key.create,key.revoke --outcome denied --actor a --from 2026-01-31T00:00:00Z": "GET /v1/audit?actor=a&from=2026-01-31T00%3A00%3A00Z&limit=500&outcome=denied&subject=s&verb=key.create&verb=key.revoke",
	"audit export":                   "GET /v1/audit?limit=500&order=asc",
	"audit verify --seq 3 --hash AB": `POST /v1/audit/verify {"seq":3,"hash":"ab"}`,
	"usage":                          "GET /v1/usage",
	"hygiene --days 30 --limit 5":    "GET /v1/hygiene?days=30&limit=5\nGET /v1/rules",
	"signing-key list":               "GET /v1/signing-keys",
	"signing-key rotate":             "POST /v1/signing-keys/rotate {}",
	"self":                           "GET /v1/self",
	"self revoke --yes --reason r":   `POST /v1/self/revoke {"reason":"r"}`,
	"openapi":                        "GET /v1/openapi.json",
}

// Every command asks for what it says.
func TestWhatCommandsAsk(t *testing.T) {
	t.Parallel()
	rules := file(t, 0o644, "[rules]\n\"GET /orders\" = \"orders:read\"\n")
	const checks = `{"headers":{"A":["b"]}}` + "\n"
	for args, want := range asks {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			in := checks
			if strings.HasPrefix(args, "key verify ") {
				in = "A: b\n"
			}
			s := stub(t, http.StatusOK, `{"sound":true,"granted":true,"secret":"s","decisions":[{"granted":true}],"outcome":"key","pattern":"/"}`)
			for _, format := range []string{"table", "json", "yaml"} {
				s.lines = nil
				words := append([]string{"--server", s.URL, "--format", format}, strings.Fields(strings.ReplaceAll(args, "RULES", rules))...)
				got := command(in, withToken, words...)
				if want == "" {
					if got.code != exitUsage {
						t.Errorf("%+v", got)
					}
				} else if diff := cmp.Diff(strings.Split(want, "\n"), s.lines); diff != "" || got.code != exitDone {
					t.Errorf("%+v, asked (-want +got):\n%s", got, diff)
				}
			}
		})
	}
}

// There is a command for every route of the API, but for those that only browsers read, and
// those whose commands are tested with a server.
func TestCommandsAreComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil || len(doc.Paths) < 10 {
		t.Fatalf("%d paths, %v", len(doc.Paths), err)
	}
	elsewhere := regexp.MustCompile(`^/v1/(docs|keyring|cluster|keys/import)`)
	variable := regexp.MustCompile(`\\{[a-z]+\\}`)
	for path, methods := range doc.Paths {
		if elsewhere.MatchString(path) {
			continue
		}
		for method := range methods {
			asked := regexp.MustCompile("^" + strings.ToUpper(method) + " " + variable.ReplaceAllString(regexp.QuoteMeta(path), "[^/? ]+") + "([? ]|$)")
			found := false
			for _, want := range asks {
				found = found || asked.MatchString(want)
			}
			if !found {
				t.Errorf("no command asks %s %s", strings.ToUpper(method), path)
			}
		}
	}
}
