// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/seed14544106/gatehouse/account"
)

// label is a label on the wire.
type label struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Scope   string `json:"scope"`
	Created string `json:"created_at"`
	Updated string `json:"updated_at"`
}

func labelJSON(l account.Label) label {
	return label{l.Key, l.Value, l.Scope, stamp(l.Created), stamp(l.Updated)}
}

func labelsJSON(labels []account.Label) []label {
	out := make([]label, len(labels))
	for i, l := range labels {
		out[i] = labelJSON(l)
	}
	return out
}

// listLabels answers GET labels, oldest first unless asked otherwise.
func (d *Door) listLabels(_ context.Context, c *call) (answer, error) {
	desc := c.params["ordering"] == "desc"
	if c.params.has("ordering") && !desc && c.params["ordering"] != "asc" {
		return answer{}, refuse(http.StatusUnprocessableEntity, "resource.labels.invalid_ordering")
	}
	labels := slices.Clone(c.account.Labels)
	slices.SortStableFunc(labels, func(a, b account.Label) int {
		if desc {
			a, b = b, a
		}
		return cmp.Compare(a.Created.UnixMicro(), b.Created.UnixMicro())
	})
	return answer{status: http.StatusOK, body: labelsJSON(labels)}, nil
}

func (d *Door) getLabel(_ context.Context, c *call) (answer, error) {
	for _, l := range c.account.Labels {
		if l.Key == c.params["key"] {
			return answer{status: http.StatusOK, body: labelJSON(l)}, nil
		}
	}
	return answer{}, refuse(http.StatusNotFound, codeNotFound)
}
