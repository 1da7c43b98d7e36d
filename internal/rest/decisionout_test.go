// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse/api"
)

// Any decision is written by hand as huma writes it, whatever members it has.
func TestAppendDecisionIsEncodingJSON(t *testing.T) {
	t.Parallel()
	times := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "s"), rapid.SampledFrom([]int64{0, 1, 123456000, 999999999}).Draw(t, "ns"))
		return at.In(rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 19800)}).Draw(t, "zone"))
	}).Filter(func(at time.Time) bool { return at.Year() <= 9999 }) // encoding/json refuses others
	decisions := rapid.MakeCustom[api.Decision](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[time.Time]():  times.AsAny(),
		reflect.TypeFor[*time.Time](): rapid.Ptr(times, true).AsAny(),
	}})
	rapid.Check(t, func(t *rapid.T) {
		d := decisions.Draw(t, "decision")
		var want bytes.Buffer
		if err := huma.DefaultJSONFormat.Marshal(&want, d); err != nil {
			t.Fatal(err)
		}
		if got := append(appendDecision([]byte("x"), &d), '\n'); string(got) != "x"+want.String() {
			t.Fatalf("\n%s\n%s", got, want.Bytes())
		}
	})
}
