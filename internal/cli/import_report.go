// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/internal/intake"
)

// refusal is a row that was not imported.
type refusal struct {
	Source  string `json:"source"`
	KeyID   string `json:"kid"`
	Owner   string `json:"owner"`
	Problem string `json:"problem"`
}

func (i *imports) refuse(row *intake.Row, problem string) {
	i.refused = append(i.refused, refusal{Source: row.Source, KeyID: row.KeyID, Owner: cmp.Or(row.Owner.Email, row.Owner.ExternalID), Problem: problem})
}

// stop ends the bar and reports. err ended the import; nil: it came to its end.
func (i *imports) stop(err error) error {
	i.progress.end()
	if err != nil && i.news > 0 && !i.DryRun {
		err = fmt.Errorf("%w\nWhat was imported stays; run it again for the rest", err)
	}
	return errors.Join(err, i.report(err != nil))
}

// report prints the rows that were not imported, and the sums. It fails where a row was
// not imported. What an import wrote that was cut off, the last answer tells.
func (i *imports) report(cutOff bool) error {
	if len(i.refused) > 0 {
		err := print(i.e, i.refused, []string{"SOURCE", "KID", "OWNER", "PROBLEM"}, func(r *refusal) []string {
			return []string{r.Source, r.KeyID, r.Owner, r.Problem}
		})
		if err != nil {
			return err
		}
	}
	if len(i.there) > 0 {
		_, _ = fmt.Fprintf(i.e.Err, "owners who had an account here: %s\n", printable(strings.Join(slices.Sorted(maps.Keys(i.there)), " ")))
	}
	_, _ = fmt.Fprintf(i.e.Err, "%s; imported before: %d; refused: %d\n", i.sum(cutOff), i.same, len(i.refused))
	if len(i.refused) > 0 {
		return fmt.Errorf("%s cannot be imported", count(len(i.refused), "key"))
	}
	return nil
}

// sum says what was imported, or would be.
func (i *imports) sum(cutOff bool) string {
	switch none := i.news+len(i.owners) == 0; {
	case none && cutOff:
		return "nothing is known to be imported"
	case none && i.DryRun:
		return "nothing to import"
	case none:
		return "nothing was imported"
	}
	verb := "imported"
	if i.DryRun {
		verb = "to import"
	}
	return verb + ": " + count(i.news, "key") + " and " + count(len(i.owners), "new owner")
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
