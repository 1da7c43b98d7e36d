// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

func TestAnnounce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		d    gatehouse.Decision
		want http.Header
	}{
		"nothing to tell": {gatehouse.Decision{Granted: true}, http.Header{}},
		"a limit": {
			gatehouse.Decision{Limit: gatehouse.Standing{Name: "burst", Count: 100, Period: time.Minute, Remaining: 7, Reset: 1500 * time.Millisecond}},
			http.Header{"Ratelimit-Policy": {`"burst";q=100;w=60`}, "Ratelimit": {`"burst";r=7;t=2`}},
		},
		"a limit of centuries": {
			gatehouse.Decision{Limit: gatehouse.Standing{Name: "l", Count: 1, Period: math.MaxInt64, Reset: math.MaxInt64}},
			http.Header{"Ratelimit-Policy": {`"l";q=1;w=9223372037`}, "Ratelimit": {`"l";r=0;t=9223372037`}},
		},
		"the old secret": {
			gatehouse.Decision{Deprecated: time.Unix(1790000000, 5), Sunset: time.Unix(1790086400, 5)},
			http.Header{"Deprecation": {"@1790000000"}, "Sunset": {"Tue, 22 Sep 2026 14:13:20 GMT"}},
		},
		"expires soon": {gatehouse.Decision{Sunset: time.Unix(1790086400, 0)}, http.Header{"Sunset": {"Tue, 22 Sep 2026 14:13:20 GMT"}}},
	} {
		h := http.Header{}
		gate.Announce(h, &row.d)
		if diff := cmp.Diff(row.want, h); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
