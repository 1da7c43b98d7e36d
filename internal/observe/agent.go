// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import "strings"

// agents says which class a user agent is of by its beginning, in lower case.
var agents = []struct{ begin, class string }{
	{"mozilla/", "browser"}, {"opera/", "browser"},
	{"curl", "curl"}, {"wget", "wget"}, {"postman", "postman"},
	{"go-http-client", "go"}, {"go-resty", "go"}, {"gatehouse", "go"},
	{"python", "python"}, {"aiohttp", "python"}, {"httpx", "python"},
	{"node", "node"}, {"axios", "node"}, {"undici", "node"}, {"got ", "node"}, {"got/", "node"},
	{"java/", "java"}, {"java-http-client", "java"}, {"apache-httpclient", "java"}, {"okhttp", "java"}, {"jetty", "java"},
	{"dotnet", "dotnet"}, {".net", "dotnet"}, {"restsharp", "dotnet"},
	{"php", "php"}, {"guzzlehttp", "php"}, {"symfony", "php"},
	{"ruby", "ruby"}, {"faraday", "ruby"}, {"rest-client", "ruby"},
	{"rust", "rust"}, {"reqwest", "rust"}, {"hyper/", "rust"}, {"ureq", "rust"},
}

// bots are words that give a robot away, wherever they stand.
var bots = []string{"bot", "crawler", "spider"}

const (
	agentNone  = "none"
	agentOther = "other"
	agentBot   = "bot"
)

// AgentClass is the class of a User-Agent field (RFC 9110 section 10.1.5): browser, curl,
// wget, go, python, node, java, dotnet, php, ruby, rust, postman, bot, other, or none where
// it is empty. It is a guess from what the client says of itself. Only the first 255 bytes
// are looked at.
func AgentClass(agent string) string {
	agent = agent[:min(len(agent), maxAgent)]
	if agent == "" {
		return agentNone
	}
	class := agentOther
	for i := range agents {
		if a := &agents[i]; len(agent) >= len(a.begin) && lower(agent[0]) == a.begin[0] && strings.EqualFold(agent[:len(a.begin)], a.begin) {
			class = a.class
			break
		}
	}
	if class == "browser" || class == agentOther {
		for _, word := range bots {
			if holds(agent, word) {
				return agentBot
			}
		}
	}
	return class
}

// holds reports whether a word in lower case is in text, of which the case does not count.
func holds(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if lower(text[i]) == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
