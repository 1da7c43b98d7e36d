// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed14544106/gatehouse/internal/config"
)

// deployment is what the folder deploy tells people to run.
const deployment = "../../deploy"

var deployFiles = []string{"compose.yaml", "kubernetes.yaml", "Dockerfile", "README.md", "nodes.md", "backup.md"}

func deployText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployment, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents parses a file of YAML, its anchors and merges resolved.
func documents(t *testing.T, name string) (docs []map[string]any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(deployText(t, name)))
	for {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		docs = append(docs, doc)
	}
}

// at walks to a value through maps by name and through lists by the name of an element.
func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, step := range path {
		switch w := v.(type) {
		case map[string]any:
			v = w[step]
		case []any:
			i := slices.IndexFunc(w, func(e any) bool { m, ok := e.(map[string]any); return ok && m["name"] == step })
			if i < 0 {
				t.Fatalf("nothing is called %s in %v", step, path)
			}
			v = w[i]
		default:
			v = nil
		}
		if v == nil {
			t.Fatalf("no %s in %v", step, path)
		}
	}
	return v
}

// environ turns the variables of a container into those of a process. What comes from a
// Secret or the pod is given an example.
func environ(t *testing.T, v any) (env []string) {
	t.Helper()
	examples := map[string]string{
		"GATEHOUSE_DATABASE_URL": "postgres://u:p@db/gatehouse", "GATEHOUSE_REDIS_URL": "redis://valkey:6379", "GATEHOUSE_NODE": "pod",
	}
	switch vars := v.(type) {
	case map[string]any:
		for name, value := range vars {
			env = append(env, name+"="+value.(string))
		}
	case []any:
		for _, e := range vars {
			m := e.(map[string]any)
			value, ok := m["value"].(string)
			if !ok {
				value = examples[m["name"].(string)]
			}
			env = append(env, m["name"].(string)+"="+value)
		}
	}
	if len(env) < 5 {
		t.Fatalf("only %d variables are set", len(env))
	}
	return env
}

// The nodes of compose.yaml and kubernetes.yaml start with a configuration that holds.
func TestDeployConfigurations(t *testing.T) {
	t.Parallel()
	compose := documents(t, "compose.yaml")[0]
	kube := documents(t, "kubernetes.yaml")
	pod := at(t, kube[0], "spec", "template", "spec")
	for name, v := range map[string]any{
		"compose migrate": at(t, compose, "services", "migrate", "environment"), "compose node": at(t, compose, "services", "gatehouse-3", "environment"),
		"kubernetes migrate": at(t, pod, "initContainers", "migrate", "env"), "kubernetes node": at(t, pod, "containers", "gatehouse", "env"),
	} {
		env := environ(t, v)
		for _, e := range env {
			known(t, name, strings.Split(e, "=")[0])
		}
		if _, err := config.Load("", env, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if grace := at(t, pod, "terminationGracePeriodSeconds"); grace.(uint64) < 5+20+5+5 {
		t.Errorf("terminationGracePeriodSeconds is %v: less than preStop, shutdown_grace and what follows", grace)
	}
}

// settings are the variables that exist.
func settings() map[string]bool {
	known := map[string]bool{"GATEHOUSE_CONFIG": true, "GATEHOUSE_SERVER": true, "GATEHOUSE_TOKEN": true, "GATEHOUSE_PROFILE": true}
	section := ""
	for line := range strings.Lines(config.Example()) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(head, "]") + "."
		}
		if name, _, ok := strings.Cut(line, " = "); ok && !strings.HasPrefix(line, "#") {
			known[config.EnvName(section+name)] = true
		}
	}
	return known
}

// notOurs are variables of the files that the program does not read.
var notOurs = map[string]bool{"GATEHOUSE_SECRETS": true}

func known(t *testing.T, where, name string) {
	t.Helper()
	if !settings()[name] && !notOurs[name] {
		t.Errorf("%s: there is no setting %s", where, name)
	}
}

var (
	variableName = regexp.MustCompile(`GATEHOUSE_[A-Z][A-Z_]*[A-Z]`)
	settingName  = regexp.MustCompile("`((?:database|httpsig|barong|keyring|signing)\\.[a-z_]+)(?:=[^`]*)?`")
	commandLine  = regexp.MustCompile(`(?m)(?:^#  +|: | /|\x60)gatehouse ([a-z][a-z -]*[a-z])`)
	argument     = regexp.MustCompile(`(?m)^\s*(?:args|command): \[([a-z]+)\]`)
	metricName   = regexp.MustCompile(`\bgatehouse_[a-z_]+[a-z]`)
	imageName    = regexp.MustCompile(`(?m)^\s*(?:image:|FROM) +(\S+)`)
)

// What the files name exists: variables, settings, commands, metrics.
func TestDeployNames(t *testing.T) {
	t.Parallel()
	metrics := metricNames(t)
	bin := program(t)
	asked := map[string]bool{}
	for _, file := range deployFiles {
		text := deployText(t, file)
		for _, name := range variableName.FindAllString(text, -1) {
			known(t, file, name)
		}
		for _, m := range settingName.FindAllStringSubmatch(text, -1) {
			known(t, file, config.EnvName(m[1]))
		}
		for _, name := range metricName.FindAllString(text, -1) {
			if !metrics[name] && !metrics[strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")] {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
		for _, m := range imageName.FindAllStringSubmatch(text, -1) {
			if image := m[1]; image != "scratch" && (!strings.Contains(image, ":") || strings.HasSuffix(image, ":latest")) {
				t.Errorf("%s: the image %s has no version", file, image)
			}
		}
		for _, m := range argument.FindAllStringSubmatch(text, -1) {
			asked[m[1]] = true
		}
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[1])
			if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") }); i >= 0 {
				words = words[:i]
			}
			asked[strings.Join(words[:min(len(words), 2)], " ")] = true
		}
	}
	for _, want := range []string{"serve", "migrate", "cluster status"} {
		if !asked[want] {
			t.Errorf("the files do not name the command %s", want)
		}
	}
	for line := range asked {
		out, err := exec.Command(bin, append(strings.Fields(line), "--help")...).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("Usage: gatehouse "+line)) {
			t.Errorf("gatehouse %s is no command: %v\n%s", line, err, out)
		}
	}
}

// metricNames are the names in the source of internal/observe.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../internal/observe/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source of internal/observe", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(gatehouse_[a-z_]+)"`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}
