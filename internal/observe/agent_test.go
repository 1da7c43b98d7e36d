// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/observe"
)

func TestAgentClass(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"":                       "none",
		"curl/8.5.0":             "curl",
		"CURL/8.5.0":             "curl",
		"Wget/1.21.4":            "wget",
		"Go-http-client/1.1":     "go",
		"python-requests/2.32.3": "python",
		"Python-urllib/3.12":     "python",
		"aiohttp/3.9":            "python",
		"node":                   "node",
		"axios/1.7.2":            "node",
		"Java/17.0.2":            "java",
		"okhttp/4.12.0":          "java",
		"Apache-HttpClient/5.3":  "java",
		"RestSharp/110.2":        "dotnet",
		"GuzzleHttp/7":           "php",
		"PHP/8.3":                "php",
		"Ruby":                   "ruby",
		"Faraday v2.9":           "ruby",
		"reqwest/0.12":           "rust",
		"PostmanRuntime/7.39":    "postman",
		"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": "browser",
		"Mozilla/5.0 (compatible; Googlebot/2.1)":                                "bot",
		"SemrushBot":                       "bot",
		"my-crawler":                       "bot",
		"my trading program":               "other",
		"curl" + strings.Repeat("x", 1000): "curl",
		strings.Repeat("x", 1000) + "bot":  "other",
		"\xff\x00":                         "other",
	} {
		if got := observe.AgentClass(agent); got != want {
			t.Errorf("%q is %q; want %q", agent, got, want)
		}
	}
}

func FuzzAgentClass(f *testing.F) {
	classes := strings.Fields("browser curl wget go python node java dotnet php ruby rust postman bot other none")
	f.Add("curl/8")
	f.Add("Mozilla/5.0 (compatible; Bot)")
	f.Fuzz(func(t *testing.T, agent string) {
		got := observe.AgentClass(agent)
		if !slices.Contains(classes, got) || (got == "none") != (agent == "") {
			t.Errorf("%q is %q", agent, got)
		}
	})
}
