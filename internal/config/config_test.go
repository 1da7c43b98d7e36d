// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compare = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	plain, err := Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	example, err := Load(write(t, Example()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, example, compare); diff != "" {
		t.Errorf("the example changes something (-default +example):\n%s", diff)
	}
}

func TestSourcesWinInOrder(t *testing.T) {
	t.Parallel()
	path := write(t, "listen = \"127.0.0.1:1\"\ndata = \"file\"\ntrusted_proxies = [\"10.1.2.3/8\"]\n[barong]\nnonce_window = \"7s\"\ncsrf_protection = false\n[account]\npassword_min_entropy = 20\n")
	c, err := Load(path, []string{"GATEHOUSE_LISTEN=127.0.0.1:2", "GATEHOUSE_DATA=env", "GATEHOUSE_TOKEN=ignored", "HOME=/x"}, map[string]string{"listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := Load("", nil, nil)
	want.Listen, want.Data = "127.0.0.1:3", "env"
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	want.Barong.NonceWindow, want.Barong.CSRF, want.PasswordEntropy = 7*time.Second, false, 20
	if diff := cmp.Diff(want, c, compare); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, row := range []struct {
		name, file string
		env        []string
		want       string
	}{
		{"unknown key in the file", "lisen = \"x\"", nil, `unknown setting "lisen"`},
		{"unknown key in a section", "[barong]\nnonce = 1", nil, `unknown setting "barong.nonce"`},
		{"unknown variable", "", []string{"GATEHOUSE_LISEN=" + secret}, `environment: unknown setting "GATEHOUSE_LISEN"`},
		{"no TOML", "listen = " + secret, nil, "is not TOML"},
		{"no duration", "[barong]\nnonce_window = \"" + secret + "\"", nil, "barong.nonce_window: is no duration"},
		{"window too long", "[barong]\nnonce_window = \"61s\"", nil, "longer than 60s"},
		{"no network", "trusted_proxies = [\"" + secret + "\"]", nil, "trusted_proxies: holds something that is no network"},
		{"no bool", "[barong]\ncsrf_protection = \"" + secret + "\"", nil, "neither true nor false"},
		{"no word of the list", "[barong]\nreplay = \"" + secret + "\"", nil, "barong.replay: is none of strict, window"},
		{"no address", "listen = \"" + secret + "\"", nil, "listen: is no address"},
		{"no URL", "public_url = \"" + secret + "\"", nil, "public_url: is no http or https URL"},
		{"other database", "database_url = \"mysql://" + secret + "\"", nil, "is no postgres:// URL"},
		{"password without email", "[admin]\npassword = \"" + secret + "\"", nil, "admin.email: is empty"},
		{"idle over absolute", "[account]\nsession_idle = \"13h\"", nil, "longer than account.session_absolute"},
		{"lease of limits too short", "[limits]\nlease = \"9ms\"", nil, "limits.lease: is not between 10ms and 1s"},
		{"lease of limits too long", "[limits]\nlease = \"1001ms\"", nil, "limits.lease: is not between 10ms and 1s"},
		{"a table for a value", "listen = { a = 1 }", nil, "unknown setting"},
		{"a list of numbers", "trusted_proxies = [1]", nil, "other than plain words"},
	} {
		_, err := Load(write(t, row.file), row.env, nil)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q", row.name, err, row.want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the value: %v", row.name, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent.toml"), nil, nil); err == nil {
		t.Error("an absent file was accepted")
	}
}

// All that is wrong is told, and where in the file it stands, if that is plain.
func TestAllThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	path := write(t, "attempts = \"x\" # not here: lisen = 1\r\nlisen = \"x\"\ngrpc = { listn = \"x\" }\n[ barong ] # it\n  nonce_window = \"x\"\n[smtp]\ntls = \"x\"\n[proxy]\nlisten = \"x\"\n")
	_, err := Load(path, []string{"GATEHOUSE_LISEN=x", "GATEHOUSE_GATE_MAX_BODY=x"}, nil)
	want := path + `: unknown setting "grpc.listn"
` + path + `: line 2: unknown setting "lisen"
` + path + `: line 5: barong.nonce_window: is no duration such as 30m
environment: unknown setting "GATEHOUSE_LISEN"
environment: gate.max_body: is no whole number from 1 to 1000000
attempts: is none of none, failure, all
smtp.tls: is none of starttls, tls, none
proxy.listen: is no address such as 127.0.0.1:8080
proxy.upstreams: is empty, though proxy.listen is set; gatehouse proxy takes it as --upstream URL`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type rules struct {
		Pass []string
		Rows []struct{ Role, Verb string }
	}
	var got rules
	if err := Decode(write(t, "pass = [\"/a\"]\n[[rows]]\nrole = \"r\"\nverb = \"GET\"\n"), &got); err != nil {
		t.Fatal(err)
	}
	want := rules{Pass: []string{"/a"}}
	want.Rows = append(want.Rows, struct{ Role, Verb string }{"r", "GET"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, problem := range map[string]string{"pas = []": `unknown setting "pas"`, "pass = 1": "line 1", "pass": "line 1"} {
		if err := Decode(write(t, text), &rules{}); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestEverySettingHasHelp(t *testing.T) {
	t.Parallel()
	var c Config
	for _, s := range settings(&c) {
		if s.key == "" || s.help == "" {
			t.Errorf("setting %q has no key or no help", s.key)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example()))
	f.Add([]byte("a = [1, {b = 2}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := parse("file", text)
		if err != nil && values != nil {
			t.Error("values and an error")
		}
		for key, n := range linesOf(string(text)) {
			if n < 1 || n > 1+strings.Count(string(text), "\n") {
				t.Errorf("%q is on line %d", key, n)
			}
		}
	})
}

// Zero is a duration where the help says what it means, and nowhere else.
func TestZeroDurations(t *testing.T) {
	t.Parallel()
	for key, ok := range map[string]bool{
		"database.lease": true, "limits.lease": true, "signing.rotate_every": true, "shield.unused_lifetime": true, "shutdown_grace": false, "account.session_idle": false, "barong.nonce_window": false,
	} {
		for _, zero := range []string{"0", "0s"} {
			if _, err := Load("", nil, map[string]string{key: zero}); (err == nil) != ok {
				t.Errorf("%s = %s: %v", key, zero, err)
			}
		}
	}
}
