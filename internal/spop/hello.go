// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Version is the version of the protocol that this package speaks.
const Version = "2.0"

// Capabilities that a side can announce (section 3.2.1).
const (
	Pipelining    = "pipelining"    // an Ack need not come before the next Notify, on one connection
	Async         = "async"         // nor on the connection of its Notify
	Fragmentation = "fragmentation" // payloads are taken in pieces
)

// Hello is how HAProxy begins a connection (section 3.2.4).
type Hello struct {
	Versions     []string // "Major.Minor", the last of each major version
	MaxFrame     uint32   // bytes that a frame may have
	Capabilities []string
	HealthCheck  bool   // nothing comes after the answer
	Engine       string // whose connection it is; empty: not said
}

// Append writes the payload.
func (h Hello) Append(b []byte) []byte {
	b = Item{"supported-versions", String(strings.Join(h.Versions, ","))}.Append(b)
	b = Item{"max-frame-size", Uint32(h.MaxFrame)}.Append(b)
	b = Item{"capabilities", String(strings.Join(h.Capabilities, ","))}.Append(b)
	if h.HealthCheck {
		b = Item{"healthcheck", Bool(true)}.Append(b)
	}
	if h.Engine != "" {
		b = Item{"engine-id", String(h.Engine)}.Append(b)
	}
	return b
}

// ParseHello reads the payload. Items that it does not know it skips. The errors are
// Invalid, also for an item that stands there twice, NoVersion, NoFrameSize and
// NoCapability.
func ParseHello(payload []byte) (Hello, error) {
	var h Hello
	items, err := find(payload, "supported-versions", "max-frame-size", "capabilities", "healthcheck", "engine-id")
	if err != nil {
		return h, fmt.Errorf("read hello: %w", err)
	}
	versions, hasVersions := items[0].Text()
	capabilities, hasCapabilities := items[2].Text()
	switch {
	case !hasVersions:
		err = NoVersion
	case items[1].Kind != KindUint32:
		err = NoFrameSize
	case !hasCapabilities:
		err = NoCapability
	default:
		h = Hello{Versions: words(versions), MaxFrame: uint32(items[1].Num), Capabilities: words(capabilities), HealthCheck: items[3].Kind == KindBool && items[3].Num == 1}
		h.Engine, _ = items[4].Text()
		return h, nil
	}
	return h, fmt.Errorf("read hello: %w", err)
}

// Speaks reports whether the sender takes Version: it names its major version, and so all
// that came before the minor one.
func (h Hello) Speaks() bool {
	return slices.ContainsFunc(h.Versions, func(v string) bool {
		major, minor, _ := strings.Cut(v, ".")
		_, err := strconv.ParseUint(minor, 10, 16)
		return major == "2" && err == nil
	})
}

// Welcome is an agent's answer to a hello (section 3.2.5).
type Welcome struct {
	Version      string
	MaxFrame     uint32 // at most that of the hello; counts from now on
	Capabilities []string
}

// Append writes the payload.
func (w Welcome) Append(b []byte) []byte {
	b = Item{"version", String(w.Version)}.Append(b)
	b = Item{"max-frame-size", Uint32(w.MaxFrame)}.Append(b)
	return Item{"capabilities", String(strings.Join(w.Capabilities, ","))}.Append(b)
}

// ParseWelcome reads the payload. The errors are those of [ParseHello].
func ParseWelcome(payload []byte) (Welcome, error) {
	var w Welcome
	items, err := find(payload, "version", "max-frame-size", "capabilities")
	if err != nil {
		return w, fmt.Errorf("read hello: %w", err)
	}
	version, hasVersion := items[0].Text()
	capabilities, hasCapabilities := items[2].Text()
	switch {
	case !hasVersion:
		err = NoVersion
	case items[1].Kind != KindUint32:
		err = NoFrameSize
	case !hasCapabilities:
		err = NoCapability
	default:
		return Welcome{Version: version, MaxFrame: uint32(items[1].Num), Capabilities: words(capabilities)}, nil
	}
	return w, fmt.Errorf("read hello: %w", err)
}

// Disconnect is the last frame of a side (sections 3.2.8 and 3.2.9).
type Disconnect struct {
	Code    Code
	Message string // for people
}

// Append writes the payload.
func (d Disconnect) Append(b []byte) []byte {
	b = Item{"status-code", Uint32(uint32(d.Code))}.Append(b)
	return Item{"message", String(d.Message)}.Append(b)
}

// ParseDisconnect reads the payload. The error is Invalid.
func ParseDisconnect(payload []byte) (Disconnect, error) {
	items, err := find(payload, "status-code", "message")
	if err == nil && (items[0].Kind != KindUint32 || items[1].Kind != KindString) {
		err = Invalid
	}
	if err != nil {
		return Disconnect{}, fmt.Errorf("read disconnect: %w", err)
	}
	return Disconnect{Code: Code(items[0].Num), Message: string(items[1].Bytes)}, nil
}

// find takes the values of the names out of a list, null for one that is not there.
func find(payload []byte, names ...string) ([]Data, error) {
	items, err := ParseItems(payload)
	if err != nil {
		return nil, err
	}
	out, seen := make([]Data, len(names)), make([]bool, len(names))
	for _, item := range items {
		i := slices.Index(names, item.Name)
		if i < 0 {
			continue
		}
		if seen[i] {
			return nil, Invalid
		}
		out[i], seen[i] = item.Value, true
	}
	return out, nil
}

// words are the parts of a list in a text, without the spaces around them.
func words(list string) []string {
	var out []string
	for w := range strings.SplitSeq(list, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}
