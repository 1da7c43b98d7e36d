// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"strings"
	"testing"
)

// Where the gates of a server go by a file, who asks it for an explanation hears how to ask the
// file.
func TestExplainBesideAFile(t *testing.T) {
	t.Parallel()
	const advice = "ask the file: gatehouse rules explain --file FILE METHOD URL"
	s := stub(t, http.StatusConflict, `{"code":"rules_file","title":"The gates go by a file","detail":"edit the file"}`)
	for args, want := range map[string]bool{"rules explain GET /orders": true, "rules clear --yes": false} {
		got := command("", withToken, append([]string{"--server", s.URL}, strings.Fields(args)...)...)
		if got.code != exitFailed || !strings.Contains(got.err, "The gates go by a file (rules_file)") || strings.Contains(got.err, advice) != want {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
