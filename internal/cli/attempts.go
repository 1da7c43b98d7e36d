// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

type keyAttempts struct {
	format
	Kid   string `arg:"" optional:"" help:"Key id. Default: attempts with any key, and with none."`
	Limit int    `help:"How many to list, 1 to 1000." default:"100"`
}

func (c *keyAttempts) Run(e *env) error {
	p, err := e.client().Attempts(e.ctx, c.Kid, c.Limit)
	if err != nil {
		return err
	}
	return print(e, c.format, p.Attempts, []string{"TIME", "OUTCOME", "SCHEME", "KID", "OWNER", "PEER", "USER-AGENT"}, func(a *api.Attempt) []string {
		return []string{moment(&a.Time), a.Outcome, a.Scheme, a.KeyID, a.Owner, a.Peer, a.UserAgent}
	})
}

const day = 24 * time.Hour

// parseSpan reads a duration that may also count days.
func parseSpan(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * day, err == nil && n > 0 && n <= 36500
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

// parseUnused reads how long a key may lie unused, in seconds.
func parseUnused(text string) (int64, error) {
	d, ok := parseSpan(text)
	if !ok || d < time.Second {
		return 0, usageError{errors.New("--unused is no duration such as 365d or 8760h")}
	}
	return int64(d / time.Second), nil
}

// spanText is a duration in seconds as parseSpan reads it; empty for none.
func spanText(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}
