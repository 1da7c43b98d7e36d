// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
)

// Rows that count nowhere are told beside the list, which stays what programs read.
func TestKeyringTellsUnreadableRows(t *testing.T) {
	t.Parallel()
	for unreadable, want := range map[int]string{0: "", 3: "3 rows of keys cannot be read"} {
		var out, side strings.Builder
		e := &env{Streams: Streams{Out: &out, Err: &side}, format: "json"}
		err := e.keyring(api.Keyring{Keys: []api.KeyringKey{{ID: "kek-1"}}, Unreadable: unreadable}, nil)
		if err != nil || !strings.HasPrefix(side.String(), want) || (side.Len() == 0) != (want == "") || !strings.HasPrefix(out.String(), `{"id":"kek-1"`) {
			t.Errorf("%d: %v, %q beside %q", unreadable, err, side.String(), out.String())
		}
	}
}
