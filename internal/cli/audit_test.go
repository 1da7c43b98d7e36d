// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// log is a sound chain of n events as the wire has it, oldest first.
func log(n int64) []api.Event {
	var out []api.Event
	var prev []byte
	for seq := int64(1); seq <= n; seq++ {
		actor := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: "a1", Tenant: "t", Address: netip.MustParseAddr("2001:db8::1"), UserAgent: "curl/8 <x>"}
		e := gatehouse.NewEvent(actor, time.Date(2026, 1, 1, 0, 0, 0, 123456000, time.UTC), "key.create", fmt.Sprint("k", seq), gatehouse.OutcomeSucceeded, gatehouse.Change{Field: "f", Before: "\u2028", After: "b"})
		e.Seq, e.Prev = seq, prev
		prev = e.ChainHash()
		out = append(out, api.Event{
			Seq: seq, Time: e.Time, Tenant: e.Tenant, Actor: "account", ActorID: "a1", Address: "2001:db8::1", UserAgent: "curl/8 <x>", Verb: e.Verb, Subject: e.Subject,
			Outcome: "succeeded", Changes: []api.Change{{Field: "f", Before: "\u2028", After: "b"}}, Prev: hex.EncodeToString(e.Prev), Hash: hex.EncodeToString(prev),
		})
	}
	return out
}

