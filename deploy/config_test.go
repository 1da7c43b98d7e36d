// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed14544106/gatehouse/gate"
)

// identity is what a verdict says of who asks, by the names that it has in every answer.
func identity() (names []string) {
	new(gate.Verdict).Identity(func(name, _ string) { names = append(names, name) })
	names[0] = "Authorization" // the field of the JWT, which each gate names
	return names
}

// Each configuration hands on every field of the identity, and no other that it would take for one.
func TestIdentityInEveryConfiguration(t *testing.T) {
	t.Parallel()
	for file, line := range map[string]string{ // NAME stands for a field, in the spelling of the file
		"nginx/gatehouse/service.conf": `(?m)^proxy_set_header NAME +\$gate_[a-z]+;$`,
		"haproxy/haproxy.cfg":          `(?m)^    http-request set-header NAME +%\[var\(txn\.gatehouse\.[a-z_]+\)\]`,
		"caddy/Caddyfile":              `(?m)^\trequest_header NAME \{http\.reverse_proxy\.header\.NAME\}$`,
		"traefik/dynamic.yaml":         `(?m)^          - NAME$`,
		"envoy/envoy.yaml":             `(?m)^ +- remove: NAME$`, // gRPC says itself what to set
		"envoy/envoy-http.yaml":        `(?m)^ +- exact: NAME$`,
	} {
		text := readFile(t, file)
		for _, name := range identity() {
			if file == "envoy/envoy.yaml" && name == "Authorization" {
				continue // it is the client's credential until it was judged
			}
			spelled := name
			if strings.HasPrefix(file, "envoy/") {
				spelled = strings.ToLower(name)
			}
			if found := regexp.MustCompile(strings.ReplaceAll(line, "NAME", spelled)).FindAllString(text, -1); len(found) != 1 {
				t.Errorf("%s has %s %d times, want once", file, name, len(found))
			}
		}
	}
	if want := len(identityFields) + 1; len(identity()) != want {
		t.Errorf("the tests know %d fields of the identity, the gate %d", want, len(identity()))
	}
}

// Over HTTP Gatehouse names credentials only: what else goes is in Envoy's configuration.
func TestEnvoyStripsLies(t *testing.T) {
	t.Parallel()
	text := readFile(t, "envoy/envoy-http.yaml")
	for _, lie := range lies {
		if lie == "X-Forwarded-For" || lie == "X-Forwarded-Proto" {
			continue // Envoy says these
		}
		if !regexp.MustCompile(`(?m)^ +- remove: ` + strings.ToLower(lie) + `$`).MatchString(text) {
			t.Errorf("%s is not removed", lie)
		}
	}
}

// What Gatehouse can be told to read or write elsewhere, a gateway has by name: each file says where.
func TestSettingsInComments(t *testing.T) {
	t.Parallel()
	for file, settings := range map[string][]string{
		"nginx/gatehouse/service.conf":      {"shield.header"},
		"nginx/gatehouse/auth_request.conf": {"gate.token_field"},
		"ingress-nginx/ingress.yaml":        {"shield.header", "gate.token_field"},
		"haproxy/haproxy.cfg":               {"shield.header", "gate.token_field"},
		"caddy/Caddyfile":                   {"shield.header", "gate.token_field"},
		"traefik/dynamic.yaml":              {"shield.header", "gate.token_field"},
		"envoy/envoy-http.yaml":             {"shield.header", "gate.token_field"},
	} {
		text := readFile(t, file)
		for _, setting := range settings {
			if !regexp.MustCompile(`(?m)^\s*# .*` + regexp.QuoteMeta(setting)).MatchString(text) {
				t.Errorf("%s does not name %s", file, setting)
			}
		}
	}
}

func TestYAML(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"traefik/traefik.yaml", "traefik/dynamic.yaml", "envoy/envoy.yaml", "envoy/envoy-http.yaml"} {
		var content map[string]any
		if err := yaml.UnmarshalWithOptions([]byte(readFile(t, file)), &content, yaml.Strict()); err != nil || len(content) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	var dynamic struct {
		HTTP struct {
			Middlewares map[string]struct {
				ForwardAuth struct {
					Address                  string
					TrustForwardHeader       bool     `yaml:"trustForwardHeader"`
					ForwardBody              bool     `yaml:"forwardBody"`
					MaxBodySize              int64    `yaml:"maxBodySize"`
					MaxResponseBodySize      int64    `yaml:"maxResponseBodySize"`
					AuthResponseHeaders      []string `yaml:"authResponseHeaders"`
					AuthResponseHeadersRegex string   `yaml:"authResponseHeadersRegex"`
				} `yaml:"forwardAuth"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "traefik/dynamic.yaml")), &dynamic); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"gatehouse-ask": "/v1/authz/traefik", "gatehouse-ask-body": "/v1/authz/traefik/body"} {
		f := dynamic.HTTP.Middlewares[name].ForwardAuth
		withBody := name == "gatehouse-ask-body"
		if !strings.HasSuffix(f.Address, path) || f.TrustForwardHeader || f.MaxResponseBodySize <= 0 || f.ForwardBody != withBody || withBody && f.MaxBodySize != 1<<20 {
			t.Errorf("%s: %+v", name, f)
		}
		strips, err := regexp.Compile(f.AuthResponseHeadersRegex)
		if err != nil {
			t.Fatal(err)
		}
		for _, lie := range append(append(credentialFields, "Authorization", "X_Forwarded_For", "X.Auth.User"), lies...) {
			says := strings.HasPrefix(lie, "X-Forwarded-") && strings.Contains("For Host Proto", lie[len("X-Forwarded-"):]) || lie == "X-Real-Ip" // Traefik says these
			if strips.MatchString(lie) == says {
				t.Errorf("%s: %s is stripped: %v", name, lie, !says)
			}
		}
	}
}
