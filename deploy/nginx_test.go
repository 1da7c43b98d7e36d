// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// flavour is one of the configurations in the folder nginx.
type flavour struct {
	conf    string
	bodies  bool // the check has the client's body
	modules map[string]string
}

var flavours = map[string]flavour{
	"auth_request": {conf: "nginx.conf"},
	"lua": {conf: "nginx-lua.conf", bodies: true, modules: map[string]string{
		"ndk_http_module.so": "libnginx-mod-http-ndk", "ngx_http_lua_module.so": "libnginx-mod-http-lua",
	}},
	"njs": {conf: "nginx-njs.conf", bodies: true, modules: map[string]string{"ngx_http_js_module.so": "libnginx-mod-http-js"}},
}

// startNginx starts nginx with one of the configurations, in front of the service; gates are
// the addresses of who is asked. replace are further replacements in the configuration.
func startNginx(t *testing.T, f flavour, s *service, gates []string, replace ...string) string {
	t.Helper()
	const gate = "server 127.0.0.1:8082 max_fails=1 fail_timeout=1s;"
	lines := ""
	for _, addr := range gates {
		lines += strings.Replace(gate, "127.0.0.1:8082", addr, 1)
	}
	r := strings.NewReplacer(append(replace, // the first of two for the same text wins
		"listen 127.0.0.1:8000", "listen {{.Listen}}",
		gate, lines,
		"server 127.0.0.1:9000;", "server "+s.addr+";",
		"access_log /var/log/nginx/gatehouse.log", "{{.Files}} access_log {{.Dir}}/api.log",
	)...)
	files := testenv.NginxFiles{Texts: map[string]string{}, Modules: f.modules}
	for _, pattern := range []string{"nginx/*.js", "nginx/gatehouse/*.conf"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal("no files", pattern, err)
		}
		for _, name := range names {
			files.Texts[strings.TrimPrefix(name, "nginx/")] = r.Replace(readFile(t, name))
		}
	}
	return testenv.NginxWith(t, r.Replace(readFile(t, filepath.Join("nginx", f.conf))), files)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// eachFlavour runs a test in front of the house with each of the configurations.
func eachFlavour(t *testing.T, run func(t *testing.T, f flavour, s *site)) {
	h := openHouse(t)
	for name, f := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := startService(t)
			run(t, f, newSite(t, h, service, startNginx(t, f, service, []string{h.gate})))
		})
	}
}

// Every scheme passes, and the service knows who asks.
func TestNginxSchemes(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour, s *site) {
		for _, way := range ways {
			proof := "unavailable"
			if s.house.keys[way].Schemes[0] == "shield" || s.house.keys[way].Schemes[0] == "httpsig" {
				proof = "verified"
			}
			got := s.granted(t, s.send(t, ask{way: way}), way, proof)
			if got.Method != "GET" || got.Target != usualTarget || got.Host != publicHost || len(got.Body) != 0 {
				t.Errorf("%s: the service was sent %+v", way, got)
			}
		}
	})
}

// A JWT of many scopes fits into nginx's buffers.
func TestNginxLongJWT(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		r := s.send(t, ask{way: "wide"})
		if r.status != http.StatusOK || len(r.seen) != 1 || len(r.seen[0].Header.Get("X-Auth-Scopes")) < 3000 {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
}
