// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

// FuzzWords compares the quick reading of a list with the decoder's.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "a", "a\x00b", `a","b`, `["a"]`, `\`, `"`, "é<&>", "[", "]", ","} {
		f.Add(s, s, 3)
	}
	f.Fuzz(func(t *testing.T, a, b string, n int) {
		list := []string{a, b, a + b}[:min(max(n, 0), 3)]
		text, err := wordList(list)
		if err != nil {
			if storable(a) && storable(b) {
				t.Fatalf("%q: %v", list, err)
			}
			return
		}
		c := columnsOf(Row{text})
		got := words[string](&c)
		if err := c.done(); err != nil {
			t.Fatalf("%q is written as %s: %v", list, text, err)
		}
		if !slices.Equal(got, list) {
			t.Fatalf("%q is read back as %q", list, got)
		}
	})
}

// FuzzWordsText reads any text. What is read is what the decoder reads; what the decoder
// refuses is refused.
func FuzzWordsText(f *testing.F) {
	for _, s := range []string{"", "[]", `["a"]`, `["a","b"]`, `["a" ,"b"]`, `["a]`, `["]`, `[""]`, `["a""b"]`, `["\u0061"]`, `["a","b"] x`, `[1]`, "[]]", "null", `["a",]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !storable(text) {
			return // no engine holds it
		}
		c := columnsOf(Row{text})
		got := words[string](&c)
		var want []string
		err := json.Unmarshal([]byte(text), &want)
		if text == "" {
			err = nil
		}
		switch {
		case c.done() == nil && err != nil && !controls(text):
			t.Fatalf("%q is read as %q: %v", text, got, err)
		case c.done() == nil && err == nil && len(got)+len(want) > 0 && !slices.Equal(got, want):
			t.Fatalf("%q is read as %q; want %q", text, got, want)
		}
	})
}

// controls reports whether JSON would want text escaped. Nothing that is stored needs it.
func controls(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' })
}

func FuzzMaterials(f *testing.F) {
	good, err := encodeMaterials([]gatehouse.Material{
		{Version: 1, Kind: gatehouse.MaterialDigest, Ref: "pepper", Data: []byte("digest"), Created: time.Unix(1, 0), NotAfter: time.Unix(2, 0)},
		{Version: 2, Kind: gatehouse.MaterialSealed},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{1, 1, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, column []byte) {
		list, err := decodeMaterials(column)
		if err != nil {
			return
		}
		again, err := encodeMaterials(list)
		if err != nil {
			return // two of one version, or a ref that is no text: not written by us
		}
		back, err := decodeMaterials(again)
		if err != nil {
			t.Fatalf("%v is not read back: %v", list, err)
		}
		slices.SortStableFunc(list, func(a, b gatehouse.Material) int { return int(min(1, max(-1, b.Version-a.Version))) })
		for i := range list {
			a, b := list[i], back[i]
			if a.Version != b.Version || a.Kind != b.Kind || a.Ref != b.Ref || string(a.Data) != string(b.Data) || !a.Created.Equal(b.Created) || !a.NotAfter.Equal(b.NotAfter) {
				t.Fatalf("%+v is read back as %+v", a, b)
			}
		}
	})
}

// TestMaterialsFormat pins the bytes: a column that an older version wrote must be read.
func TestMaterialsFormat(t *testing.T) {
	t.Parallel()
	list := []gatehouse.Material{
		{Version: 300, Kind: gatehouse.MaterialPublic, Ref: "r", Data: []byte{9, 8}, Created: time.UnixMicro(1).UTC(), NotAfter: time.UnixMicro(-1).UTC()},
		{Version: 2, Kind: gatehouse.MaterialSealed, Ref: "dek", Data: []byte("s")},
		{Version: 1, Kind: gatehouse.MaterialDigest, Ref: "", Data: []byte{}},
	}
	const want = "\x01" + "\xac\x02\x03\x01r\x02\x09\x08\x02\x01" + "\x02\x02\x03dek\x01s\x00\x00" + "\x01\x01\x00\x00\x00\x00"
	got, err := encodeMaterials(list)
	if err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	back, err := decodeMaterials([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, back); diff != "" {
		t.Error(diff)
	}
}

func TestColumnsAreRightOrNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		row  Row
		read func(*columns)
	}{
		{"too few", Row{}, func(c *columns) { c.text() }},
		{"too many", Row{"a", "b"}, func(c *columns) { c.text() }},
		{"text for a number", Row{"1"}, func(c *columns) { c.number() }},
		{"a number for text", Row{int64(1)}, func(c *columns) { c.text() }},
		{"nothing for text", Row{nil}, func(c *columns) { c.text() }},
		{"text for bytes", Row{"a"}, func(c *columns) { c.blob() }},
		{"a flag of two", Row{int64(2)}, func(c *columns) { c.flag() }},
		{"a flag below zero", Row{int64(-1)}, func(c *columns) { c.flag() }},
		{"an unknown state", Row{"sleepy"}, func(c *columns) { enum(c, gatehouse.ParseState) }},
		{"an unknown principal state", Row{"sleepy"}, func(c *columns) { enum(c, parsePrincipalState) }},
		{"an unknown mode", Row{""}, func(c *columns) { c.replay() }},
		{"too few fields", Row{"a"}, func(c *columns) { c.open(); c.text(); c.text(); c.shut() }},
		{"too many fields", Row{"a" + separator + "b"}, func(c *columns) { c.open(); c.text(); c.shut() }},
		{"a field that is no number", Row{"a"}, func(c *columns) { c.open(); c.number(); c.shut() }},
		{"a number beyond", Row{"9223372036854775808"}, func(c *columns) { c.open(); c.number(); c.shut() }},
		{"a list with a field that nobody knows", Row{`[{"name":"a","but":1}]`}, func(c *columns) { c.limits() }},
		{"two lists", Row{`[{"name":"a"}][]`}, func(c *columns) { c.limits() }},
		{"no address", Row{"1.2.3"}, func(c *columns) { c.address() }},
	} {
		c := columnsOf(row.row)
		row.read(&c)
		if err := c.done(); err == nil {
			t.Errorf("%s: no error", row.name)
		} else if strings.Contains(err.Error(), "sleepy") {
			t.Errorf("%s: the error tells the value: %v", row.name, err)
		}
	}
	c := columnsOf(Row{"a", int64(7), nil, "x" + separator + separator + "-3"})
	if a, n, b := c.text(), c.number(), c.blob(); a != "a" || n != 7 || b != nil {
		t.Errorf("%q %d %v", a, n, b)
	}
	c.open()
	if x, y, n := c.text(), c.text(), c.number(); x != "x" || y != "" || n != -3 {
		t.Errorf("%q %q %d", x, y, n)
	}
	c.shut()
	if err := c.done(); err != nil {
		t.Error(err)
	}
}

func TestNoTimeReadsAsNone(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, 999), time.UnixMicro(1), time.UnixMicro(-1)} {
		if micros(at) == 0 {
			t.Errorf("%v is stored as no time", at)
		}
	}
	if micros(time.Time{}) != 0 {
		t.Error("no time is stored as one")
	}
}
