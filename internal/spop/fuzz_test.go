// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import (
	"bytes"
	"testing"
)

// same fails where what was read is not written as it was.
func same(t *testing.T, read, written []byte) {
	t.Helper()
	if !bytes.Equal(read, written) {
		t.Fatalf("%x is written as %x", read, written)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(Frame{Type: Notify, Flags: Fin, Stream: 1 << 40, ID: 1, Payload: []byte("p")}.Append(nil))
	f.Add([]byte{0, 0, 0, 7, 1, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ReadFrame(bytes.NewReader(b), 1<<10)
		if err == nil {
			out := frame.Append(nil)
			same(t, b[:len(out)], out)
		}
	})
}

func FuzzItems(f *testing.F) {
	f.Add(Hello{Versions: []string{"2.0"}, MaxFrame: 16380, Capabilities: []string{Pipelining}, HealthCheck: true}.Append(nil))
	f.Add(Item{"n", Int32(-1)}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := ParseItems(b)
		if err != nil {
			return
		}
		var out []byte
		for _, item := range items {
			out = item.Append(out)
		}
		same(t, b, out)
		if h, err := ParseHello(b); err == nil {
			if _, err := ParseHello(h.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if w, err := ParseWelcome(b); err == nil {
			if _, err := ParseWelcome(w.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := ParseDisconnect(b); err == nil {
			if again, err := ParseDisconnect(d.Append(nil)); err != nil || again != d {
				t.Fatal(again, err)
			}
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add(Message{Name: "m", Args: []Item{{"a", Bool(true)}, {"b", Binary([]byte("x"))}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, err := ParseMessages(b)
		if err != nil {
			return
		}
		var out []byte
		for _, m := range messages {
			out = m.Append(out)
		}
		same(t, b, out)
	})
}

func FuzzActions(f *testing.F) {
	f.Add(Action{Op: SetVar, Scope: Transaction, Name: "status", Value: Int32(200)}.Append(nil))
	f.Add(Action{Op: UnsetVar, Scope: Session, Name: "status"}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		actions, err := ParseActions(b)
		if err != nil {
			return
		}
		var out []byte
		for _, a := range actions {
			out = a.Append(out)
		}
		same(t, b, out)
	})
}

func FuzzPairs(f *testing.F) {
	f.Add(AppendPairs(nil, []Pair{{"host", "a"}, {"x-api-key", ""}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pairs, err := ParsePairs(b); err == nil {
			same(t, b, AppendPairs(nil, pairs))
		}
	})
}
