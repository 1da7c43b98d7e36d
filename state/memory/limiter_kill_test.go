// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/state/memory"
)

// The test binary run with these is the child of TestLimiterKill.
const (
	childLimits = "GATEHOUSE_TEST_LIMITS_DIR"
	childLife   = "GATEHOUSE_TEST_LIMITS_LIFE"
)

// What the children charge: three subjects that all of them share, and one of their own.
const killCount = 30_000

var (
	killQuota = gatehouse.Limit{Name: "quota", Count: killCount, Refill: gatehouse.RefillMonth}
	killRate  = gatehouse.Limit{Name: "rate", Count: 1, Period: 100 * 365 * 24 * time.Hour / killCount, Burst: killCount}
	killOnce  = gatehouse.Limit{Name: "once", Count: 1, Refill: gatehouse.RefillMonth}
)

// killNow stands still: neither is a quota full again in the middle of the test, nor does time
// pay off anything.
func killNow() time.Time { return time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC) }

func killCharges(own string) []gatehouse.Charge {
	return []gatehouse.Charge{
		{Subject: "key", Limits: []gatehouse.Limit{killQuota}},
		{Subject: "owner", Limits: []gatehouse.Limit{killRate}},
		{Subject: own, Limits: []gatehouse.Limit{killOnce}},
	}
}

// chargeForEver charges until it is killed and prints what was admitted.
func chargeForEver(dir string) {
	l, err := memory.OpenLimiter(memory.LimiterOptions{Dir: dir, Now: killNow})
	if err != nil || l.Doubt() != "" {
		fmt.Println(l.Doubt(), err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		own := os.Getenv(childLife) + "-" + strconv.Itoa(i)
		s, err := l.Charge(context.Background(), killCharges(own))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if s.RetryAfter == 0 {
			fmt.Printf("admitted %s\n", own)
		} else if _, err := fmt.Println("refused", s.Name); err != nil {
			os.Exit(1)
		}
	}
}

// TestLimiterKill kills a process that charges, again and again. No more is admitted in all
// its lives than the limits allow, and no less but for what a life was charged for and did
// not live to tell.
func TestLimiterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var admitted []string
	refused, lives := 0, 0
	for ; refused == 0 && lives < 100; lives++ {
		killChild(t, func(line string) bool {
			var word, text string
			if _, err := fmt.Sscanf(line, "%s %s", &word, &text); err != nil {
				return false
			}
			if word == "admitted" {
				admitted = append(admitted, text)
			} else {
				refused++
			}
			return word == "admitted" || word == "refused"
		}, childLimits+"="+dir, childLife+"="+strconv.Itoa(lives))
	}
	t.Logf("%d requests were admitted in %d lives", len(admitted), lives)
	if n := len(admitted); n > killCount || n < killCount-lives {
		t.Errorf("%d admitted in %d lives under limits of %d", n, lives, killCount)
	}
	l := openLimiter(t, memory.LimiterOptions{Dir: dir, Now: killNow})
	if why := l.Doubt(); why != "" {
		t.Error(why)
	}
	again := 0
	for _, own := range admitted {
		if s, err := l.Charge(t.Context(), killCharges(own)[2:]); err != nil || s.RetryAfter == 0 {
			again++
		}
	}
	if again > 0 {
		t.Errorf("%d of %d subjects were admitted twice", again, len(admitted))
	}
}