func each(events []api.Event) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func lines(t *testing.T, events []api.Event) string {
	t.Helper()
	var b strings.Builder
	for i := range events {
		line, err := json.Marshal(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func TestExport(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 3, 300} {
		var out strings.Builder
		got, err := export(&out, each(log(n)))
		if err != nil || int64(got) != n {
			t.Fatalf("%d: %d, %v", n, got, err)
		}
		if diff := cmp.Diff(lines(t, log(n)), out.String()); diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
	}
	broken := errors.New("broken")
	var out strings.Builder
	if _, err := export(&out, func(yield func(api.Event, error) bool) { _ = yield(log(1)[0], nil) && yield(api.Event{}, broken) }); !errors.Is(err, broken) {
		t.Errorf("a list that breaks off: %v", err)
	}
}

// What was tampered with is found and named, and the exit code says so.
func TestVerifyFile(t *testing.T) {
	t.Parallel()
	sound := log(5)
	for name, row := range map[string]struct {
		edit func([]api.Event) []api.Event
		args string
		code int
		err  string
	}{
		"sound":                {nil, "", exitDone, ""},
		"sound, noted":         {nil, "--seq 3 --hash " + sound[2].Hash, exitDone, ""},
		"noted otherwise":      {nil, "--seq 3 --hash " + sound[1].Hash, exitFailed, "\n3: not the event that was noted"},
		"another subject":      {func(l []api.Event) []api.Event { l[2].Subject = "k9"; return l }, "", exitFailed, "\n3: changed"},
		"another actor":        {func(l []api.Event) []api.Event { l[2].Actor = "wizard"; return l }, "", exitFailed, "\n3: changed"},
		"another address":      {func(l []api.Event) []api.Event { l[2].Address = "nowhere"; return l }, "", exitFailed, "\n3: changed"},
		"another change":       {func(l []api.Event) []api.Event { l[2].Changes[0].After = ""; return l }, "", exitFailed, "\n3: changed"},
		"no hash":              {func(l []api.Event) []api.Event { l[2].Hash = "x"; return l }, "", exitFailed, "\n3: changed"},
		"dropped":              {func(l []api.Event) []api.Event { return slices.Delete(l, 2, 3) }, "", exitFailed, "\n3: missing"},
		"two dropped":          {func(l []api.Event) []api.Event { return slices.Delete(l, 1, 3) }, "", exitFailed, "\n2 to 3: missing"},
		"the first is dropped": {func(l []api.Event) []api.Event { return l[1:] }, "", exitFailed, "\n1: missing"},
		"the last is dropped":  {func(l []api.Event) []api.Event { return l[:4] }, "--seq 5 --hash " + sound[4].Hash, exitFailed, "\n5: not the event that was noted"},
		"reordered":            {func(l []api.Event) []api.Event { l[2], l[3] = l[3], l[2]; return l }, "", exitFailed, "\n3: out of order"},
		"seq without hash":     {nil, "--seq 3", exitUsage, "--seq and --hash"},
		"hash that is none":    {nil, "--seq 3 --hash xyz", exitUsage, "--seq and --hash"},
	} {
		events := log(5)
		if row.edit != nil {
			events = row.edit(events)
		}
		path := filepath.Join(t.TempDir(), "events.jsonl")
		if err := os.WriteFile(path, []byte(lines(t, events)), 0o600); err != nil {
			t.Fatal(err)
		}
		got := command("", nil, append([]string{"audit", "verify", "--format", "json", "--file", path}, strings.Fields(row.args)...)...)
		if got.code != row.code || !strings.Contains(got.err, row.err) || (row.code != exitUsage) != strings.Contains(got.out, fmt.Sprintf(`"sound":%v`, row.code == exitDone)) {
			t.Errorf("%s: %+v, want %d with %q", name, got, row.code, row.err)
		}
	}
	for name, text := range map[string]string{"no JSON": "hello", "another kind": `{"kid":"k"}`, "broken off": lines(t, log(2))[:700], "a blank line": "\n" + lines(t, log(1)), "a seq of two kinds": strings.Replace(lines(t, log(1)), `"seq":1`, `"seq":"1"`, 1)} {
		if got := command("", nil, "audit", "verify", "--file", file(t, 0o600, text)); got.code != exitFailed || !strings.Contains(got.err, ": line ") || got.out != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A line that another reader may take otherwise is a fault, also where the hash fits what
// this one takes from it.
func TestVerifyFileExact(t *testing.T) {
	t.Parallel()
	events := log(3)
	events[1] = api.Event{Seq: 2, Time: events[1].Time, Tenant: "t", Actor: "system", Verb: "system.start", Subject: "v1", Outcome: "succeeded", Prev: events[0].Hash}
	for i := 1; i < 3; i++ {
		events[i].Prev = events[i-1].Hash
		events[i].Hash = hex.EncodeToString(eventOf(&events[i]).ChainHash())
	}
	sound := lines(t, events)
	first, last, hash := strings.Split(sound, "\n")[0], strings.Split(sound, "\n")[2], events[2].Hash
	for name, row := range map[string]struct{ old, new, fault string }{
		"as it was exported":          {"", "", ""},
		"without the last line end":   {last + "\n", last, ""},
		"with line ends of two bytes": {"\n", "\r\n", ""},

		"address that is none":         {`"verb":"system`, `"address":"mallory from 10.0.0.1","verb":"system`, "2"},
		"prev that is none":            {first, strings.Replace(first, `"hash":`, `"prev":"none","hash":`, 1), "1"},
		"address in another form":      {`2001:db8::1","user_agent":"curl/8 \u003cx\u003e","verb":"key.create","subject":"k3`, `2001:DB8::1","user_agent":"curl/8 \u003cx\u003e","verb":"key.create","subject":"k3`, "3"},
		"hash in another form":         {`"hash":"` + hash, `"hash":"` + strings.ToUpper(hash), "3"},
		"member twice":                 {`{"seq":2`, `{"verb":"key.revoke","seq":2`, "2"},
		"member twice, one of nothing": {`"subject":"v1"`, `"subject":"v1","subject":null`, "2"},
		"member in another case":       {`"verb":"system`, `"Verb":"system`, "2"},
		"member in two cases":          {`{"seq":2`, `{"Subject":"v9","seq":2`, "2"},
		"member that is empty":         {`"subject":"v1"`, `"subject":"v1","changes":[]`, "2"},
		"member of a change twice":     {last, strings.Replace(last, `{"field":`, `{"field":"g","field":`, 1), "3"},
		"members in another order":     {`"verb":"system.start","subject":"v1"`, `"subject":"v1","verb":"system.start"`, "2"},
		"blank":                        {`{"seq":2`, `{ "seq":2`, "2"},
		"text behind the event":        {last, last + ` "verb":"key.revoke"`, "3"},
		"time to the nanosecond":       {first, strings.Replace(first, "00.123456Z", "00.123456789Z", 1), "1"},
		"time in another zone":         {first, strings.Replace(first, "01T00:00:00.123456Z", "01T01:00:00.123456+01:00", 1), "1"},
		"character raw":                {last, strings.Replace(last, `\u2028`, "\u2028", 1), "3"},
		"character escaped":            {`"v1"`, `"\u0076\u0031"`, "2"},
	} {
		text := strings.ReplaceAll(sound, row.old, row.new)
		if (text == sound) != (row.old == "") {
			t.Fatalf("%s: the edit does not fit", name)
		}
		got := command("", nil, "audit", "verify", "--format", "json", "--file", file(t, 0o600, text))
		want, code := "", exitDone
		if row.fault != "" {
			want, code = "gatehouse: the chain is not sound:\n"+row.fault+": the line is not as it was exported (line "+row.fault+")\n", exitFailed
		}
		if got.code != code || got.err != want || !strings.Contains(got.out, fmt.Sprintf(`{"sound":%v,"events":3,"seq":3,"hash":%q`, code == exitDone, hash)) {
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
	}
	// Two events on a line: the second is not read.
	got := command("", nil, "audit", "verify", "--file", file(t, 0o600, strings.Replace(sound, "\n", "", 1)))
	if want := "\n1: the line is not as it was exported (line 1)\n2: missing\n"; got.code != exitFailed || !strings.HasSuffix(got.err, want) {
		t.Errorf("two events on a line: %+v", got)
	}
	// An unsound line for each of many events.
	got = command("", nil, "audit", "verify", "--format", "json", "--file", file(t, 0o600, strings.ReplaceAll(lines(t, log(300)), `{"seq"`, `{ "seq"`)))
	if n := strings.Count(got.err, "\n"); got.code != exitFailed || n != 1+lineFaultsMost {
		t.Errorf("300 faults: %d lines, %+v", n, got)
	}
}

// What a stranger sent as a user agent goes through an export and its check.
func TestExportHostile(t *testing.T) {
	t.Parallel()
	events := log(1)
	events[0].UserAgent = hostile
	events[0].Hash = hex.EncodeToString(eventOf(&events[0]).ChainHash())
	var out strings.Builder
	if _, err := export(&out, each(events)); err != nil || strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && unprintable(r) }) {
		t.Errorf("%q, %v", out.String(), err)
	}
	if got := command("", nil, "audit", "verify", "--file", file(t, 0o600, out.String())); got.code != exitDone || got.err != "" {
		t.Errorf("%+v", got)
	}
}

// Where the signature does not vouch for all events, the check says so in a sentence.
func TestVerifySince(t *testing.T) {
	t.Parallel()
	const fault = `"faults":[{"seq":1,"to":12,"problem":"not vouched for"}]`
	for answer, row := range map[string]struct {
		code       int
		cell, said string
	}{
		`{"sound":true,"events":14,"seq":14,"hash":"ab"}`:                           {exitDone, "-", ""},
		`{"sound":true,"events":14,"seq":14,"hash":"ab","since":1}`:                 {exitDone, "1", ""},
		`{"sound":true,"events":14,"seq":14,"hash":"ab","since":13}`:                {exitDone, "13", "vouches for the events from 13 on."},
		`{"sound":false,"events":14,"seq":14,"hash":"ab","since":13,` + fault + `}`: {exitFailed, "13", "1 to 12: not vouched for"},
	} {
		s := stub(t, 200, answer)
		for format, want := range map[string]string{"table": " ab +" + row.cell + " *\n", "json": `"since":` + row.cell + `\b`, "yaml": "since: " + row.cell + "\n"} {
			got := command("", withToken, "--server", s.URL, "--format", format, "audit", "verify")
			there := row.cell != "-" || format == "table"
			if got.code != row.code || regexp.MustCompile(want).MatchString(got.out) != there || !strings.Contains(got.err, row.said) || (row.said == "") != (got.err == "") {
				t.Errorf("%s as %s: %+v", answer, format, got)
			}
		}
	}
}

// An export is written whole or not at all, and over nothing.
func TestExportFile(t *testing.T) {
	t.Parallel()
	s := stub(t, 200, `{"events":`+strings.ReplaceAll("["+strings.TrimSpace(lines(t, log(1)))+"]", "\n", ",")+"}")
	path := filepath.Join(t.TempDir(), "events.jsonl")
	export := []string{"--server", s.URL, "audit", "export", "--out", path}
	if got := command("", withToken, export...); got.code != exitDone || got.out != "" || !strings.Contains(got.err, "exported: 1 events") {
		t.Fatalf("%+v", got)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != lines(t, log(1)) {
		t.Errorf("%s, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if got := command("", withToken, export...); got.code != exitFailed {
		t.Errorf("over a file: %+v", got)
	}
	bad := stub(t, 500, `{"code":"c"}`)
	path += "2"
	if got := command("", withToken, "--server", bad.URL, "audit", "export", "--out", path); got.code != exitFailed {
		t.Errorf("from a server that fails: %+v", got)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("half an export is left: %v", err)
	}
}
