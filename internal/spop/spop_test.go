// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVarint(t *testing.T) {
	t.Parallel()
	// The bounds of section 3.1.
	for v, want := range map[uint64]string{
		0: "00", 239: "ef", 240: "f000", 241: "f100", 255: "ff00", 256: "f001", 2287: "ff7f", 2288: "f08000", 264431: "ffff7f", 264432: "f0808000",
		33818863: "ffffff7f", 33818864: "f080808000", 4328786159: "ffffffff7f", 4328786160: "f08080808000",
		math.MaxUint64: "fff0fefefefefefefe0e",
	} {
		b := appendVarint(nil, v)
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
		c := cut{rest: b}
		if got := c.varint(); got != v || c.bad || len(c.rest) > 0 {
			t.Errorf("%d: read as %d", v, got)
		}
	}
	for _, text := range []string{"", "f0", "f080", "fff0fefefefefefefe0f", "ffffffffffffffffffff00", "f080808080808080808000"} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if c := (cut{rest: b}); c.varint() != 0 || !c.bad {
			t.Errorf("%s is read", text)
		}
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	h := Hello{Versions: []string{"2.0", "1.5"}, MaxFrame: 16380, Capabilities: []string{Pipelining, Async}, HealthCheck: true, Engine: "e"}
	got, err := ParseHello(h.Append(nil))
	if diff := cmp.Diff(h, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	versions, size, capabilities := Item{"supported-versions", String(" 1.0 , 2.3")}, Item{"max-frame-size", Uint32(256)}, Item{"capabilities", String("")}
	for name, row := range map[string]struct {
		items []Item
		want  error
	}{
		"least":           {[]Item{capabilities, size, versions, {"new", Data{}}}, nil},
		"no versions":     {[]Item{size, capabilities}, NoVersion},
		"versions twice":  {[]Item{versions, versions, size, capabilities}, Invalid},
		"no size":         {[]Item{versions, capabilities}, NoFrameSize},
		"a size of text":  {[]Item{versions, {"max-frame-size", String("256")}, capabilities}, NoFrameSize},
		"no capabilities": {[]Item{versions, size}, NoCapability},
	} {
		var b []byte
		for _, item := range row.items {
			b = item.Append(b)
		}
		h, err := ParseHello(b)
		if !errors.Is(err, row.want) || err == nil && (!h.Speaks() || h.MaxFrame != 256 || h.Capabilities != nil || h.HealthCheck) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	for version, want := range map[string]bool{"2.0": true, "2.9": true, "1.5": false, "20.0": false, "2": false, "2.x": false, "": false} {
		if got := (Hello{Versions: []string{version}}).Speaks(); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	w := Welcome{Version: Version, MaxFrame: 512, Capabilities: []string{Pipelining}}
	if got, err := ParseWelcome(w.Append(nil)); err != nil || cmp.Diff(w, got) != "" {
		t.Error(got, err)
	}
	d := Disconnect{Code: TooBig, Message: "m"}
	if got, err := ParseDisconnect(d.Append(nil)); err != nil || got != d {
		t.Error(got, err)
	}
	if _, err := ParseDisconnect(nil); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	if got := Code(77).Error(); got != "code 77" {
		t.Error(got)
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]Data{
		"00": {}, "01": Bool(false), "11": Bool(true), "0207": Int32(7), "0307": Uint32(7), "0407": Int64(7),
		"04fff0fefefefefefefe0e": Int64(-1), "02fff0fefefefefefefe0e": Int32(-1),
		"067f000001": Addr(netip.MustParseAddr("127.0.0.1")), "0700000000000000000000000000000001": Addr(netip.MustParseAddr("::1")),
		"080161": String("a"), "090161": Binary([]byte("a")),
	} {
		if got := hex.EncodeToString(d.Append(nil)); got != text {
			t.Errorf("%+v: %s, want %s", d, got, text)
		}
	}
	for _, text := range []string{"", "0a", "10", "21", "1201", "08", "080261", "067f0000", "07", "03fff0fefefefefefefe0e", "02f0f1fefe3e"} {
		b, err := hex.DecodeString("0161" + text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseItems(b); !errors.Is(err, Invalid) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if a := String("\x7f\x00\x00\x01").Addr(); a.IsValid() {
		t.Error(a)
	}
	if _, ok := Binary(nil).Text(); ok {
		t.Error("a binary is a text")
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	f := Frame{Type: Notify, Flags: Fin, Stream: 300, ID: 1, Payload: []byte("payload")}
	b := f.Append(nil)
	got, err := ReadFrame(bytes.NewReader(b), len(b)-4)
	if diff := cmp.Diff(f, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for name, row := range map[string]struct {
		bytes string
		want  error
	}{
		"nothing":       {"", io.EOF},
		"half a length": {string(b[:2]), io.ErrUnexpectedEOF},
		"a length":      {string(b[:4]), io.ErrUnexpectedEOF},
		"cut":           {string(b[:len(b)-1]), io.ErrUnexpectedEOF},
		"too big":       {"\xff\xff\xff\xff", TooBig},
		"empty":         {"\x00\x00\x00\x00", Invalid},
		"no ids":        {"\x00\x00\x00\x05\x03\x00\x00\x00\x01", Invalid},
	} {
		if _, err := ReadFrame(strings.NewReader(row.bytes), 100); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	many := bytes.Repeat(Message{Name: "m"}.Append(nil), maxItems+1)
	if _, err := ParseMessages(many); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	if got, err := ParseMessages(many[:len(many)/256*255]); len(got) != 255 || err != nil {
		t.Error(len(got), err)
	}
	if _, err := ParseItems(bytes.Repeat(Item{Name: "i"}.Append(nil), maxItems+1)); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	action := Action{Op: UnsetVar, Scope: Response, Name: "v"}.Append(nil)
	if _, err := ParseActions(bytes.Repeat(action, maxItems+1)); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	for _, change := range []func([]byte){func(b []byte) { b[0] = 3 }, func(b []byte) { b[1] = 3 }, func(b []byte) { b[2] = 5 }} {
		b := bytes.Clone(action)
		change(b)
		if got, err := ParseActions(b); !errors.Is(err, Invalid) {
			t.Errorf("%x: %v", b, got)
		}
	}
	for _, list := range []string{"", "\x00", "\x01a\x01b", "\x00\x01b\x00\x00", "\x01a\x01b\x00\x00x", "\xf0"} {
		if got, err := ParsePairs([]byte(list)); !errors.Is(err, Invalid) {
			t.Errorf("%q: %v", list, got)
		}
	}
}
