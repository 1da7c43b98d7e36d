// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Row is a route as tests see it.
type Row struct {
	Method, Path, ID                                                 string
	Scope                                                            gatehouse.Scope
	AnyCaller, Public, Everyone, DefaultTenantOnly, SocketOnly, Body bool
	MaxBody                                                          int64
	Timeout                                                          time.Duration
	Parameters                                                       []string // as "path kid"
}

// Table is the table of routes.
func (h *Handler) Table() []Row {
	var rows []Row
	for i := range h.mounted {
		m := &h.mounted[i]
		row := Row{
			Method: m.Method, Path: m.Path, ID: m.ID, Scope: m.Scope, AnyCaller: m.AnyCaller, Public: m.Public, Everyone: m.Everyone,
			DefaultTenantOnly: m.DefaultTenantOnly, SocketOnly: m.SocketOnly, Body: m.op.RequestBody != nil, MaxBody: m.MaxBody, Timeout: m.Timeout,
		}
		for _, p := range m.op.Parameters {
			row.Parameters = append(row.Parameters, strings.Join([]string{p.In, p.Name}, " "))
		}
		rows = append(rows, row)
	}
	return rows
}

// Waiters is how many requests wait for revocations.
func (h *Handler) Waiters() int {
	h.waits.mu.Lock()
	defer h.waits.mu.Unlock()
	return h.waits.all
}
