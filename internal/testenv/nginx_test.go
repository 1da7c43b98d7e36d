// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/template"
)

const nginxOK = `
events {}
http {
	{{.Files}}
	server { listen {{.Listen}}; return 200 "ok"; }
}`

func TestNginx(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("serves", func(t *testing.T) {
		addr = Nginx(t, nginxOK)
		resp, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "ok" {
			t.Errorf("got %s %q, %v", resp.Status, body, err)
		}
	})
	if err := dial(context.Background(), addr); err == nil {
		t.Error("nginx outlives its test")
	}
}

func TestNginxWithFiles(t *testing.T) {
	t.Parallel()
	addr := NginxWith(t, "load_module modules/ndk_http_module.so;\nevents {}\nhttp { {{.Files}} include more/server.conf; }", NginxFiles{
		Texts:   map[string]string{"more/server.conf": "server { listen {{.Listen}}; return 204; }"},
		Modules: map[string]string{"ndk_http_module.so": "libnginx-mod-http-ndk"},
	})
	resp, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("got %s, want what the included file says", resp.Status)
	}
	missing := NginxFiles{Modules: map[string]string{"none.so": "some-package"}}
	if err := missing.link(t.TempDir()); err == nil || err.Error() != "none.so is not installed (Debian package some-package); run: make deps" {
		t.Errorf("a module that is not there: %v", err)
	}
}

func TestNginxSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	bin, err := program("nginx", "nginx-light", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		t.Fatal(err)
	}
	as, err := unprivileged("www-data", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := scratchDir("nginx", as)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text := template.Must(template.New("nginx.conf").Parse("events {} nonsense;"))
	if _, _, err := serveNginx(bin, text, dir, as); err == nil || !strings.Contains(err.Error(), `unknown directive "nonsense"`) {
		t.Errorf("got %v, want nginx's own words", err)
	}
}
