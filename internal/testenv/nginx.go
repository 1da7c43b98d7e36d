// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
)

// nginxNames is what a configuration may refer to.
type nginxNames struct {
	Listen string // 127.0.0.1:port, for the listen directive
	Dir    string // an empty folder of this nginx
	Files  string // directives for the http block that keep nginx's own files in Dir
}

// nginxFiles moves every path that nginx was built with, most of which only root may write.
const nginxFiles = `access_log %[1]s/access.log;
client_body_temp_path %[1]s/body;
proxy_temp_path %[1]s/proxy;
fastcgi_temp_path %[1]s/fastcgi;
uwsgi_temp_path %[1]s/uwsgi;
scgi_temp_path %[1]s/scgi;`

// Nginx starts nginx with the configuration and returns the address that it listens on. It ends with the
// test; if the test fails, nginx's error log is part of the test's output.
//
// The configuration is the whole text of an nginx.conf and a template of package text/template.
// {{.Listen}} is the address to listen on, {{.Dir}} an empty folder, and {{.Files}} stands in the http
// block for the directives that keep nginx's own files in that folder:
//
//	events {}
//	http {
//		{{.Files}}
//		server { listen {{.Listen}}; return 200 "ok"; }
//	}
//
// The configuration sets neither daemon nor pid nor user.
func Nginx(tb testing.TB, conf string) (addr string) {
	tb.Helper()
	return NginxWith(tb, conf, NginxFiles{})
}

// NginxFiles is what a configuration finds beside itself.
type NginxFiles struct {
	// Texts are files by their path below the configuration's folder, for include and js_import. They
	// are templates as the configuration is.
	Texts map[string]string
	// Modules are names of Debian packages by the name of the module that each holds, which is then
	// loaded by: load_module modules/NAME;
	Modules map[string]string
}

// moduleFolders is where nginx's modules lie, by distribution.
var moduleFolders = []string{"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"}

// NginxWith is [Nginx] for a configuration of several files or with modules.
func NginxWith(tb testing.TB, conf string, files NginxFiles) (addr string) {
	tb.Helper()
	bin, err := program("nginx", "nginx-light", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	texts, err := files.parse(conf)
	if err != nil {
		tb.Fatalf("testenv: read nginx configuration: %v", err)
	}
	as, err := unprivileged("www-data", "nobody")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	dir, err := scratchDir("nginx", as)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := files.link(dir); err != nil {
		tb.Fatalf("testenv: %v", err)
	}

	p, addr, err := serveNginx(bin, texts, dir, as)
	if err != nil {
		tb.Fatalf("testenv: start nginx: %v", err)
	}
	tb.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if tb.Failed() {
			tb.Logf("nginx at %s:\n%s", addr, p.output())
		}
	})
	return addr
}

// parse reads the configuration and the files beside it, the configuration as nginx.conf.
func (f NginxFiles) parse(conf string) (*template.Template, error) {
	texts, err := template.New("nginx.conf").Parse(conf)
	for name, text := range f.Texts {
		if err == nil {
			_, err = texts.New(name).Parse(text)
		}
	}
	return texts, err
}

// link lets modules/NAME below the folder be the system's modules.
func (f NginxFiles) link(dir string) error {
	if len(f.Modules) == 0 {
		return nil
	}
	for _, folder := range moduleFolders {
		if _, err := os.Stat(folder); err == nil {
			for name, debian := range f.Modules {
				if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
					return fmt.Errorf("%s is not installed (Debian package %s); run: make deps", name, debian)
				}
			}
			return os.Symlink(folder, filepath.Join(dir, "modules"))
		}
	}
	return fmt.Errorf("no folder of nginx's modules; run: make deps")
}

// serveNginx starts nginx on a free port and returns once it accepts connections.
func serveNginx(bin string, texts *template.Template, dir string, as *account) (*process, string, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		conf := filepath.Join(dir, "nginx.conf")
		if err := writeNginx(dir, texts, nginxNames{Listen: addr, Dir: dir, Files: fmt.Sprintf(nginxFiles, dir)}); err != nil {
			return nil, "", err
		}
		pid := filepath.Join(dir, "nginx.pid")
		cmd := exec.Command(bin, "-p", dir, "-c", conf, "-e", "stderr", "-g", "daemon off; pid "+pid+";")
		cmd.Dir = dir
		p, err := start(cmd, filepath.Join(dir, "error.log"), as, syscall.SIGTERM)
		if err != nil {
			return nil, "", err
		}
		err = await(p.Done, func(ctx context.Context) error {
			// nginx writes the file after it has its ports, so that what answers is this nginx.
			if _, err := os.Stat(pid); err != nil {
				return err
			}
			return dial(ctx, addr)
		})
		if err == nil {
			return p, addr, nil
		}
		p.stop(syscall.SIGTERM)
		if attempt == attempts || !p.lostPort() {
			return nil, "", fmt.Errorf("%w\n%s", err, p.output())
		}
	}
}

// writeNginx writes every file of a configuration.
func writeNginx(dir string, texts *template.Template, names nginxNames) error {
	for _, text := range texts.Templates() {
		var b strings.Builder
		if err := text.Execute(&b, names); err != nil {
			return fmt.Errorf("write nginx configuration: %w", err)
		}
		path := filepath.Join(dir, text.Name())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write nginx configuration: %w", err)
		}
		// Readable for the account that nginx runs as; the folder keeps others out.
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			return fmt.Errorf("write nginx configuration: %w", err)
		}
	}
	return nil
}
